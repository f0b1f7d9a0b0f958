//! A process may be killed at any moment: the work is resumed or repeated, and ends in the bytes of an undisturbed run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use datasets::sample::Rng;
use hyperloader::run::RunDir;

use crate::common::Bench;
use crate::settings::{number, random};
use crate::tree::{assert_no_leftovers, assert_same, content, walk};
use crate::work::{WORK, Work, bench, copy};

/// How often each of [`WORK`] is chosen: those that write most are killed most.
const SHARES: [usize; 10] = [0, 1, 2, 0, 3, 0, 4, 1, 2, 0];

/// An undisturbed run.
struct Whole {
    content: BTreeMap<PathBuf, Vec<u8>>,
    takes: Duration,
    /// How often the folder was seen to change.
    changes: usize,
}

/// When a process is killed: after a part of the whole time, or right after a change in the folder.
#[derive(Debug, Clone, Copy)]
enum Moment {
    After(Duration),
    AtChange(usize),
}

#[test]
fn killed_at_any_moment_all_work_ends_in_the_same_bytes() {
    let (bench, mut random) = (bench(), random("kills"));
    let wholes: Vec<Whole> = WORK.iter().map(|work| whole(&bench, work)).collect();
    let (mut kills, mut hits) = (number("HYPERLOADER_KILLS", 20), BTreeMap::new());
    for attempt in 0.. {
        if kills == 0 {
            break;
        }
        let chosen = SHARES[attempt % SHARES.len()];
        let (work, whole) = (&WORK[chosen], &wholes[chosen]);
        let folder = bench.path(&format!("killed-{attempt}"));
        std::fs::create_dir(&folder).unwrap();
        let out = folder.join("out");
        let mut when = format!("{} (attempt {attempt})", work.name);
        loop {
            let moment = moment(&mut random, whole);
            let hit = kill(work.command(&bench, &out).spawn().unwrap(), &folder, moment);
            when += &format!(", killed {moment:?}");
            *hits.entry((work.name, place(work, &out, hit))).or_insert(0) += 1;
            work.assert_whole(&out, &when);
            kills -= usize::from(hit).min(kills);
            // Some are killed again while they go on.
            if kills == 0 || !hit || random.below(3) > 0 {
                break;
            }
        }
        work.repeat(&bench, &out, &when);
        assert_same(&content(&out), &whole.content, &when);
        assert_no_leftovers(&folder, &when);
        std::fs::remove_dir_all(&folder).unwrap();
    }
    println!("kills, by what was there afterwards:");
    hits.iter().for_each(|((name, place), count)| println!("{count:5}  {name}: {place}"));
}

#[test]
fn killed_right_after_the_last_checkpoint_the_best_is_selected_and_old_ones_go() {
    let bench = bench();
    let (whole, killed) = (bench.path("done"), bench.path("killed"));
    copy(&whole, &killed);
    let run = RunDir::new(&killed);
    std::fs::remove_file(killed.join("adapter_model.safetensors")).unwrap();
    let best = hyperloader::files::resolve_link(run.best()).unwrap().unwrap();
    let other = run.steps().unwrap().into_iter().find(|step| !best.ends_with(format!("step-{step}")));
    run.select(other.unwrap()).unwrap();
    // It was being removed.
    std::fs::create_dir(run.checkpoint(1)).unwrap();
    std::fs::write(run.checkpoint(1).join("state.json"), "{}").unwrap();
    WORK[0].repeat(&bench, &killed, "killed after the last checkpoint");
    assert_same(&content(&killed), &content(&whole), "killed after the last checkpoint");
}

fn whole(bench: &Bench, work: &Work) -> Whole {
    let folder = bench.path(&format!("whole-{}", work.name));
    std::fs::create_dir(&folder).unwrap();
    let out = folder.join("out");
    let (start, mut child) = (Instant::now(), work.command(bench, &out).spawn().unwrap());
    let changes = watch(&mut child, &folder, Moment::AtChange(usize::MAX));
    assert!(child.wait().unwrap().success(), "{}", work.name);
    let takes = start.elapsed();
    println!("{}: {takes:.2?}, {changes} changes seen in the folder", work.name);
    Whole { content: content(&out), takes, changes }
}

fn moment(random: &mut Rng, whole: &Whole) -> Moment {
    match random.below(2) {
        0 => Moment::After(whole.takes.mul_f64(random.unit())),
        _ => Moment::AtChange(1 + random.below(whole.changes.max(1))),
    }
}

/// Kills the process at `moment`; `false` if it ended before.
fn kill(mut child: Child, folder: &Path, moment: Moment) -> bool {
    watch(&mut child, folder, moment);
    let ended = child.try_wait().unwrap().is_some();
    child.kill().unwrap();
    child.wait().unwrap();
    !ended
}

/// Waits until `moment` or the end of the process; returns how often the folder changed.
fn watch(child: &mut Child, folder: &Path, moment: Moment) -> usize {
    let (start, mut seen, mut changes) = (Instant::now(), state(folder), 0);
    while child.try_wait().unwrap().is_none() {
        let now = state(folder);
        changes += usize::from(now != seen);
        seen = now;
        match moment {
            Moment::After(time) if start.elapsed() >= time => break,
            Moment::AtChange(change) if changes >= change => break,
            _ => std::thread::sleep(Duration::from_micros(100)),
        }
    }
    changes
}

/// Names and lengths of all files.
fn state(folder: &Path) -> Vec<(PathBuf, u64)> {
    let length = |path: &PathBuf| std::fs::symlink_metadata(path).map_or(0, |metadata| metadata.len());
    walk(folder).into_iter().map(|path| (path.clone(), length(&path))).collect()
}

/// What the killed process had reached.
fn place(work: &Work, out: &Path, hit: bool) -> &'static str {
    let steps = RunDir::new(out).steps().unwrap_or_default();
    match (hit, work.resumes, steps.last()) {
        (false, ..) => "done before it was killed",
        (true, true, None) if out.exists() => "no checkpoint",
        (true, true, None) => "nothing",
        (true, true, Some(6)) => "the last checkpoint",
        (true, true, Some(_)) => "an earlier checkpoint",
        (true, false, _) if out.exists() => "the result",
        (true, false, _) => "no result",
    }
}
