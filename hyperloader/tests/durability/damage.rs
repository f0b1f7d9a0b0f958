//! A byte that changes and a tail that is missing are refused with the file's name, or change no result.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use datasets::sample::Rng;

use crate::common::{Bench, bytes};
use crate::settings::{number, random};
use crate::subjects::{Subject, subjects};
use crate::tree::walk;
use crate::work::{WORK, Work, bench, copy, until_step};

/// One of so many changes is tried on a run that is resumed, which takes a whole process.
const RESUMED: usize = 12;

#[derive(Debug, Clone, Copy)]
enum Change {
    Flip { at: usize, bits: u8 },
    Cut { to: usize },
}

impl Change {
    /// Any change of a file of `length` bytes. Half of them are near its start, where headers are.
    fn draw(random: &mut Rng, length: usize) -> Self {
        const HEADER: usize = 512;
        let within = if random.below(2) == 0 { length } else { length.min(HEADER) };
        match random.below(3) {
            0 => Self::Cut { to: random.below(length) },
            _ => Self::Flip { at: random.below(within), bits: 1 + random.below(255) as u8 },
        }
    }

    fn apply(self, bytes: &[u8]) -> Vec<u8> {
        let mut changed = bytes.to_vec();
        match self {
            Self::Flip { at, bits } => changed[at] ^= bits,
            Self::Cut { to } => changed.truncate(to),
        }
        changed
    }
}

#[test]
fn every_change_is_refused_by_name_or_changes_no_result() {
    let (bench, mut random) = (bench(), random("damage"));
    let subjects = subjects(&bench);
    let expected: Vec<String> =
        subjects.iter().map(|subject| (subject.read)(&bench, &subject.folder).unwrap()).collect();
    let resumed = [Resumed::new(&WORK[0], &bench), Resumed::new(&WORK[1], &bench)];
    let mut verdicts = BTreeMap::new();
    for attempt in 0..number("HYPERLOADER_CORRUPTIONS", 100) {
        let (name, verdict) = if attempt % RESUMED == 0 {
            let resumed = &resumed[attempt / RESUMED % resumed.len()];
            (resumed.name, resumed.change_one(&bench, &mut random))
        } else {
            let chosen = attempt % subjects.len();
            (subjects[chosen].name, change_one(&bench, &subjects[chosen], &expected[chosen], &mut random))
        };
        *verdicts.entry((name, verdict)).or_insert(0) += 1;
    }
    verdicts.iter().for_each(|((name, verdict), count)| println!("{count:5}  {name}: {verdict}"));
}

/// Any file below `folder` with its content and a change of it.
fn draw(folder: &Path, random: &mut Rng) -> (PathBuf, Vec<u8>, Change) {
    let files: Vec<PathBuf> = walk(folder).into_iter().filter(|path| !path.is_symlink()).collect();
    let path = files[random.below(files.len())].clone();
    let content = bytes(&path);
    let change = Change::draw(random, content.len());
    (path, content, change)
}

fn change_one(bench: &Bench, subject: &Subject, expected: &str, random: &mut Rng) -> &'static str {
    let (path, content, change) = draw(&subject.folder, random);
    fs::write(&path, change.apply(&content)).unwrap();
    let read = catch_unwind(AssertUnwindSafe(|| (subject.read)(bench, &subject.folder)));
    fs::write(&path, content).unwrap();
    let when = format!("{}: {change:?} in {}", subject.name, path.display());
    judge(read.unwrap_or_else(|_| panic!("{when}: a panic")), expected, &path, &when)
}

fn judge(read: Result<String, String>, expected: &str, path: &Path, when: &str) -> &'static str {
    let name = path.file_name().unwrap().to_str().unwrap();
    match read {
        Ok(found) => assert!(found == expected, "{when}: not noticed, and the result is another"),
        Err(message) if message.contains(name) => return "refused by name",
        Err(message) => panic!("{when}: the message does not name the file: {message}"),
    }
    "the same result"
}

/// A run that was stopped in the middle, and how it ends when it is resumed.
struct Resumed<'a> {
    work: &'a Work,
    name: &'static str,
    folder: PathBuf,
    end: String,
}

impl<'a> Resumed<'a> {
    fn new(work: &'a Work, bench: &Bench) -> Self {
        let name = if work.name == "train" { "train --resume" } else { "pretrain --resume" };
        let folder = bench.path(&format!("stopped-{}", work.name));
        until_step(work, bench, &folder, 4);
        let whole = bench.path(&format!("resumed-{}", work.name));
        copy(&folder, &whole);
        work.repeat(bench, &whole, name);
        Self { work, name, folder, end: end(&whole) }
    }

    fn change_one(&self, bench: &Bench, random: &mut Rng) -> &'static str {
        let folder = bench.path("changed");
        copy(&self.folder, &folder);
        let (path, content, change) = draw(&folder, random);
        fs::write(&path, change.apply(&content)).unwrap();
        let output = self.work.run(bench, &folder);
        let when = format!("{}: {change:?} in {}", self.name, path.display());
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code().is_some_and(|code| code < 100), "{when}: {:?} {message}", output.status);
        let read = if output.status.success() { Ok(end(&folder)) } else { Err(message.into_owned()) };
        let verdict = judge(read, &self.end, &path, &when);
        fs::remove_dir_all(&folder).unwrap();
        verdict
    }
}

/// What the run ends with: its weights and its last checkpoint.
fn end(run: &Path) -> String {
    let last = crate::tree::content(&run.join("checkpoints/step-6"));
    let weights = ["adapter_model.safetensors", "model.safetensors"].map(|name| fs::read(run.join(name)).ok());
    format!("{last:?} {weights:?} {:?}", fs::read_link(run.join("best")).unwrap())
}
