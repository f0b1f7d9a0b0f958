//! The folder that all shards of a job write to.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use peft_files::{create_folders, read_json, remove_abandoned, temporary_prefix, write_atomic};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Job, Shard};
use crate::files::if_there;
use crate::{Error, Result};

const JOB: &str = "job.json";
const RECORDS: &str = "records";

/// The folder of a [`Job`]. Processes on several machines may write to it at the same time:
///
/// ```text
/// job.json            what the shards have in common
/// records/00003.json  the record of a finished shard
/// ```
#[derive(Debug)]
pub struct ShardFolder {
    root: PathBuf,
    job: Job,
    hash: String,
}

/// The record of a shard, as its file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record<T> {
    /// The hash of the job.
    job: String,
    result: T,
}

impl ShardFolder {
    /// The folder at `root` for `job`, which is made if it does not exist.
    ///
    /// # Errors
    /// [`Error::Config`] if the folder is that of another job, or holds something else. [`Error::Io`].
    pub fn open(root: impl Into<PathBuf>, job: Job) -> Result<Self> {
        let folder = Self { root: root.into(), hash: job.hash()?, job };
        let (root, path) = (&folder.root, folder.root.join(JOB));
        create_folders(root)?.keep();
        create_folders(root.join(RECORDS))?.keep();
        if !path.exists() {
            refuse_foreign(root)?;
            create(&path, &folder.job)?;
        }
        // Another process may have been faster.
        folder.job.require_same(&read_json(&path)?, root)?;
        Ok(folder)
    }

