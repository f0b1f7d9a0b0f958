//! The event file of one session of a run.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::event::{What, encode};
use super::record::write_record;
use crate::{Error, Result};

/// How long events may wait in memory, so that a live TensorBoard sees them soon.
const FLUSH_EVERY: Duration = Duration::from_secs(5);

/// Writes scalars to `events.out.tfevents.<seconds>.<host>`, in the format that TensorBoard reads.
///
/// Each session of a run writes its own file; TensorBoard joins the files of a folder.
#[derive(Debug)]
pub struct EventWriter {
    path: PathBuf,
    file: BufWriter<File>,
    flushed: Instant,
}

impl EventWriter {
    /// Starts an event file in `folder`. `resume_step` is the step of the checkpoint that the run continues from:
    /// TensorBoard is told to forget what earlier files say about later steps.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn create(folder: impl AsRef<Path>, resume_step: Option<usize>) -> Result<Self> {
        let (path, file) = new_file(folder.as_ref())?;
        let mut writer = Self { path, file: BufWriter::new(file), flushed: Instant::now() };
        writer.write(0, &What::FileVersion)?;
        if let Some(step) = resume_step {
            writer.write(step + 1, &What::Restart)?;
        }
        writer.flush()?;
        Ok(writer)
    }

    /// The event file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds the point `(step, value)` to the curve `tag`; a `/` in the tag groups curves.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn scalar(&mut self, step: usize, tag: &str, value: f32) -> Result<()> {
        self.write(step, &What::Scalar { tag, value })?;
        if self.flushed.elapsed() >= FLUSH_EVERY { self.flush() } else { Ok(()) }
    }

    /// Writes everything to the file. Dropping the writer does the same, but cannot report an error.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn flush(&mut self) -> Result<()> {
        self.flushed = Instant::now();
        self.file.flush().map_err(|source| Error::io(&self.path, source))
    }

    fn write(&mut self, step: usize, what: &What<'_>) -> Result<()> {
        let event = encode(SystemTime::now(), step as u64, what);
        write_record(&mut self.file, &event).map_err(|source| Error::io(&self.path, source))
    }
}

/// A new file. Its name is free even if an earlier session started in the same second.
fn new_file(folder: &Path) -> Result<(PathBuf, File)> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let name = format!("events.out.tfevents.{seconds:010}.{}", host());
    let mut path = folder.join(&name);
    for number in 1..u32::MAX {
        match File::create_new(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                path = folder.join(format!("{name}.{number}"));
            }
            Err(source) => return Err(Error::io(&path, source)),
        }
    }
    Err(Error::io(&path, io::Error::other("too many event files of one second")))
}

/// The name of this machine for the file name, from the environment or `/etc/hostname`.
fn host() -> String {
    let variable = ["HOSTNAME", "COMPUTERNAME"].iter().find_map(|name| std::env::var(name).ok());
    let name = variable.or_else(|| std::fs::read_to_string("/etc/hostname").ok()).unwrap_or_default();
    let plain = |character: &char| character.is_ascii_alphanumeric() || ['-', '_'].contains(character);
    let name: String = name.trim().chars().filter(plain).take(64).collect();
    if name.is_empty() { "localhost".to_owned() } else { name }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::record::read_records;
    use super::*;

    /// The records of a file without their times, which fill the first nine bytes.
    fn events(path: &Path) -> Vec<Vec<u8>> {
        let records = read_records(&std::fs::read(path).unwrap()).unwrap();
        records.into_iter().map(|record| record[9..].to_vec()).collect()
    }

    fn untimed(step: u64, what: &What<'_>) -> Vec<u8> {
        encode(UNIX_EPOCH, step, what)[9..].to_vec()
    }

    #[test]
    fn a_file_holds_its_version_and_then_the_scalars() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = EventWriter::create(folder.path(), None).unwrap();
        writer.scalar(1, "train/loss", 2.5).unwrap();
        writer.scalar(200, "eval/f1", 0.75).unwrap();
        writer.flush().unwrap();
        let expected = [
            untimed(0, &What::FileVersion),
            untimed(1, &What::Scalar { tag: "train/loss", value: 2.5 }),
            untimed(200, &What::Scalar { tag: "eval/f1", value: 0.75 }),
        ];
        assert_eq!(events(writer.path()), expected);
    }

    #[test]
    fn a_resumed_run_gets_a_new_file_that_starts_after_the_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let first = EventWriter::create(folder.path(), None).unwrap();
        let second = EventWriter::create(folder.path(), Some(40)).unwrap();
        assert_ne!(first.path(), second.path());
        for writer in [&first, &second] {
            let name = writer.path().file_name().unwrap().to_str().unwrap();
            assert!(name.starts_with("events.out.tfevents."), "{name}");
        }
        assert_eq!(events(second.path())[1], untimed(41, &What::Restart));
    }

    #[test]
    fn a_missing_folder_is_an_error() {
        assert!(matches!(EventWriter::create("/no/such/folder", None), Err(Error::Io { .. })));
    }
}
