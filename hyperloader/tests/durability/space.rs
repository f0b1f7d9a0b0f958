//! Files that cannot be written: a limit on their size, a full disk, a folder that is read-only or goes away.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use hyperloader::run::RunDir;

use crate::common::Bench;
use crate::settings::random;
use crate::tree::{assert_no_leftovers, assert_same, content, walk};
use crate::work::{WORK, Work, bench, copy, until_step};

/// The KiB of a disk on which everything has room.
const LARGE: u64 = 64 << 10;
/// The unit of `ulimit -f`.
const BLOCK: u64 = 512;
/// A user without rights.
const NOBODY: u32 = 65534;

/// Fails unless `output` is an error that names a file in `folder`, or success.
fn assert_clean(output: &Output, folder: &Path, when: &str) {
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(!message.contains("panicked"), "{when}: {message}");
    if !output.status.success() {
        assert!(matches!(output.status.code(), Some(1 | 2)), "{when}: {:?} {message}", output.status);
        assert!(message.contains(folder.to_str().unwrap()), "{when}: no file is named: {message}");
    }
}

/// What must be equal if a log could not be written, too.
fn results(out: &Path) -> std::collections::BTreeMap<PathBuf, Vec<u8>> {
    let mut content = content(out);
    content.remove(Path::new("metrics.jsonl"));
    content
}

fn whole(bench: &Bench, work: &Work) -> PathBuf {
    let out = bench.path(&format!("whole-{}", work.name));
    work.repeat(bench, &out, "undisturbed");
    out
}

#[test]
fn a_file_that_may_not_grow_is_named_and_the_work_can_go_on() {
    let bench = bench();
    let mut refused = 0;
    for work in &WORK {
        let whole = whole(&bench, work);
        // Each file is the one that just does not fit.
        let length = |path: &PathBuf| fs::symlink_metadata(path).unwrap().len().saturating_sub(1) / BLOCK;
        let limits: BTreeSet<u64> = walk(&whole).iter().map(length).collect();
        for limit in limits {
            let folder = bench.path(&format!("{}-{limit}", work.name));
            fs::create_dir(&folder).unwrap();
            let out = folder.join("out");
            let when = format!("{}, files of {limit} blocks", work.name);
            let output = limited(work.command(&bench, &out), limit);
            assert_clean(&output, &folder, &when);
            refused += usize::from(!output.status.success());
            work.assert_whole(&out, &when);
            work.repeat(&bench, &out, &when);
            assert_same(&results(&out), &results(&whole), &when);
            assert_no_leftovers(&folder, &when);
        }
    }
    assert!(refused > 2 * WORK.len(), "{refused} were refused");
}

/// Runs the command with files of at most `blocks`, and without the signal that says so.
fn limited(command: Command, blocks: u64) -> Output {
    let script = r#"trap "" XFSZ; ulimit -f "$0"; exec "$@""#;
    let mut shell = Command::new("sh");
    shell.args(["-c", script, &blocks.to_string()]).arg(command.get_program()).args(command.get_args());
    shell.current_dir(command.get_current_dir().unwrap());
    shell.envs(command.get_envs().filter_map(|(key, value)| Some((key, value?))));
    shell.stdin(Stdio::null()).output().unwrap()
}

/// A small file system in `folder`.
struct Disk(PathBuf);

impl Disk {
    /// `None` where this process may not mount.
    fn new(folder: &Path, kilobytes: u64) -> Option<Self> {
        fs::create_dir(folder).unwrap();
        let options = format!("size={kilobytes}k");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(folder).output();
        mounted.is_ok_and(|output| output.status.success()).then(|| Self(folder.to_path_buf()))
    }

