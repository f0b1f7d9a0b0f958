//! Existing work is never damaged: a command that is refused or fails leaves every byte as it was, and outputs go through links and
//! pipes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
#![cfg(unix)]

mod common;

use std::fs;
use std::path::Path;
use std::process::Stdio;

use common::tree::tree;
use common::{Bench, bytes};
use hyperloader::files::FolderLock;

const PRETRAIN: &str = "\n[pretrain]\nvocab_size = 400\ncopy_fraction = 0.5\nmax_steps = 2\nbatch_size = 4\nwarmup_steps = 1\n\
                        schedule = \"constant\"\n\
                        [pretrain.shape]\nd_model = 16\nd_kv = 4\nd_ff = 24\nnum_layers = 1\nnum_heads = 4\n";

/// A bench with a short run, and in `work` everything that a command could damage.
fn bench() -> Bench {
    let bench = Bench::new();
    let short = fs::read_to_string(bench.path("config.toml")).unwrap().replace("max_steps = 24", "max_steps = 4");
    let short = short.replace("save_steps = 5", "save_steps = 2").replace("eval_steps = 8", "eval_steps = 2");
    fs::write(bench.path("config.toml"), &short).unwrap();
    fs::write(bench.path("both.toml"), short + PRETRAIN).unwrap();
    fs::create_dir_all(bench.path("work/mine")).unwrap();
    bench.ok(&["train", "--config", "config.toml", "-q", "--out", "work/run"]);
    fs::write(bench.path("work/mine/config.toml"), "seed = 3 # my own\n").unwrap();
    fs::write(bench.path("work/file"), "a file, not a folder\n").unwrap();
    fs::write(bench.path("work/corpus.bio"), "O\tfly\nO\tto\nB-city\trome\n\n").unwrap();
    fs::write(bench.path("work/bad.bio"), "O\tfly\nrome\n\n").unwrap();
    bench
}

/// Runs each call, given as one line, with its exit code, and compares the folder `work` before and after.
fn change_nothing(bench: &Bench, calls: &[(i32, &str)]) {
    for (code, line) in calls {
        let before = tree(&bench.path("work"));
        let message = bench.fails(*code, &line.split(' ').collect::<Vec<_>>());
        assert!(message.contains("error"), "{line}: {message}");
        let after = tree(&bench.path("work"));
        let names: Vec<_> =
            before.keys().chain(after.keys()).filter(|name| before.get(*name) != after.get(*name)).collect();
        assert!(names.is_empty(), "{line}: changed {names:?}");
    }
}

#[test]
fn a_refused_or_failed_training_changes_nothing() {
    let bench = bench();
    bench.ok(&["compile", "work/run", "--task", "home", "--out", "work/compiled"]);
    change_nothing(
        &bench,
        &[
            (2, "train --config config.toml --out work/run"),
            (2, "train --config config.toml --out work/run --resume --set peft.0.r=4"),
            (2, "train --config config.toml --out work/run --resume --set train.max_steps=3"),
            (2, "train --config config.toml --out work/run --resume --set tasks.0.train=home.train.bio"),
            (1, "train --config config.toml --out work/run --resume --set tasks.0.train=none.bio"),
            (
                1,
                "train --config config.toml --out work/run --resume --set train.max_steps=9 --set tasks.0.validation=none.bio",
            ),
            (2, "train --config config.toml --out work/mine"),
            (2, "train --config config.toml --out work/mine --resume"),
            (2, "train --config config.toml --out work/compiled"),
            (2, "train --config config.toml --out work/compiled --resume"),
            (1, "train --config config.toml --out work/file/run"),
            (1, "train --config config.toml --out work/new --set tasks.0.train=none.bio"),
            (1, "train --config config.toml --out work/deep/new --set tasks.0.train=work/bad.bio"),
            (1, "train --config config.toml --out work/new --set model.tokenizer=work/file"),
            (2, "train --config config.toml --out work/new --set model.name=./none"),
            (2, "train --config config.toml --out work/new --set peft.0.target_modules=[\"none\"]"),
            (1, "train --config config.toml --out work/new --set train.learning_rate=1e38 --set train.warmup_steps=0"),
        ],
    );
}

