//! Temporary files that killed processes left.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::Path;

use crate::folders::parent;

/// Marks `file` as one that a process still writes, until it is closed. The system frees the lock of a killed process.
///
/// Where files cannot be locked, [`remove_abandoned`] removes nothing.
pub(crate) fn mark_as_written(file: &File) {
    let _ = file.try_lock();
}

/// Removes the temporary files and links for `path`, `<name>.tmp-<process>-<letters>`, whose process was killed.
///
/// What cannot be listed or removed stays: it does no harm.
pub fn remove_abandoned(path: &Path) {
    let (Some(name), Ok(items)) = (path.file_name().and_then(OsStr::to_str), fs::read_dir(parent(path))) else {
        return;
    };
    for item in items.flatten() {
        let (Some(process), Ok(kind)) =
            (item.file_name().to_str().and_then(|item| process_of(item, name)), item.file_type())
        else {
            continue;
        };
        // A link cannot be marked, but it has its temporary name only for a moment.
        let is_abandoned = kind.is_symlink() || kind.is_file() && is_free(&item.path());
        if is_abandoned && !may_run(process) {
            let _ = fs::remove_file(item.path());
        }
    }
}

/// The process in the name `item`, if that is a temporary file for `name`.
fn process_of(item: &str, name: &str) -> Option<u32> {
    let (process, letters) = item.strip_prefix(name)?.strip_prefix(".tmp-")?.split_once('-')?;
    let ours = !letters.is_empty() && letters.bytes().all(|byte| byte.is_ascii_alphanumeric());
    process.parse().ok().filter(|_| ours)
}

/// Whether a process of this number runs here. Where that cannot be found out, the lock alone decides.
fn may_run(process: u32) -> bool {
    process == std::process::id() || Path::new("/proc").join(process.to_string()).exists()
}

/// Whether no process, on this machine or another that shares the folder, has marked the file.
fn is_free(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| file.try_lock().is_ok())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// No process has this number: it is above the highest that Linux gives.
    const GONE: u32 = 4_194_305;

    #[test]
    fn what_a_killed_process_left_goes_with_the_next_write_and_everything_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.jsonl");
        let gone = format!("out.jsonl.tmp-{GONE}-aB3x9Z");
        let held = format!("out.jsonl.tmp-{GONE}-locked");
        let kept = [
            format!("out.jsonl.tmp-{}-aB3x9Z", std::process::id()),
            format!("other.tmp-{GONE}-aB3x9Z"),
            format!("out.jsonl.tmp-{GONE}-"),
            "out.jsonl.tmp-mine".to_owned(),
            held.clone(),
        ];
        kept.iter().chain([&gone]).for_each(|name| fs::write(folder.path().join(name), "half").unwrap());
        let other = File::open(folder.path().join(&held)).unwrap();
        other.try_lock().unwrap();
        crate::write_atomic(&path, |file| std::io::Write::write_all(file, b"whole")).unwrap();
        assert!(!folder.path().join(&gone).exists());
        assert!(kept.iter().all(|name| folder.path().join(name).exists()));
        drop(other);
        remove_abandoned(&path);
        assert!(!folder.path().join(&held).exists());
    }
}