    /// Whether the disk could become so large: not if more is on it.
    fn resize(&self, kilobytes: u64) -> bool {
        let options = format!("remount,size={kilobytes}k");
        Command::new("mount").args(["-o", &options]).arg(&self.0).output().unwrap().status.success()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(&self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

#[test]
fn a_full_disk_is_named_and_the_work_can_go_on() {
    const SIZES: usize = 5;
    let (bench, mut random) = (bench(), random("full disk"));
    for work in &WORK {
        let whole = whole(&bench, work);
        let pages = |path: &PathBuf| fs::symlink_metadata(path).unwrap().len().div_ceil(4096);
        let most = 4 * walk(&whole).iter().map(pages).sum::<u64>() as usize;
        for _ in 0..SIZES {
            let kilobytes = 4 + random.below(most) as u64;
            let (folder, when) = (bench.path(&format!("disk-{kilobytes}")), format!("{}, {kilobytes} KiB", work.name));
            let Some(disk) = Disk::new(&folder, kilobytes) else {
                println!("SKIPPED: this process may not mount a tmpfs");
                return;
            };
            let out = folder.join("out");
            let output = work.run(&bench, &out);
            assert_clean(&output, &folder, &when);
            println!("{when}: {}", String::from_utf8_lossy(&output.stderr));
            assert!(disk.resize(LARGE));
            work.assert_whole(&out, &when);
            work.repeat(&bench, &out, &when);
            assert_same(&results(&out), &results(&whole), &when);
            assert_no_leftovers(&folder, &when);
            drop(disk);
            fs::remove_dir(&folder).unwrap();
        }
    }
}

#[test]
fn a_disk_that_fills_up_loses_no_checkpoint() {
    const ROOMS: usize = 4;
    let (bench, mut random) = (bench(), random("disk fills up"));
    for work in WORK.iter().filter(|work| work.resumes) {
        let whole = whole(&bench, work);
        for attempt in 0..ROOMS {
            let folder = bench.path(&format!("{}-disk-{attempt}", work.name));
            let Some(disk) = Disk::new(&folder, LARGE) else {
                println!("SKIPPED: this process may not mount a tmpfs");
                return;
            };
            let out = folder.join("out");
            until_step(work, &bench, &out, 4);
            let least = (4..LARGE).step_by(4).find(|kilobytes| disk.resize(*kilobytes)).unwrap();
            let room = random.below(30) as u64 * 4;
            assert!(disk.resize(least + room));
            let when = format!("{} from step 4, {room} KiB are free", work.name);
            let output = work.run(&bench, &out);
            assert_clean(&output, &folder, &when);
            println!("{when}: {}", String::from_utf8_lossy(&output.stderr));
            work.assert_whole(&out, &when);
            assert!(RunDir::new(&out).last().unwrap() >= Some(4), "{when}: the checkpoint is gone");
            assert!(disk.resize(LARGE));
            work.repeat(&bench, &out, &when);
            assert_same(&results(&out), &results(&whole), &when);
            assert_no_leftovers(&folder, &when);
        }
    }
}

#[test]
fn a_folder_that_may_not_be_written_stays_as_it_is() {
    let bench = bench();
    let is_root = fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    let as_nobody = |command: &mut Command| {
        if is_root {
            command.uid(NOBODY);
        }
    };
    fs::set_permissions(bench.path("."), PermissionsExt::from_mode(0o755)).unwrap();
    let mut version = bench.command(&["--version"]);
    as_nobody(&mut version);
    if !version.output().is_ok_and(|output| output.status.success()) {
        println!("SKIPPED: another user may not start the command");
        return;
    }
    let until = bench.path("stopped");
    until_step(&WORK[0], &bench, &until, 4);
    for work in &WORK {
        let folder = bench.path(&format!("closed-{}", work.name));
        fs::create_dir(&folder).unwrap();
        let out = folder.join("out");
        if work.name == "train" {
            copy(&until, &out);
        }
        let before = content(&folder);
        let close = |mode| {
            fs::set_permissions(&folder, PermissionsExt::from_mode(mode)).unwrap();
            walk(&folder).iter().for_each(|path| {
                fs::set_permissions(path.parent().unwrap(), PermissionsExt::from_mode(mode)).unwrap();
            });
        };
        close(0o555);
        let mut command = work.command(&bench, &out);
        as_nobody(&mut command);
        let output = command.stderr(Stdio::piped()).output().unwrap();
        close(0o755);
        assert_clean(&output, &folder, work.name);
        assert!(!output.status.success(), "{}", work.name);
        assert_same(&content(&folder), &before, work.name);
    }
}

#[test]
fn a_run_whose_folder_goes_away_says_so_and_makes_no_other() {
    let bench = bench();
    for (name, moved) in [("removed", None), ("moved", Some(bench.path("elsewhere")))] {
        let out = bench.path(name);
        let mut command = WORK[0].command(&bench, &out);
        command.args(["--set", "train.max_steps=100000"]).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        while !out.join("checkpoints/step-4").exists() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        match &moved {
            Some(elsewhere) => fs::rename(&out, elsewhere).unwrap(),
            // The run may write while its folder is removed.
            None => while fs::remove_dir_all(&out).is_err() {},
        }
        let output = child.wait_with_output().unwrap();
        assert!(!output.status.success());
        assert_clean(&output, &out, name);
        assert!(!out.exists(), "{name}: {:?}", walk(&out));
        if let Some(elsewhere) = &moved {
            WORK[0].assert_whole(elsewhere, name);
        }
    }
}