#[test]
fn a_refused_or_failed_pretraining_changes_nothing() {
    let bench = bench();
    bench.ok(&["pretrain", "--config", "both.toml", "-q", "--out", "work/backbone"]);
    // A model folder that someone else made: pretraining may start from it, and not end in it.
    fs::create_dir(bench.path("work/model")).unwrap();
    for file in ["config.json", "model.safetensors", "tokenizer.json"] {
        fs::copy(bench.path("work/backbone").join(file), bench.path("work/model").join(file)).unwrap();
    }
    fs::write(bench.path("text.txt"), "another text\nof two lines\n").unwrap();
    change_nothing(
        &bench,
        &[
            (2, "pretrain --config both.toml --out work/backbone"),
            (2, "pretrain --config both.toml --out work/backbone --resume --set pretrain.shape.d_model=32"),
            (2, "pretrain --config both.toml --out work/backbone --resume --set pretrain.vocab_size=390"),
            (2, "pretrain --config both.toml --out work/backbone --resume --set pretrain.text=[\"text.txt\"]"),
            (2, "pretrain --config both.toml --out work/backbone --resume --set tasks.0.train=home.train.bio"),
            (2, "pretrain --config both.toml --out work/model"),
            (2, "pretrain --config both.toml --out work/run --resume"),
            (1, "pretrain --config both.toml --out work/new --set pretrain.text=[\"none.txt\"]"),
            (
                2,
                "pretrain --config both.toml --out work/new --set pretrain.shape.d_kv=5 --set pretrain.config=t5-small",
            ),
            (1, "pretrain --config both.toml --out work/file/new"),
            (2, "train --config config.toml --out work/backbone --resume"),
        ],
    );
    let message = bench.fails(2, &["train", "--config", "config.toml", "--out", "work/backbone", "--resume"]);
    assert!(
        message.starts_with("error: work/backbone: this is a folder of pretrain, and train cannot continue it"),
        "{message}"
    );
    assert_eq!(message.lines().count(), 1);
    // The text changed in its place.
    let data = fs::read_to_string(bench.path("home.train.bio")).unwrap();
    fs::write(bench.path("home.train.bio"), data + "word\tO\n\n").unwrap();
    change_nothing(&bench, &[(2, "pretrain --config both.toml --out work/backbone --resume")]);
}

#[test]
fn other_verbs_that_are_refused_or_fail_change_nothing() {
    let bench = bench();
    change_nothing(
        &bench,
        &[
            (2, "compile work/run --task home --out work/mine"),
            (2, "compile work/run --task home --out -"),
            (2, "compile work/run --task none --out work/deep/new"),
            (2, "compile work/mine --task home --out work/new"),
            (1, "compile work/run --task home --out work/file/new"),
            (2, "export work/run --task home --format adapterhub --out work/mine"),
            (1, "export work/run --task home --format peft --out work/deep/new"),
            (2, "export work/run --task home --format hf --out work/new"),
            (2, "import work/file --config config.toml --out work/mine"),
            (1, "import work/file --config config.toml --out work/deep/new"),
            (2, "quickstart --out work/mine"),
            (1, "quickstart --out work/file/new"),
            (2, "eval work/run --task none"),
            (2, "eval work/mine"),
            (2, "predict work/run --task none work/file"),
            (1, "predict work/run --task home work/none.txt"),
            (1, "data convert work/bad.bio work/file --to jsonl"),
            (1, "data convert work/corpus.bio work/none/new.jsonl --to jsonl"),
            (1, "data convert work/corpus.bio work/mine --to jsonl"),
            (1, "data convert work/corpus.bio work/file/new --to seq"),
            (1, "data convert work/corpus.bio work/deep/new --to mtop"),
            (1, "data convert work/corpus.bio - --to seq"),
            (2, "data convert work/corpus.bio work/corpus.bio --to jsonl"),
            (1, "data sample work/bad.bio -n 1 --out work/file --to bio"),
            (1, "data sample work/corpus.bio -n 1 --out work/none/new.bio --to bio"),
            (2, "data sample work/corpus.bio -n 1 --out work/corpus.bio --to bio"),
        ],
    );
}

