//! The verbs that are disturbed, in a folder that has what they need.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use hyperloader::files::verify_manifest;
use hyperloader::run::RunDir;

use crate::common::{Bench, bytes};

/// A verb that writes `out`, and that can be started again after it was killed.
pub(crate) struct Work {
    pub(crate) name: &'static str,
    /// The arguments; `OUT` is the path that is written.
    arguments: &'static [&'static str],
    /// Whether it goes on from what it has saved.
    pub(crate) resumes: bool,
    /// Whether it refuses a folder that is there.
    refuses: bool,
}

const TRAIN: &[&str] = &["train", "--config", "small.toml", "--quiet", "--resume", "--out", "OUT"];
const PRETRAIN: &[&str] = &["pretrain", "--config", "small.toml", "--quiet", "--resume", "--out", "OUT"];
const COMPILE: &[&str] = &["compile", "done", "--task", "home", "--out", "OUT"];
const EXPORT: &[&str] = &["export", "done", "--task", "home", "--format", "adapterhub", "--out", "OUT"];
const CONVERT: &[&str] = &["data", "convert", "long.bio", "OUT", "--to", "jsonl"];

/// All of them.
pub(crate) const WORK: [Work; 5] = [
    Work { name: "train", arguments: TRAIN, resumes: true, refuses: false },
    Work { name: "pretrain", arguments: PRETRAIN, resumes: true, refuses: false },
    Work { name: "compile", arguments: COMPILE, resumes: false, refuses: true },
    Work { name: "export", arguments: EXPORT, resumes: false, refuses: true },
    Work { name: "convert", arguments: CONVERT, resumes: false, refuses: false },
];

/// Few steps with a checkpoint after every second one, and a backbone to pretrain.
const SMALL: [(&str, &str); 4] = [
    ("max_steps = 24", "max_steps = 6"),
    ("save_steps = 5", "save_steps = 2\nsave_total_limit = 2"),
    ("eval_steps = 8", "eval_steps = 3"),
    ("eval_sentences = 4", "eval_sentences = 1"),
];
const PRETRAINED: &str = r#"
[pretrain]
tokenizer = "tokenizer.json"
max_steps = 6
save_steps = 2
batch_size = 2
warmup_steps = 1
logging_steps = 1

[pretrain.shape]
d_model = 16
d_kv = 4
d_ff = 24
num_layers = 1
num_heads = 4
"#;

/// The folder: the run `done`, the corpus `long.bio`, the configuration `small.toml`.
pub(crate) fn bench() -> Bench {
    let bench = Bench::new();
    let mut config = fs::read_to_string(bench.path("config.toml")).unwrap();
    for (from, to) in SMALL {
        assert!(config.contains(from), "{from}");
        config = config.replace(from, to);
    }
    fs::write(bench.path("small.toml"), config + PRETRAINED).unwrap();
    bench.ok(&["train", "--config", "small.toml", "--quiet", "--out", "done"]);
    let corpus = bytes(&bench.path("home.train.bio"));
    fs::write(bench.path("long.bio"), [corpus, b"\n".to_vec()].concat().repeat(20)).unwrap();
    bench
}

impl Work {
    /// The command, which writes `out`. Its output is thrown away.
    pub(crate) fn command(&self, bench: &Bench, out: &Path) -> Command {
        let out = out.to_str().unwrap();
        let arguments: Vec<_> = self.arguments.iter().map(|text| if *text == "OUT" { out } else { text }).collect();
        let mut command = bench.command(&arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Runs the command to its end, however it ends.
    pub(crate) fn run(&self, bench: &Bench, out: &Path) -> Output {
        self.command(bench, out).stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap()
    }

    /// Runs the command again until `out` is what it should be, which must take one run at most.
    pub(crate) fn repeat(&self, bench: &Bench, out: &Path, when: &str) {
        if self.refuses && out.exists() {
            return;
        }
        let output = self.run(bench, out);
        assert!(output.status.success(), "{when}, then repeated: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Checks that what a disturbed process left in `out` is whole: the result, or nothing, or the newest and the best checkpoint. An
    /// older checkpoint may be half removed.
    pub(crate) fn assert_whole(&self, out: &Path, when: &str) {
        if !self.resumes {
            if out.is_dir() {
                verify_manifest(out).unwrap_or_else(|e| panic!("{when}: {e}"));
            }
            return;
        }
        let run = RunDir::new(out);
        run.last().unwrap_or_else(|e| panic!("{when}: {e}"));
        for path in crate::tree::walk(out) {
            peft_files::check_listed(&path).unwrap_or_else(|e| panic!("{when}: {e}"));
        }
        let best = hyperloader::files::resolve_link(run.best()).unwrap_or_else(|e| panic!("{when}: {e}"));
        best.map(|best| verify_manifest(best).unwrap_or_else(|e| panic!("{when}: {e}")));
    }
}

/// Starts `work` in `out`, which must not exist, and kills it once it has saved `step` but not the last one.
pub(crate) fn until_step(work: &Work, bench: &Bench, out: &Path, step: usize) {
    for _ in 0..20 {
        let mut child = work.command(bench, out).spawn().unwrap();
        while !RunDir::new(out).checkpoint(step).exists() && child.try_wait().unwrap().is_none() {
            std::thread::sleep(std::time::Duration::from_micros(100));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let steps = RunDir::new(out).steps().unwrap();
        if steps.last() == Some(&step) && fs::symlink_metadata(out.join("best")).is_ok() {
            return;
        }
        fs::remove_dir_all(out).unwrap();
    }
    panic!("{}: it is never stopped at step {step}", work.name);
}

/// Copies a folder, links as links.
pub(crate) fn copy(from: &Path, to: &Path) {
    for path in crate::tree::walk(from) {
        let target = to.join(path.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        match fs::read_link(&path) {
            Ok(link) => std::os::unix::fs::symlink(link, target).unwrap(),
            Err(_) => drop(fs::copy(&path, target).unwrap()),
        }
    }
}
