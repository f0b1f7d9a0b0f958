//! Who works on what: several processes, also on several machines with one folder, share the cells of a suite.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Result;
use crate::files::FolderLock;
use crate::train::Interrupt;
use peft_files::create_folders;

/// The folder of claims in a suite folder.
const CLAIMS: &str = "claims";
/// The time between two looks at what another process holds.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// The right to work on one thing, until it is dropped or its process ends.
#[derive(Debug)]
pub(super) struct Claim {
    folder: PathBuf,
    _lock: FolderLock,
}

impl Claim {
    /// Claims `name` in the suite folder `suite`; `None` if another process, or another thread of this one, has it.
    ///
    /// # Errors
    /// If the folder of the claim cannot be made.
    pub(super) fn take(suite: &Path, name: &str) -> Result<Option<Self>> {
        let folder = suite.join(CLAIMS).join(name.replace(['/', '\\'], "."));
        // Another process may remove it between the two calls.
        for _ in 0..3 {
            create_folders(&folder)?.keep();
            match FolderLock::try_take(&folder) {
                Ok(lock) => return Ok(lock.map(|lock| Self { folder, _lock: lock })),
                Err(_) if !folder.is_dir() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Claims `name` once it is free; `None` if `interrupt` is requested first. `waiting` is called before the first wait.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub(super) fn wait(
        suite: &Path,
        name: &str,
        interrupt: &Interrupt,
        waiting: impl FnOnce(),
    ) -> Result<Option<Self>> {
        let mut waiting = Some(waiting);
        loop {
            if let Some(claim) = Self::take(suite, name)? {
                return Ok(Some(claim));
            }
            if interrupt.is_requested() {
                return Ok(None);
            }
            if let Some(waiting) = waiting.take() {
                waiting();
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// Gives it back after the work is done. Its folder goes, so that a finished suite has none.
    pub(super) fn done(self) {
        // Another process that has the folder open sees that the work is done.
        let _ = std::fs::remove_dir(&self.folder);
        if let Some(claims) = self.folder.parent() {
            let _ = std::fs::remove_dir(claims);
        }
    }
}