#[test]
fn a_refused_or_failed_adaptation_changes_nothing() {
    let bench = bench();
    bench.ok(&["compile", "work/run", "--task", "home", "--out", "work/compiled"]);
    fs::write(bench.path("work/plain.bio"), "O\tfly\nO\tto\nO\trome\n\n").unwrap();
    let short = ["--set", "train.max_steps=2", "-q"];
    let new = ["adapt", "work/run", "--task", "new", "--data", "work/corpus.bio", "--out", "work/adapted"];
    bench.ok(&[&new[..], &short].concat());
    fs::create_dir_all(bench.path("work/unfinished")).unwrap();
    for file in ["config.toml", "tags.json"] {
        fs::copy(bench.path("work/run").join(file), bench.path("work/unfinished").join(file)).unwrap();
    }
    change_nothing(
        &bench,
        &[
            (2, "adapt work/run --task home --data work/corpus.bio --out work/new"),
            (2, "adapt work/adapted --task new --data work/corpus.bio --out work/new"),
            (2, "adapt work/run --task a/b --data work/corpus.bio --out work/new"),
            (2, "adapt work/run --task other --data work/corpus.bio --out work/run"),
            (2, "adapt work/run --task other --data work/corpus.bio --out work/run --resume"),
            (2, "adapt work/run --task other --data work/corpus.bio --out work/adapted"),
            (2, "adapt work/run --task other --data work/corpus.bio --out work/adapted --resume"),
            (2, "adapt work/run --task new --data work/corpus.bio --out work/adapted --resume --unfreeze heads"),
            (2, "adapt work/run --task new --data home.train.bio --out work/adapted --resume --set train.max_steps=2"),
            (2, "train --config work/adapted/config.toml --out work/adapted --resume"),
            (2, "adapt work/run --task new --data work/corpus.bio --out work/mine"),
            (1, "adapt work/run --task new --data work/corpus.bio --out work/file/new"),
            (1, "adapt work/run --task new --data none.bio --out work/new"),
            (1, "adapt work/run --task new --data work/corpus.bio --validation none.bio --out work/new"),
            (1, "adapt work/run --task new --data work/bad.bio --out work/deep/new"),
            (1, "adapt work/run --task new --data work/plain.bio --out work/new"),
            (2, "adapt work/none --task new --data work/corpus.bio --out work/new"),
            (2, "adapt work/mine --task new --data work/corpus.bio --out work/new"),
            (2, "adapt work/unfinished --task new --data work/corpus.bio --out work/new"),
            (2, "adapt work/compiled --task new --data work/corpus.bio --out work/new"),
            (2, "adapt work/run --task new --data work/corpus.bio --out work/new --set peft.0.r=4"),
            (2, "adapt work/run --task new --data work/corpus.bio --out work/new --set seed=3"),
            (2, "adapt work/run --task new --data work/corpus.bio --out work/new --set tasks.0.prefix=tag"),
            (2, "adapt work/run --task new --data work/corpus.bio --out work/new --set train.max_stps=3"),
            (2, "adapt work/run --task new --data work/corpus.bio --out work/new --set task.formt=bio"),
            (
                1,
                "adapt work/run --task new --data work/corpus.bio --unfreeze heads --out work/new --set train.learning_rate=1e38",
            ),
        ],
    );
}

#[test]
fn a_start_that_failed_or_was_killed_early_is_no_run() {
    let bench = bench();
    bench.fails(1, &["train", "--config", "config.toml", "--out", "new", "--set", "tasks.0.train=none.bio"]);
    assert!(!bench.path("new").exists());
    bench.ok(&["train", "--config", "config.toml", "-q", "--out", "new"]);
    fs::create_dir_all(bench.path("killed/checkpoints/step-2.tmp-12-aB7x")).unwrap();
    for file in ["config.toml", "tags.json", "metrics.jsonl"] {
        fs::copy(bench.path("new").join(file), bench.path("killed").join(file)).unwrap();
    }
    bench.ok(&["train", "--config", "config.toml", "-q", "--out", "killed"]);
    let weights = |run: &str| bytes(&bench.path(run).join("adapter_model.safetensors"));
    assert_eq!(weights("killed"), weights("new"));
    assert!(!bench.path("killed/checkpoints/step-2.tmp-12-aB7x").exists());
}

