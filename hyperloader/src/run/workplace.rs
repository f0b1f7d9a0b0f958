//! A run folder while a process trains in it: what was there before, and what a failed start must leave.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use peft_files::{NewFolders, create_folders, write_atomic};
use tracing::warn;

use super::own::is_own;
use super::{ADAPTER_FILE, MODEL_FILE, RunDir};
use crate::files::{FolderLock, MANIFEST, remove_half_built, remove_leftovers, restore_replaced};
use crate::{Error, Result};

/// The files that a run writes before its first checkpoint.
const FILES: [&str; 6] = ["config.toml", "tags.json", "metrics.jsonl", "config.json", "tokenizer.json", MANIFEST];

/// The start of the names of TensorBoard's files.
const EVENTS: &str = "events.out.tfevents.";

/// A run folder that this process has locked.
///
/// A start that fails before its first checkpoint is no run: [`close`](Self::close) then leaves the folder as it was.
#[derive(Debug)]
pub(crate) struct Workplace {
    run: RunDir,
    checkpoint: Option<usize>,
    hold: Hold,
}

/// How a process has its workplace.
#[derive(Debug)]
enum Hold {
    /// It has locked the run folder.
    Own { before: Before, lock: FolderLock, folders: NewFolders },
    /// Another process has locked the run folder; this one has a copy.
    Copy(#[allow(dead_code, reason = "it removes the folder when it is dropped")] tempfile::TempDir),
}

impl Workplace {
    /// Locks the folder of `run`, and checks that a run may start in it or, with `resume`, continue. No file is changed.
    ///
    /// # Errors
    /// [`Error::Config`] if another process trains there; if there is a run and `resume` is off; if there are trained weights
    /// without a checkpoint, or files that the run would replace and that no run wrote. [`Error::Malformed`] if the newest
    /// checkpoint is damaged.
    pub(crate) fn open(run: RunDir, resume: bool) -> Result<Self> {
        if run.root().canonicalize().is_ok_and(|root| root.parent().is_none()) {
            return Err(Error::Config(format!("{}: not a folder for a run; give another --out", run.root().display())));
        }
        let folders = create_folders(run.root())?;
        let lock = FolderLock::take(run.root())?;
        require_writable(run.root())?;
        restore_replaced(&run.checkpoints())?;
        let checkpoint = match (run.steps()?.is_empty(), resume) {
            (true, _) => {
                require_free(&run)?;
                None
            }
            (false, true) => run.last()?,
            (false, false) => {
                return Err(Error::Config(format!(
                    "{} already holds a run; give another --out, or --resume to continue it",
                    run.root().display()
                )));
            }
        };
        let hold = Hold::Own { before: Before::of(run.root())?, lock, folders };
        Ok(Self { run, checkpoint, hold })
    }

    /// The workplace of a rank that writes nothing: `copy` holds what it must know of the run, whose newest checkpoint is that of step
    /// `checkpoint`. The folder is removed at the end.
    pub(crate) fn copy(copy: tempfile::TempDir, checkpoint: Option<usize>) -> Self {
        Self { run: RunDir::new(copy.path()), checkpoint, hold: Hold::Copy(copy) }
    }

    /// The folder.
    pub(crate) fn run(&self) -> &RunDir {
        &self.run
    }

    /// The step of the checkpoint that the run continues from.
    pub(crate) fn checkpoint(&self) -> Option<usize> {
        self.checkpoint
    }

    /// Removes what a killed process left. Called when everything is checked and writing begins.
    ///
    /// # Errors
    /// If a file cannot be removed.
    pub(crate) fn begin(&self) -> Result<()> {
        if let Hold::Copy(_) = self.hold {
            return Ok(());
        }
        remove_leftovers(self.run.checkpoints())?;
        let written = FILES.iter().chain(&["best", ADAPTER_FILE, MODEL_FILE]);
        remove_half_built(self.run.root(), &written.copied().collect::<Vec<_>>())
    }

