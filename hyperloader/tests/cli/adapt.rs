//! A new task for a trained run: it learns, and nothing else changes.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::{Duration, Instant};

use candle_core::{Device, Tensor};
use datasets::read::{Dataset, Format, ReadOptions, read, write};
use hyperloader::model::labelling_batch;
use hyperloader::quickstart::templates::Templates;
use hyperloader::run::RunDir;
use hyperloader::session::Session;
use hyperloader::tasks::SplitName;
use peft_core::Ctx;
use peft_hyper::{Unshared, is_of_task, new_task};
use peft_t5::{T5Batch, shift_right};

use crate::common::tree::tree;
use crate::common::{Bench, bytes, trained};

/// What trains, and what the new task then has of its own.
const CHOICES: [(&str, Option<Unshared>); 3] =
    [("embedding", None), ("conditioning", Some(Unshared::Conditioning)), ("heads", Some(Unshared::Heads))];

/// A trained run, and sentences of a task that it does not know.
fn bench() -> Bench {
    let bench = trained();
    let templates = Templates::load().unwrap();
    let task = templates.tasks.last().unwrap();
    assert!(!["home", "travel"].contains(&task.name.as_str()));
    for (split, count) in [(SplitName::Train, 40), (SplitName::Validation, 6), (SplitName::Test, 10)] {
        let examples = templates.draw(task, split, 1, count).unwrap();
        write(&Dataset::from_examples(examples), bench.path(&format!("new.{split}.bio")), Format::Bio).unwrap();
    }
    bench
}

fn adapt(bench: &Bench, run: &str, task: &str, out: &str, more: &[&str]) -> String {
    let call =
        ["adapt", run, "--task", task, "--data", "new.train.bio", "--test", "new.test.bio", "--quiet", "--out", out];
    bench.ok(&[&call[..], more].concat())
}

fn session(bench: &Bench, run: &str) -> Session {
    Session::load(&RunDir::new(bench.path(run)), &Device::Cpu).unwrap().0
}

fn bits(tensor: &Tensor) -> Vec<u32> {
    tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().map(f32::to_bits).collect()
}

/// The bits of the generated weights and of the logits of a task.
fn outputs(session: &Session, task: &str) -> Vec<Vec<u32>> {
    let (sources, targets): ([&[u32]; 2], [&[u32]; 2]) =
        ([&[7, 8, 9, 10, 1], &[11, 12, 1]], [&[20, 21, 1], &[23, 24, 25, 1]]);
    let batch = T5Batch::new(&sources, &targets, 0, &Device::Cpu).unwrap();
    let (t5, active, ctx) = (session.model.backbone(), session.model.active(task).unwrap(), &mut Ctx::eval());
    let encoded = t5.encode(&batch.source, &batch.mask, &active, ctx).unwrap();
    let inputs = shift_right(&batch.labels, t5.config().decoder_start_token_id).unwrap();
    let hidden = t5.decode(&inputs, &encoded, &active, ctx).unwrap();
    let logits = t5.logits(&hidden, &active, ctx).unwrap();
    let weights = session.model.weights(task).unwrap();
    weights.iter().flatten().map(bits).chain([bits(&logits)]).collect()
}

fn weights(bench: &Bench, run: &str) -> BTreeMap<String, Tensor> {
    peft_files::load_tensors(bench.path(run).join("adapter_model.safetensors")).unwrap()
}

#[test]
fn old_tasks_keep_every_bit_and_only_the_variables_of_the_new_task_change() {
    let bench = bench();
    let text: String = (1..9).map(|n| format!("turn on the lights in room {n} at noon\n")).collect();
    std::fs::write(bench.path("text.txt"), text).unwrap();
    let predictions = |run: &str, task: &str| {
        bench.ok(&["predict", run, "--task", task, "--format", "jsonl", "--n-best", "2", "text.txt"])
    };
    let (folder, before) = (tree(&bench.path("run")), session(&bench, "run"));
    let start = weights(&bench, "run");
    for (unfreeze, unshared) in CHOICES {
        adapt(&bench, "run", "new", unfreeze, &["--unfreeze", unfreeze, "--set", "train.max_steps=12"]);
        let after = session(&bench, unfreeze);
        for task in ["home", "travel"] {
            assert!(outputs(&before, task) == outputs(&after, task), "{unfreeze} changed {task}");
            assert_eq!(predictions("run", task), predictions(unfreeze, task), "{unfreeze} changed {task}");
        }

        let mut expected = new_task(&start, "new", unshared).unwrap();
        assert!(expected.keys().all(|name| is_of_task(name, "new")));
        for (name, tensor) in weights(&bench, unfreeze) {
            match expected.remove(&name) {
                Some(begun) => assert!(bits(&begun) != bits(&tensor), "{unfreeze}: {name} has not trained"),
                None => assert!(bits(&start[&name]) == bits(&tensor), "{unfreeze}: {name} has changed"),
            }
        }
        assert!(expected.is_empty(), "{unfreeze}: {:?} are missing", expected.keys());
    }
    assert!(folder == tree(&bench.path("run")), "the run was only read");
}

/// The mean loss of the new task's training sentences.
fn loss(bench: &Bench, run: &str) -> f32 {
    let session = session(bench, run);
    let examples = read(bench.path("new.train.bio"), &ReadOptions::default()).unwrap().examples;
    let batch = labelling_batch(&examples, &session.tokenizer, &Device::Cpu).unwrap();
    session.model.loss(&batch, "new", &mut Ctx::eval()).unwrap().to_scalar().unwrap()
}