#[test]
fn a_second_process_on_a_folder_is_refused_until_the_first_is_gone() {
    let bench = bench();
    let lock = FolderLock::take(bench.path("work/run")).unwrap();
    fs::create_dir(bench.path("work/model.tmp-12-aB7x")).unwrap();
    let building = FolderLock::take(bench.path("work/model.tmp-12-aB7x")).unwrap();
    let calls = [
        "train --config config.toml --out work/run --resume",
        "pretrain --config both.toml --out work/run --resume",
        "compile work/run --task home --out work/model",
        "export work/run --task home --format adapterhub --out work/model",
    ];
    for line in calls {
        let message = bench.fails(2, &line.split(' ').collect::<Vec<_>>());
        assert!(message.contains("another process is writing") && message.contains("work/"), "{message}");
    }
    change_nothing(&bench, &calls.map(|line| (2, line)));
    drop((lock, building));
    bench.ok(&["train", "--config", "config.toml", "-q", "--out", "work/run", "--resume"]);
    bench.ok(&["compile", "work/run", "--task", "home", "--out", "work/model"]);
    assert!(!bench.path("work/model.tmp-12-aB7x").exists(), "what the killed process left is gone");
}

#[test]
fn a_run_may_be_longer_and_its_data_may_move() {
    let bench = bench();
    fs::create_dir(bench.path("moved")).unwrap();
    fs::copy(bench.path("travel.train.bio"), bench.path("moved/travel.bio")).unwrap();
    let resume = ["train", "--config", "config.toml", "--out", "work/run", "--resume"];
    let moved = ["--set", "tasks.0.train=moved/travel.bio", "--set", "train.max_steps=6"];
    let output = bench.run(&[&resume[..], &moved].concat());
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{message}");
    assert!(message.contains("train.max_steps: 4 in the run, 6 now"), "the change is listed: {message}");
    assert!(fs::read_to_string(bench.path("work/run/config.toml")).unwrap().contains("moved/travel.bio"));
    let data = fs::read_to_string(bench.path("moved/travel.bio")).unwrap();
    let changed = data.replacen("to\tO\n", "from\tO\n", 1);
    assert_ne!(changed, data);
    fs::write(bench.path("moved/travel.bio"), changed).unwrap();
    let message = bench.fails(2, &[&resume[..], &moved].concat());
    assert!(message.contains("tasks.0.train"), "{message}");
}

#[test]
fn a_resumed_pretraining_keeps_its_tokenizer_and_ends_as_if_it_had_not_stopped() {
    let bench = bench();
    let pretrain = |out: &str, more: &[&str]| {
        bench.ok(&[&["pretrain", "--config", "both.toml", "-q", "--out", out], more].concat());
    };
    pretrain("whole", &["--set", "pretrain.max_steps=4"]);
    pretrain("resumed", &[]);
    let tokenizer = bytes(&bench.path("resumed/tokenizer.json"));
    pretrain("resumed", &["--resume", "--set", "pretrain.max_steps=4"]);
    assert_eq!(bytes(&bench.path("resumed/tokenizer.json")), tokenizer);
    for file in ["model.safetensors", "config.json", "tokenizer.json", "checkpoints/step-4/state.json"] {
        assert_eq!(bytes(&bench.path("whole").join(file)), bytes(&bench.path("resumed").join(file)), "{file}");
    }
    // A tokenizer that someone put there is not the one of the weights.
    fs::copy(bench.path("tokenizer.json"), bench.path("resumed/tokenizer.json")).unwrap();
    let again =
        ["pretrain", "--config", "both.toml", "-q", "--out", "resumed", "--resume", "--set", "pretrain.max_steps=4"];
    let message = bench.fails(1, &again);
    assert!(message.contains("resumed/tokenizer.json") && message.contains("manifest.json"), "{message}");
    // Nor is it in a run of an older version, which has no manifest.
    fs::remove_file(bench.path("resumed/manifest.json")).unwrap();
    bench.fails(2, &again);
}

