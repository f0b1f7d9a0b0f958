//! Who works on what: several processes, also on several machines with one folder, share the cells of a suite.

use std::path::Path;
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
#[must_use = "the claim ends when this is dropped"]
pub(super) struct Claim {
    _lock: FolderLock,
}

impl Claim {
    /// Claims `name` in the suite folder `suite`; `None` if another process, or another thread of this one, has it.
    ///
    /// # Errors
    /// If the folder of the claim cannot be made.
    pub(super) fn take(suite: &Path, name: &str) -> Result<Option<Self>> {
        let folder = suite.join(CLAIMS).join(name.replace(['/', '\\'], "."));
        create_folders(&folder)?.keep();
        Ok(FolderLock::try_take(&folder)?.map(|lock| Self { _lock: lock }))
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
}

/// Removes the folders of claims in the finished suite folder `suite`. What another process holds stays.
pub(super) fn clear_claims(suite: &Path) {
    let claims = suite.join(CLAIMS);
    let Ok(items) = std::fs::read_dir(&claims) else { return };
    for folder in items.flatten().map(|item| item.path()) {
        if let Ok(Some(lock)) = FolderLock::try_take(&folder) {
            // A folder that cannot be removed does no harm.
            let _ = std::fs::remove_dir(&folder);
            drop(lock);
        }
    }
    let _ = std::fs::remove_dir(&claims);
}
