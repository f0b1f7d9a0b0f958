//! A run that is interrupted, in whatever way, and resumed ends as if nothing had happened.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::common::{Bench, bytes, trained};

const ADAPTER: &str = "adapter_model.safetensors";

/// The run that nothing interrupted.
const WHOLE: &str = "run";

/// The step of the last whole line of `metrics.jsonl`.
fn logged(run: &Path) -> u64 {
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let last = whole.lines().last().and_then(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    last.and_then(|line| line["step"].as_u64()).unwrap_or(0)
}

/// Starts a run and returns once it has logged `step`.
fn start_until(bench: &Bench, name: &str, step: u64) -> Child {
    let out = bench.path(name);
    let arguments = ["train", "--config", "config.toml", "--quiet", "--resume", "--out", out.to_str().unwrap()];
    let mut child = bench.command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(120);
    while logged(&out) < step {
        assert!(Instant::now() < deadline, "no step {step} in time");
        assert!(child.try_wait().unwrap().is_none(), "the run ended before step {step}");
        std::thread::sleep(Duration::from_millis(1));
    }
    child
}

fn train(bench: &Bench, name: &str, more: &[&str]) {
    let out = bench.path(name);
    let arguments = [&["train", "--config", "config.toml", "--quiet", "--out", out.to_str().unwrap()], more].concat();
    bench.ok(&arguments);
}

fn assert_same_end(bench: &Bench, whole: &str, resumed: &str) {
    for file in [
        ADAPTER,
        "best/adapter_model.safetensors",
        "checkpoints/step-24/optimizer.safetensors",
        "checkpoints/step-24/state.json",
    ] {
        let same = bytes(&bench.path(whole).join(file)) == bytes(&bench.path(resumed).join(file));
        assert!(same, "{file} differs between {whole} and {resumed}");
    }
}

#[test]
fn sigkill_at_any_step_and_resume_ends_in_the_same_bytes() {
    let bench = trained();
    // Before the first checkpoint, right after one, at a validation, and several times in one run.
    for kills in [&[2][..], &[5], &[8], &[11, 19], &[3, 6, 7, 16, 22]] {
        let name = format!("killed-{kills:?}");
        for &step in kills {
            let mut child = start_until(&bench, &name, step);
            child.kill().unwrap();
            child.wait().unwrap();
        }
        train(&bench, &name, &["--resume"]);
        assert_same_end(&bench, WHOLE, &name);
        let log = |run: &str| std::fs::read_to_string(bench.path(run).join("metrics.jsonl")).unwrap();
        let steps = |run: &str| {
            log(run)
                .lines()
                .map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap()["step"].clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(steps(WHOLE), steps(&name), "each step is logged once");
    }
}

#[cfg(unix)]
#[test]
fn sigint_saves_and_exits_130() {
    let bench = trained();
    let mut child = start_until(&bench, "stopped", 7);
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let steps: Vec<_> = std::fs::read_dir(bench.path("stopped/checkpoints")).unwrap().flatten().collect();
    assert!(!steps.is_empty(), "the state was saved");
    train(&bench, "stopped", &["--resume"]);
    assert_same_end(&bench, WHOLE, "stopped");
}

/// The exit status of a run that gets SIGTERM while it waits for its training data, which come through a pipe that stays empty.
#[cfg(unix)]
fn stopped_while_loading() -> std::process::ExitStatus {
    let bench = Bench::new();
    assert!(std::process::Command::new("mkfifo").arg(bench.path("pipe.bio")).status().unwrap().success());
    let call = ["train", "--config", "config.toml", "-q", "--out", "run", "--set", "tasks.0.train=pipe.bio"];
    let mut child = bench.command(&call).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // A pipe can be opened for writing once it is opened for reading.
    let _pipe = std::fs::OpenOptions::new().write(true).open(bench.path("pipe.bio")).unwrap();
    assert!(std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match child.try_wait().unwrap() {
            Some(status) => return status,
            None if Instant::now() > deadline => {
                child.kill().unwrap();
                return child.wait().unwrap();
            }
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

#[cfg(unix)]
#[test]
fn a_signal_while_loading_ends_the_process_at_once() {
    use std::os::unix::process::ExitStatusExt;
    // Not SIGINT: a shell that runs the tests in the background makes every process below it ignore that.
    assert_eq!(stopped_while_loading().signal(), Some(15));
}

#[test]
fn a_run_can_do_without_test_data_from_now_on() {
    let bench = trained();
    std::fs::remove_file(bench.path("home.test.bio")).unwrap();
    let resume = ["train", "--config", "config.toml", "-q", "--resume", "--out", "run"];
    let message = bench.fails(1, &resume);
    assert!(message.contains("tasks.1.test: ") && message.contains("tasks.1.test = \"none\""), "{message}");
    for word in ["none", ""] {
        bench.ok(&[&resume[..], &["--set", &format!("tasks.1.test={word}")]].concat());
        let config = std::fs::read_to_string(bench.path("run/config.toml")).unwrap();
        assert_eq!(config.matches("\ntest = ").count(), 1, "only the other task has test data: {config}");
    }
}

#[test]
fn one_seed_gives_the_same_bytes_and_another_seed_others() {
    let bench = trained();
    train(&bench, "second", &["--threads", "1"]);
    train(&bench, "other", &["--set", "seed=8"]);
    assert_same_end(&bench, WHOLE, "second");
    assert_ne!(bytes(&bench.path(WHOLE).join(ADAPTER)), bytes(&bench.path("other").join(ADAPTER)));
}

#[test]
fn a_damaged_checkpoint_is_refused_by_name() {
    let bench = trained();
    let file = bench.path("run/checkpoints/step-24/optimizer.safetensors");
    let mut content = bytes(&file);
    let last = content.len() - 1;
    content[last] ^= 1;
    std::fs::write(&file, content).unwrap();
    let out = bench.path("run");
    let message =
        bench.fails(1, &["train", "--config", "config.toml", "--quiet", "--resume", "--out", out.to_str().unwrap()]);
    assert!(message.contains("optimizer.safetensors"), "{message}");
}
