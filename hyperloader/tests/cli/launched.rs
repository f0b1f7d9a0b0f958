//! Several processes that a launcher such as `torchrun` started: they find each other by the variables that it sets.

use std::net::TcpListener;
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

use super::common::{Bench, bytes};

/// Processes 0, 1, … of one world, each with its arguments.
struct Launched {
    processes: Vec<Child>,
}

impl Drop for Launched {
    /// A test that fails leaves no processes behind.
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Launched {
    fn start(bench: &Bench, arguments: &[&[&str]]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
        let size = arguments.len().to_string();
        let start = |(rank, arguments): (usize, &&[&str])| {
            let mut command = bench.command(arguments);
            command.env("RANK", rank.to_string()).env("LOCAL_RANK", rank.to_string()).env("WORLD_SIZE", &size);
            command.env("MASTER_ADDR", "localhost").env("MASTER_PORT", &port);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        Self { processes: arguments.iter().enumerate().map(start).collect() }
    }

    /// Waits until all have ended.
    fn outputs(mut self) -> Vec<Output> {
        self.processes.drain(..).map(|process| process.wait_with_output().unwrap()).collect()
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const TRAIN: [&str; 8] = ["train", "--config", "config.toml", "--quiet", "--threads", "1", "--device", "cpu"];

const ONE: [&str; 2] = ["--set", "train.gradient_accumulation_steps=1"];

#[test]
fn two_processes_end_in_the_bytes_of_one_with_two_micro_batches() {
    let bench = Bench::new();
    bench.ok(&[&TRAIN[..], &["--out", "one"]].concat());
    let arguments = [&TRAIN[..], &ONE, &["--out", "two"]].concat();
    let outputs = Launched::start(&bench, &[&arguments, &arguments]).outputs();
    for output in &outputs {
        assert!(output.status.success(), "{}", stderr(output));
    }
    let lines = |output: &Output| String::from_utf8_lossy(&output.stdout).lines().count();
    assert_eq!((lines(&outputs[0]), lines(&outputs[1])), (1, 0), "rank 0 alone speaks");
    let weights = |run: &str| bytes(&bench.path(run).join("adapter_model.safetensors"));
    assert!(weights("one") == weights("two"));
}

#[test]
fn a_process_with_another_configuration_is_named_and_all_end() {
    let bench = Bench::new();
    let first = [&TRAIN[..], &ONE, &["--out", "run"]].concat();
    let other = [&first[..], &["--set", "tasks.0.train=travel.test.bio"]].concat();
    let outputs = Launched::start(&bench, &[&first, &other]).outputs();
    assert!(outputs.iter().all(|output| output.status.code() == Some(1)), "{outputs:?}");
    assert!(stderr(&outputs[0]).contains("error: rank 1 of 2 has another tasks.0.train than rank 0"), "{outputs:?}");
    assert_eq!(stderr(&outputs[1]), "", "it is said once");
    assert!(!bench.path("run").exists());
}

#[test]
fn a_process_that_fails_by_itself_ends_the_others() {
    let bench = Bench::new();
    let first = [&TRAIN[..], &ONE, &["--out", "run"]].concat();
    let other = [&first[..], &["--set", "tasks.0.train=nowhere.bio"]].concat();
    let outputs = Launched::start(&bench, &[&first, &other]).outputs();
    let said: Vec<String> = outputs.iter().map(stderr).collect();
    assert!(said[1].contains("rank 1 of 2 has failed") && said[1].contains("nowhere.bio"), "{said:?}");
    assert!(outputs.iter().all(|output| !output.status.success()), "{said:?}");
}

#[cfg(unix)]
#[test]
fn a_killed_process_ends_all_within_ten_seconds() {
    for killed in [0, 1] {
        let bench = Bench::new();
        let arguments = [&TRAIN[..], &ONE, &["--out", "run", "--set", "train.max_steps=100000"]].concat();
        let mut launched = Launched::start(&bench, &[&arguments[..]; 3]);
        let start = Instant::now();
        while !bench.path("run/best").exists() {
            assert!(start.elapsed() < Duration::from_secs(120), "no checkpoint");
            std::thread::sleep(Duration::from_millis(5));
        }
        launched.processes[killed].kill().unwrap();
        let start = Instant::now();
        let outputs = launched.outputs();
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
        let said: Vec<String> = outputs.iter().map(stderr).collect();
        let first = usize::from(killed == 0);
        assert!(said[first].contains(&format!("error: rank {killed} of 3 is gone")), "{said:?}");
        assert!(outputs.iter().all(|output| !output.status.success()), "{said:?}");
    }
}

#[test]
fn a_variable_that_is_missing_is_named() {
    let bench = Bench::new();
    let mut command = bench.command(&[&TRAIN[..], &["--out", "run"]].concat());
    command.env("RANK", "0").env("WORLD_SIZE", "2").env_remove("MASTER_ADDR");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("RANK and WORLD_SIZE are set, MASTER_ADDR is not"), "{}", stderr(&output));
}