    /// The folder at `root` whose shards are to be joined; `None` if there is no job in it.
    ///
    /// # Errors
    /// If its job cannot be read.
    pub fn find(root: impl Into<PathBuf>) -> Result<Option<Self>> {
        let root = root.into();
        let path = root.join(JOB);
        if !path.exists() {
            return Ok(None);
        }
        let job: Job = read_json(&path)?;
        Ok(Some(Self { root, hash: job.hash()?, job }))
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The job.
    pub fn job(&self) -> &Job {
        &self.job
    }

    /// What [`finish`](Self::finish) kept of the shard number `index`; `None` if it is not finished.
    ///
    /// # Errors
    /// If the record cannot be read, or is that of another job.
    pub fn record<T: DeserializeOwned>(&self, index: usize) -> Result<Option<T>> {
        let path = self.path(index);
        if !path.exists() {
            return Ok(None);
        }
        let Record { job, result } = read_json(&path)?;
        match job == self.hash {
            true => Ok(Some(result)),
            false => Err(Error::malformed(path, "the record of another job; remove it, and the shard is done again")),
        }
    }

    /// Says that `shard` is finished, and keeps `result`. Its files must be in their places.
    ///
    /// # Errors
    /// If the record cannot be written.
    pub fn finish<T: Serialize>(&self, shard: Shard, result: &T) -> Result<()> {
        let record = Record { job: self.hash.clone(), result };
        write_json(&self.path(shard.index()), &record)
    }

    /// The shards that are not finished.
    ///
    /// # Errors
    /// If the folder cannot be listed.
    pub fn missing(&self) -> Result<Vec<usize>> {
        let records = self.root.join(RECORDS);
        let mut missing: BTreeSet<usize> = (0..self.job.shards()).collect();
        for item in if_there(&records, fs::read_dir(&records))?.into_iter().flatten() {
            let name = item.map_err(|source| Error::io(&records, source))?.file_name();
            if let Some(index) = name.to_str().and_then(|name| name.strip_suffix(".json")?.parse().ok()) {
                missing.remove(&index);
            }
        }
        Ok(missing.into_iter().collect())
    }

    /// What [`finish`](Self::finish) kept of all shards, in their order.
    ///
    /// # Errors
    /// [`Error::Config`] naming the shards that are not finished; as [`record`](Self::record).
    pub fn records<T: DeserializeOwned>(&self) -> Result<Vec<T>> {
        let missing = self.missing()?;
        if missing.is_empty() {
            let read = |index| self.record::<T>(index).transpose().ok_or_else(|| self.unfinished(&[index]))?;
            return (0..self.job.shards()).map(read).collect();
        }
        Err(self.unfinished(&missing))
    }

    fn unfinished(&self, missing: &[usize]) -> Error {
        let named: Vec<String> = missing.iter().take(8).map(usize::to_string).collect();
        let more = missing.len().saturating_sub(named.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        Error::Config(format!(
            "{}: {} of {} shards are not finished: {}{more}",
            self.root.display(),
            missing.len(),
            self.job.shards(),
            named.join(", ")
        ))
    }

    fn path(&self, index: usize) -> PathBuf {
        self.root.join(RECORDS).join(format!("{index:05}.json"))
    }
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    Ok(write_atomic(path, |file| {
        serde_json::to_writer_pretty(&mut *file, value)?;
        writeln!(file)
    })?)
}

/// Refuses a folder without a job that holds something.
fn refuse_foreign(root: &Path) -> Result<()> {
    let items = fs::read_dir(root).map_err(|source| Error::io(root, source))?;
    let names = items.flatten().filter_map(|item| item.file_name().into_string().ok());
    let foreign = names.into_iter().find(|name| !name.starts_with(JOB) && name != RECORDS);
    // A process that wrote its job in the meantime may have begun with its shard.
    match foreign.filter(|_| !root.join(JOB).exists()) {
        Some(name) => Err(Error::Config(format!(
            "{}: the folder holds {name:?} and no {JOB}, so it is not one of shards; name a new folder",
            root.display()
        ))),
        None => Ok(()),
    }
}

/// Writes `job` to a new file at `path`; if another process was faster, its file stays.
fn create(path: &Path, job: &Job) -> Result<()> {
    let failed = |source| Error::io(path, source);
    remove_abandoned(path);
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let prefix = temporary_prefix(path, "tmp").map_err(failed)?;
    let temporary = builder.prefix(&prefix).tempfile_in(peft_files::parent(path));
    let mut temporary = temporary.map_err(|error| failed(error.kind().into()))?;
    let text = serde_json::to_string_pretty(job).map_err(|e| Error::Internal(format!("a job is no JSON: {e}")))?;
    writeln!(temporary, "{text}").and_then(|()| temporary.as_file().sync_all()).map_err(failed)?;
    match temporary.persist_noclobber(path) {
        Err(error) if error.error.kind() != std::io::ErrorKind::AlreadyExists => Err(failed(error.error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::collections::BTreeMap;

    use super::*;

    fn job(shards: usize, format: &str, text: &str) -> Job {
        let map = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
        Job::new(shards, map("--format", format), map("in.txt", text))
    }

    fn shard(index: usize) -> Shard {
        Shard::new(index, 3).unwrap()
    }

    #[test]
    fn records_come_back_once_all_shards_are_there() {
        let root = tempfile::tempdir().unwrap();
        let open = || ShardFolder::open(root.path().join("out"), job(3, "bio", "a")).unwrap();
        let folder = open();
        for index in [2, 0] {
            folder.finish(shard(index), &index).unwrap();
        }
        assert_eq!(open().record::<usize>(2).unwrap(), Some(2));
        assert_eq!(open().record::<usize>(1).unwrap(), None);
        let message = open().records::<usize>().unwrap_err().to_string();
        assert!(message.ends_with("out: 1 of 3 shards are not finished: 1"), "{message}");
        open().finish(shard(1), &1).unwrap();
        assert_eq!(ShardFolder::find(root.path().join("out")).unwrap().unwrap().records::<usize>().unwrap(), [0, 1, 2]);
    }

    #[test]
    fn the_folder_of_another_job_is_refused_with_all_that_differs() {
        let root = tempfile::tempdir().unwrap();
        ShardFolder::open(root.path(), job(3, "bio", "a")).unwrap();
        ShardFolder::open(root.path(), job(3, "bio", "a")).unwrap();
        let message = ShardFolder::open(root.path(), job(4, "jsonl", "b")).unwrap_err().to_string();
        for part in [
            "the number of shards: 3 in the folder, 4 now\n",
            "--format: bio in the folder, jsonl now\n",
            "the content of in.txt\n",
        ] {
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn a_folder_of_something_else_and_a_foreign_record_are_refused() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("out");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("notes.txt"), "").unwrap();
        assert!(ShardFolder::open(&path, job(3, "bio", "a")).unwrap_err().to_string().contains("\"notes.txt\""));
        fs::remove_file(path.join("notes.txt")).unwrap();
        let folder = ShardFolder::open(&path, job(3, "bio", "a")).unwrap();
        fs::write(folder.path(0), "{\"job\": \"other\", \"result\": 1}").unwrap();
        assert!(folder.record::<usize>(0).unwrap_err().to_string().contains("another job"));
        assert!(ShardFolder::find(root.path()).unwrap().is_none());
    }

    #[test]
    fn of_processes_that_begin_at_once_all_have_one_job() {
        let root = tempfile::tempdir().unwrap();
        let opened = std::thread::scope(|scope| {
            let open = |format| ShardFolder::open(root.path(), job(3, format, "a")).is_ok();
            let threads = ["bio", "jsonl", "bio", "jsonl"].map(|format| (format, scope.spawn(move || open(format))));
            threads.map(|(format, thread)| (format, thread.join().unwrap()))
        });
        let kept: Job = read_json(root.path().join(JOB)).unwrap();
        for (format, opened) in opened {
            assert_eq!(opened, kept.setting("--format") == Some(format));
        }
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 2, "no temporary file is left");
    }
}