#[test]
fn an_old_checkpoint_without_hashes_is_continued() {
    let bench = bench();
    bench.ok(&["pretrain", "--config", "both.toml", "-q", "--out", "work/backbone"]);
    for run in ["work/run", "work/backbone"] {
        let folder = bench.path(run).join("checkpoints").join(if run == "work/run" { "step-4" } else { "step-2" });
        let state = fs::read_to_string(folder.join("state.json")).unwrap();
        let mut state: serde_json::Value = serde_json::from_str(&state).unwrap();
        assert!(state.as_object_mut().unwrap().remove("inputs").is_some());
        let state = serde_json::to_string_pretty(&state).unwrap();
        let files: Vec<_> = fs::read_dir(&folder).unwrap().map(|item| item.unwrap().file_name()).collect();
        let content: Vec<_> = files.iter().map(|name| (name, bytes(&folder.join(name)))).collect();
        hyperloader::files::write_dir_atomic(&folder, |new| {
            content.iter().filter(|(name, _)| *name != "manifest.json").for_each(|(name, content)| {
                fs::write(new.join(name), content).unwrap();
            });
            fs::write(new.join("state.json"), &state).unwrap();
            Ok(())
        })
        .unwrap();
    }
    bench.ok(&[
        "train",
        "--config",
        "config.toml",
        "-q",
        "--out",
        "work/run",
        "--resume",
        "--set",
        "train.max_steps=6",
    ]);
    bench.ok(&[
        "pretrain",
        "--config",
        "both.toml",
        "-q",
        "--out",
        "work/backbone",
        "--resume",
        "--set",
        "pretrain.max_steps=4",
    ]);
}

#[test]
fn eval_prints_scores_where_it_cannot_write() {
    let bench = bench();
    fs::write(bench.path("work/run/eval"), "in the way\n").unwrap();
    let before = tree(&bench.path("work"));
    let output = bench.run(&["eval", "work/run"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stdout).contains("average micro-F1 on test"));
    assert!(String::from_utf8_lossy(&output.stderr).contains("scores are not kept in eval/"));
    assert!(before == tree(&bench.path("work")), "not half of the files is written");
}

#[test]
fn a_cache_that_cannot_be_written_costs_no_result() {
    let bench = bench();
    fs::remove_dir_all(bench.path("cache")).unwrap();
    fs::write(bench.path("cache"), "in the way\n").unwrap();
    let output = bench.run(&["train", "--config", "config.toml", "--out", "new"]);
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && message.contains("cache"), "{message}");
}

#[test]
fn outputs_go_through_stdout_links_and_pipes() {
    let bench = bench();
    let json = "{\"tokens\":[\"fly\",\"to\",\"rome\"],\"tags\":[\"O\",\"O\",\"B-city\"]}\n";
    for out in ["-", "/dev/stdout"] {
        assert_eq!(bench.ok(&["data", "convert", "work/corpus.bio", out, "--to", "jsonl"]), json);
    }
    assert_eq!(bench.ok(&["data", "sample", "work/corpus.bio", "-n", "1", "--out", "-", "--to", "jsonl"]), json);
    // Stdout is a file: it gets the text, and stays the file that the shell opened.
    for out in ["-", "/dev/stdout", "redirected"] {
        let file = fs::File::create(bench.path("redirected")).unwrap();
        let mut command = bench.command(&["data", "convert", "work/corpus.bio", out, "--to", "jsonl"]);
        assert!(command.stdout(Stdio::from(file)).stderr(Stdio::null()).status().unwrap().success());
        assert_eq!(fs::read_to_string(bench.path("redirected")).unwrap(), json, "{out}");
    }
    assert!(fs::symlink_metadata("/dev/stdout").unwrap().is_symlink());
    through_links_and_pipes(&bench, json);
}

fn through_links_and_pipes(bench: &Bench, json: &str) {
    let convert = |out: &str| bench.ok(&["data", "convert", "work/corpus.bio", out, "--to", "jsonl"]);
    fs::create_dir(bench.path("real")).unwrap();
    fs::write(bench.path("real/target.jsonl"), "old\n").unwrap();
    std::os::unix::fs::symlink("real/target.jsonl", bench.path("link.jsonl")).unwrap();
    convert("link.jsonl");
    assert!(fs::symlink_metadata(bench.path("link.jsonl")).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(bench.path("real/target.jsonl")).unwrap(), json);
    assert!(std::process::Command::new("mkfifo").arg(bench.path("pipe")).status().unwrap().success());
    let pipe = bench.path("pipe");
    let reader = std::thread::spawn(move || fs::read_to_string(pipe).unwrap());
    convert("pipe");
    assert_eq!(reader.join().unwrap(), json);
    assert!(is_pipe(&bench.path("pipe")));
}

fn is_pipe(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    fs::symlink_metadata(path).unwrap().file_type().is_fifo()
}
