//! The command under `mpirun`. `OMPI_…` are the settings of OpenMPI for a test: more ranks than cores, started by root.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod common;

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use common::{Bench, bytes};
use serde_json::Value;

/// `mpirun` with the arguments of each of its contexts.
fn mpirun(bench: &Bench, contexts: &[(usize, &[&str])]) -> Command {
    let mut command = Command::new("mpirun");
    for (number, (ranks, arguments)) in contexts.iter().enumerate() {
        command.args((number > 0).then_some(":"));
        command.args(["-n", &ranks.to_string(), env!("CARGO_BIN_EXE_hyperloader")]).args(*arguments);
    }
    command.current_dir(bench.path("")).env("HYPERLOADER_CACHE", bench.path("cache"));
    for name in ["OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "OMPI_MCA_rmaps_base_oversubscribe"] {
        command.env(name, "1");
    }
    command.env("OMPI_MCA_hwloc_base_binding_policy", "none");
    command
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn ok(bench: &Bench, ranks: usize, arguments: &[&str]) -> String {
    let output = mpirun(bench, &[(ranks, arguments)]).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    String::from_utf8(output.stdout).unwrap()
}

const TRAIN: [&str; 6] = ["train", "--config", "config.toml", "--quiet", "--threads", "1"];

fn train<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&TRAIN[..], more].concat()
}

fn weights(bench: &Bench, run: &str) -> Vec<u8> {
    bytes(&bench.path(run).join("adapter_model.safetensors"))
}

#[test]
fn two_ranks_end_in_the_bytes_of_one_process_with_two_micro_batches() {
    let bench = Bench::new();
    bench.ok(&train(&["--out", "one"]));
    let one = "train.gradient_accumulation_steps=1";
    let said = ok(&bench, 2, &train(&["--set", one, "--out", "two"]));
    assert_eq!(said.lines().count(), 1, "rank 0 alone speaks: {said}");
    assert!(weights(&bench, "one") == weights(&bench, "two"));
    ok(&bench, 2, &train(&["--set", one, "--out", "again"]));
    assert!(weights(&bench, "two") == weights(&bench, "again"));
    let scores = |run: &str| {
        let lines = std::fs::read_to_string(bench.path(run).join("metrics.jsonl")).unwrap();
        let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines
            .map(|line| line["validation/average_micro_f1"].clone())
            .filter(|score| !score.is_null())
            .collect::<Vec<_>>()
    };
    assert_eq!((scores("one"), scores("one").len()), (scores("two"), 3));
}

#[test]
fn a_rank_with_other_data_is_named_and_all_end() {
    let bench = Bench::new();
    let first = train(&["--out", "run"]);
    let other = train(&["--out", "run", "--set", "tasks.0.train=travel.test.bio"]);
    let output = mpirun(&bench, &[(1, &first), (1, &other)]).output().unwrap();
    let said = stderr(&output);
    assert!(!output.status.success());
    assert!(said.contains("error: rank 1 of 2 has another tasks.0.train than rank 0"), "{said}");
    assert_eq!(said.matches("has another").count(), 1, "it is said once: {said}");
    assert!(!bench.path("run").exists());
}

/// The processes of this command whose parent is `process`.
fn ranks_of(process: u32) -> Vec<u32> {
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let processes = all.filter_map(|item| item.file_name().to_str()?.parse::<u32>().ok());
    let is_rank = |process_of: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{process_of}/stat")).unwrap_or_default();
        let parent = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)?.parse::<u32>().ok());
        parent == Some(process) && stat.contains("(hyperloader)")
    };
    processes.filter(is_rank).collect()
}

/// Waits for a checkpoint of `run`.
fn await_checkpoint(run: &Path) {
    let start = Instant::now();
    while !run.join("best").exists() {
        assert!(start.elapsed() < Duration::from_secs(120), "no checkpoint in {}", run.display());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_killed_rank_ends_all_and_the_run_goes_on_with_one() {
    let bench = Bench::new();
    let arguments =
        train(&["--out", "run", "--set", "train.max_steps=100000", "--set", "train.gradient_accumulation_steps=1"]);
    let child = mpirun(&bench, &[(2, &arguments)]).stderr(Stdio::piped()).spawn().unwrap();
    await_checkpoint(&bench.path("run"));
    let ranks = ranks_of(child.id());
    assert_eq!(ranks.len(), 2);
    let killed = Command::new("kill").args(["-9", &ranks[1].to_string()]).status().unwrap();
    assert!(killed.success());
    let start = Instant::now();
    let output = child.wait_with_output().unwrap();
    assert!(!output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("rank"), "{}", stderr(&output));
    let runs = |rank: &u32| {
        // A process that has ended may still be listed, as a zombie.
        let stat = std::fs::read_to_string(format!("/proc/{rank}/stat")).unwrap_or_default();
        stat.contains("(hyperloader)") && !stat.contains(") Z ")
    };
    while ranks.iter().any(runs) {
        assert!(start.elapsed() < Duration::from_secs(10), "all have ended");
        std::thread::sleep(Duration::from_millis(20));
    }
    let newest = std::fs::read_dir(bench.path("run/checkpoints")).unwrap().flatten();
    let newest =
        newest.filter_map(|item| item.file_name().to_str()?.strip_prefix("step-")?.parse::<usize>().ok()).max();
    let steps = format!("train.max_steps={}", newest.unwrap() + 2);
    let call = ["train", "--config", "config.toml", "--out", "run", "--resume", "--set", &steps];
    let output = bench.run(&[&call[..], &["--set", "train.gradient_accumulation_steps=2"]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("2 ranks have trained so far, and 1 go on"), "{}", stderr(&output));
}

#[test]
fn the_bench_measures_the_exchange() {
    let bench = Bench::new();
    let arguments = ["bench", "--config", "config.toml", "--steps", "1", "--warmup", "0", "--json", "--threads", "1"];
    let report: Value = serde_json::from_str(&ok(&bench, 2, &arguments)).unwrap();
    assert_eq!(report["ranks"], 2);
    assert!(report["exchange_share"].as_f64().unwrap() > 0. && report["parts"]["exchange"].is_object());
}