#[test]
fn the_new_task_learns_and_more_the_more_trains() {
    let bench = bench();
    // The only step has a learning rate of zero.
    adapt(&bench, "run", "new", "start", &["--set", "train.max_steps=1", "--set", "train.warmup_steps=1"]);
    let mut losses = vec![loss(&bench, "start")];
    for (unfreeze, _) in CHOICES {
        let steps = ["--set", "train.max_steps=120", "--set", "train.learning_rate=1e-2"];
        adapt(&bench, "run", "new", unfreeze, &[&["--unfreeze", unfreeze][..], &steps].concat());
        losses.push(loss(&bench, unfreeze));
    }
    assert!(losses.windows(2).all(|pair| pair[1] < pair[0]), "{losses:?}");
}

#[test]
fn the_new_folder_is_a_run_for_every_verb() {
    let bench = bench();
    let validation = ["--validation", "new.validation.bio", "--set", "train.eval_sentences=3"];
    let more = [&validation[..], &["--unfreeze", "heads", "--set", "train.max_steps=6"]].concat();
    let output = adapt(&bench, "run", "new", "more/second", &more);
    assert!(output.starts_with("more/second: step 6, validation micro-F1 "), "{output}");
    let report: serde_json::Value = serde_json::from_str(&bench.ok(&["eval", "more/second", "--json"])).unwrap();
    assert_eq!(report["tasks"].as_object().unwrap().keys().collect::<Vec<_>>(), ["home", "new", "travel"]);
    let tags: BTreeMap<String, Vec<String>> =
        serde_json::from_slice(&bytes(&bench.path("more/second/tags.json"))).unwrap();
    assert_eq!(tags.keys().collect::<Vec<_>>(), ["home", "new", "travel"]);
    for task in ["home", "new"] {
        let report =
            bench.ok(&["compile", "more/second", "--task", task, "--out", &format!("compiled-{task}"), "--json"]);
        assert!(serde_json::from_str::<serde_json::Value>(&report).unwrap()["trial"]["sentences"].as_u64() > Some(0));
        bench.ok(&["export", "more/second", "--task", task, "--format", "adapterhub", "--out", &format!("hub-{task}")]);
    }
    bench.ok(&["params", "--config", "more/second/config.toml"]);
    bench.ok(&["bench", "--config", "more/second/config.toml", "--steps", "1", "--warmup", "0", "--json"]);

    // It can get another task, and keeps its own.
    adapt(&bench, "more/second", "third", "third", &["--set", "train.max_steps=2"]);
    let (second, third) = (session(&bench, "more/second"), session(&bench, "third"));
    for task in ["home", "travel", "new"] {
        assert!(outputs(&second, task) == outputs(&third, task), "{task}");
    }
    assert!(outputs(&third, "third") != outputs(&third, "new"));
}

#[test]
fn an_adaptation_that_was_killed_ends_in_the_same_bytes() {
    let bench = bench();
    let more = [
        "--unfreeze",
        "conditioning",
        "--set",
        "train.max_steps=30",
        "--set",
        "train.save_steps=4",
        "--set",
        "train.logging_steps=1",
    ];
    adapt(&bench, "run", "new", "whole", &more);
    let call = [
        "adapt",
        "run",
        "--task",
        "new",
        "--data",
        "new.train.bio",
        "--test",
        "new.test.bio",
        "--quiet",
        "--out",
        "killed",
    ];
    let mut child =
        bench.command(&[&call[..], &more].concat()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(120);
    while !bench.path("killed/checkpoints/step-8").exists() {
        assert!(Instant::now() < deadline && child.try_wait().unwrap().is_none(), "no step 8");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    adapt(&bench, "run", "new", "killed", &[&more[..], &["--resume"]].concat());
    for file in ["adapter_model.safetensors", "config.toml", "tags.json", "checkpoints/step-30/state.json"] {
        assert!(bytes(&bench.path("whole").join(file)) == bytes(&bench.path("killed").join(file)), "{file}");
    }
}

#[test]
fn refusals_name_the_option_and_say_what_to_do() {
    let bench = bench();
    bench.ok(&["compile", "run", "--task", "home", "--out", "compiled"]);
    std::fs::write(bench.path("plain.bio"), "O\tfly\nO\tto\nO\trome\n\n").unwrap();
    let refused = |code: i32, run: &str, task: &str, data: &str, more: &[&str]| {
        let call = ["adapt", run, "--task", task, "--data", data, "--out", "none"];
        bench.fails(code, &[&call[..], more].concat())
    };
    for (message, parts) in [
        (refused(2, "run", "home", "new.train.bio", &[]), ["--task: the run already has a task \"home\"", "travel"]),
        (refused(2, "compiled", "new", "new.train.bio", &[]), ["\"static\"", "hyperloader train"]),
        (refused(1, "run", "new", "none.bio", &[]), ["--data: ", "none.bio"]),
        (refused(1, "run", "new", "new.train.bio", &["--test", "no.bio"]), ["--test: ", "no.bio"]),
        (refused(1, "run", "new", "plain.bio", &[]), ["plain.bio: no sentence has an entity", "every tag is O"]),
        (
            refused(2, "run", "new", "new.train.bio", &["--set", "eval.num_beams=2"]),
            ["eval.num_beams: adapt cannot", "task.KEY"],
        ),
        (refused(2, "run", "new", "new.train.bio", &["--set", "train.max_stps=2"]), ["train.max_stps", "max_steps"]),
    ] {
        // What was read of the data is told before.
        let error = message.lines().last().unwrap();
        assert!(error.starts_with("error: ") && parts.iter().all(|part| error.contains(part)), "{message}");
    }
    std::fs::remove_file(bench.path("run/adapter_model.safetensors")).unwrap();
    let message = refused(2, "run", "new", "new.train.bio", &[]);
    assert!(message.contains("run: this run is not finished") && message.contains("train --resume"), "{message}");
}
