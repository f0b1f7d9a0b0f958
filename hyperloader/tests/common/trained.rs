//! The tiny run, trained once: in `target/tmp`, under a name that changes with the programs that made it.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use super::{Bench, bytes};

/// What the files of the kept run have instead of the path of their folder.
const ROOT: &str = "{ROOT}";

/// The files that name their folder.
const NAMING: [&str; 2] = ["config.toml", "run/config.toml"];

const PREFIX: &str = "trained-";

/// A bench of its own with the trained run in `run`.
pub(crate) fn trained() -> Bench {
    static KEPT: OnceLock<PathBuf> = OnceLock::new();
    let kept = KEPT.get_or_init(kept);
    let bench = Bench { folder: tempfile::tempdir().unwrap() };
    copy(kept, bench.folder.path());
    replace(bench.folder.path(), ROOT, &bench.folder.path().to_string_lossy());
    bench
}

/// The folder of the kept run, which is trained now unless the same programs did it before.
fn kept() -> PathBuf {
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let programs = [PathBuf::from(env!("CARGO_BIN_EXE_hyperloader")), std::env::current_exe().unwrap()];
    let [command, test] = programs.map(|program| crc32c::crc32c(&bytes(&program)));
    let folder = tmp.join(format!("{PREFIX}{command:08x}{test:08x}"));
    if !folder.is_dir() {
        remove_old(tmp);
        let bench = Bench::in_folder(tempfile::Builder::new().prefix("training-").tempdir_in(tmp).unwrap());
        bench.ok(&["train", "--config", "config.toml", "--quiet", "--out", "run"]);
        replace(bench.folder.path(), &bench.folder.path().to_string_lossy(), ROOT);
        // Whole or not at all; another process that was faster made the same.
        let renamed = std::fs::rename(bench.folder.path(), &folder);
        assert!(renamed.is_ok() || folder.is_dir(), "{}: {renamed:?}", folder.display());
    }
    folder
}

/// Removes runs of former programs. A recent one may be in use by a test that still runs.
fn remove_old(tmp: &Path) {
    for entry in std::fs::read_dir(tmp).unwrap().flatten() {
        let age = entry.metadata().and_then(|m| m.modified()).ok().and_then(|time| time.elapsed().ok());
        let is_old = age.is_some_and(|age| age > Duration::from_secs(3600));
        if is_old && entry.file_name().to_string_lossy().starts_with(PREFIX) {
            // Another process may do the same.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

fn replace(folder: &Path, old: &str, new: &str) {
    for name in NAMING {
        let path = folder.join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(old), "{} does not name {old}", path.display());
        // A listed file is written as the command does it, so that its checksum is the new one.
        peft_files::write_listed(path, text.replace(old, new).as_bytes()).unwrap();
    }
}

/// Copies what is in `from` into `to`; links stay links.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (source, target) = {
            let entry = entry.unwrap();
            (entry.path(), to.join(entry.file_name()))
        };
        let kind = std::fs::symlink_metadata(&source).unwrap().file_type();
        if kind.is_dir() {
            copy(&source, &target);
        } else if kind.is_symlink() {
            link(&std::fs::read_link(&source).unwrap(), &source, &target);
        } else {
            std::fs::copy(&source, &target).unwrap();
        }
    }
}

#[cfg(unix)]
fn link(place: &Path, _source: &Path, target: &Path) {
    std::os::unix::fs::symlink(place, target).unwrap();
}

#[cfg(not(unix))]
fn link(_place: &Path, source: &Path, target: &Path) {
    copy(source, target);
}