    /// Frees the folder after the work ended with `outcome`. If the work failed without a new checkpoint, the folder becomes what it
    /// was before.
    ///
    /// # Errors
    /// That of `outcome`.
    pub(crate) fn close<T>(self, outcome: Result<T>) -> Result<T> {
        let Self { run, checkpoint, hold } = self;
        let Hold::Own { before, lock, folders } = hold else { return outcome };
        let newest = run.steps().ok().and_then(|mut steps| steps.pop());
        if outcome.is_err() && newest == checkpoint {
            if let Err(error) = before.restore(run.root()) {
                warn!("{}: not all files could be put back: {error}", run.root().display());
            }
            // Another process must not find the folder free before it is gone.
            drop(folders);
            drop(lock);
        } else {
            folders.keep();
        }
        outcome
    }
}

/// Fails early where no file can be made, before hours of work.
fn require_writable(folder: &Path) -> Result<()> {
    tempfile::tempfile_in(folder).map(|_| ()).map_err(|source| Error::io(folder, source))
}

/// Refuses a folder without checkpoints that holds something that a run would replace.
fn require_free(run: &RunDir) -> Result<()> {
    let root = run.root();
    if let Some(weights) = [ADAPTER_FILE, MODEL_FILE].into_iter().find(|name| root.join(name).exists()) {
        return Err(Error::Config(format!(
            "{} holds a trained model ({weights}) and no checkpoint to continue from; give another --out",
            root.display()
        )));
    }
    let foreign_link = run.best().symlink_metadata().is_ok() && !points_at_checkpoint(&run.best());
    let foreign_file = run.checkpoints().is_file();
    // What a process left that was killed before its first checkpoint may be replaced.
    let found = FILES.into_iter().find(|name| root.join(name).symlink_metadata().is_ok() && !is_own(run, name));
    let found = found.or(foreign_link.then_some("best")).or(foreign_file.then_some("checkpoints"));
    found.map_or(Ok(()), |name| {
        Err(Error::Config(format!(
            "{}: not written by a run, and a run would replace it; give another --out",
            root.join(name).display()
        )))
    })
}

/// Whether the link `best` is a run's own, which points into the folder of checkpoints. Where there are no links it is a text.
fn points_at_checkpoint(best: &Path) -> bool {
    let target = fs::read_link(best).or_else(|_| fs::read_to_string(best).map(PathBuf::from));
    target.is_ok_and(|target| target.starts_with("checkpoints"))
}

/// What a run folder held: the names in it, and the content of the files that a run replaces.
#[derive(Debug)]
struct Before {
    names: Vec<OsString>,
    files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Before {
    fn of(root: &Path) -> Result<Self> {
        let items = fs::read_dir(root).map_err(|source| Error::io(root, source))?;
        let names = items.flatten().map(|item| item.file_name()).collect();
        let files = FILES.iter().map(|name| root.join(name)).filter(|path| path.is_file());
        let read = |path: PathBuf| match fs::read(&path) {
            Ok(bytes) => Ok((path, bytes)),
            Err(source) => Err(Error::io(path, source)),
        };
        Ok(Self { names, files: files.map(read).collect::<Result<_>>()? })
    }

    /// Removes the files that are new in `root`, and puts the others back.
    fn restore(&self, root: &Path) -> Result<()> {
        let items = fs::read_dir(root).map_err(|source| Error::io(root, source))?;
        for item in items.flatten() {
            let name = item.file_name();
            let text = name.to_string_lossy();
            let of_run = FILES.contains(&&*text) || text.starts_with(EVENTS);
            if of_run && !self.names.contains(&name) {
                fs::remove_file(item.path()).map_err(|source| Error::io(item.path(), source))?;
            }
        }
        for (path, bytes) in &self.files {
            if fs::read(path).ok().as_ref() != Some(bytes) {
                write_atomic(path, |file| std::io::Write::write_all(file, bytes))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::config::Config;

    fn refused(root: &Path, resume: bool) -> String {
        Workplace::open(RunDir::new(root), resume).unwrap_err().to_string()
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|item| item.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_failed_start_leaves_no_folder_and_a_file_of_the_user() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("runs/first");
        for notes in [false, true] {
            let place = Workplace::open(RunDir::new(&path), false).unwrap();
            for name in ["config.toml", "metrics.jsonl", "events.out.tfevents.1.host"] {
                fs::write(path.join(name), "new").unwrap();
            }
            if notes {
                fs::write(path.join("notes.txt"), "mine").unwrap();
            }
            let failed: Result<()> = place.close(Err(Error::Training("stopped".to_owned())));
            assert_eq!(failed.unwrap_err().to_string(), "stopped");
            assert_eq!(root.path().join("runs").exists(), notes);
        }
        assert_eq!(names(&path), ["notes.txt"]);
    }

    #[test]
    fn a_failed_resume_puts_every_file_back() {
        let root = tempfile::tempdir().unwrap();
        let run = RunDir::new(root.path());
        crate::files::write_dir_atomic(run.checkpoint(3), |_| Ok(())).unwrap();
        fs::write(run.config(), "old").unwrap();
        let place = Workplace::open(run.clone(), true).unwrap();
        assert_eq!(place.checkpoint(), Some(3));
        fs::write(run.config(), "new").unwrap();
        fs::write(run.tags(), "new").unwrap();
        assert!(place.close::<()>(Err(Error::Training("stopped".to_owned()))).is_err());
        assert_eq!(names(root.path()), ["checkpoints", "config.toml"]);
        assert_eq!(fs::read_to_string(run.config()).unwrap(), "old");
    }

    #[test]
    fn a_failure_after_a_checkpoint_keeps_the_run() {
        let root = tempfile::tempdir().unwrap();
        let run = RunDir::new(root.path().join("run"));
        let place = Workplace::open(run.clone(), false).unwrap();
        fs::write(run.config(), "new").unwrap();
        crate::files::write_dir_atomic(run.checkpoint(3), |_| Ok(())).unwrap();
        assert!(place.close::<()>(Err(Error::Training("stopped".to_owned()))).is_err());
        assert_eq!(names(run.root()), ["checkpoints", "config.toml"]);
        assert!(refused(run.root(), false).contains("--resume"));
    }

    #[test]
    fn what_no_run_wrote_and_what_is_finished_is_not_replaced() {
        for resume in [false, true] {
            let root = tempfile::tempdir().unwrap();
            fs::write(root.path().join("config.toml"), "seed = 3 # mine\n").unwrap();
            assert!(refused(root.path(), resume).contains("config.toml"));
            fs::write(root.path().join("config.toml"), Config::default().to_toml().unwrap()).unwrap();
            fs::write(root.path().join("metrics.jsonl"), "{\"step\":1}\n").unwrap();
            drop(Workplace::open(RunDir::new(root.path()), resume).unwrap());
            fs::write(root.path().join(ADAPTER_FILE), "weights").unwrap();
            assert!(refused(root.path(), resume).contains(ADAPTER_FILE));
        }
    }

    #[test]
    fn a_file_of_the_user_is_kept_next_to_what_a_killed_run_left() {
        let root = tempfile::tempdir().unwrap();
        let run = RunDir::new(root.path());
        fs::write(run.config(), Config::default().to_toml().unwrap()).unwrap();
        run.save_tags(&crate::run::TagSets::from([("home".to_owned(), vec!["O".to_owned()])])).unwrap();
        drop(Workplace::open(run.clone(), false).unwrap());
        for (name, mine) in [
            ("tags.json", "{\"home\": [\"O\", \"my_own\"]}"),
            ("metrics.jsonl", "notes\n"),
            ("config.json", "{\"vocab_size\": 8}"),
            ("tokenizer.json", "{}"),
            ("manifest.json", "{\"name\": \"my web page\"}"),
        ] {
            let before = fs::read(root.path().join(name)).ok();
            fs::write(root.path().join(name), mine).unwrap();
            assert!(refused(root.path(), false).contains(&format!("{name}: not written by a run")), "{name}");
            match before {
                Some(bytes) => fs::write(root.path().join(name), bytes).unwrap(),
                None => fs::remove_file(root.path().join(name)).unwrap(),
            }
        }
    }

    #[test]
    fn a_second_process_is_refused_and_makes_nothing() {
        let root = tempfile::tempdir().unwrap();
        let _first = Workplace::open(RunDir::new(root.path().join("run")), false).unwrap();
        assert!(refused(&root.path().join("run"), true).contains("another process"));
        assert_eq!(names(&root.path().join("run")), [""; 0]);
    }
}
