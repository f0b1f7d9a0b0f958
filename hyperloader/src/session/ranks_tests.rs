//! Several ranks train what one process trains.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::path::{Path, PathBuf};

use candle_core::Device;
use datasets::read::{Dataset, Format, write};
use datasets::tokenizer::{TrainOptions, train_unigram};
use serde_json::Value;

use super::{RunOptions, train};
use crate::config::Config;
use crate::quickstart::templates::Templates;
use crate::run::ADAPTER_FILE;
use crate::tasks::SplitName;
use crate::train::Ranks;
use crate::train::threads::on_threads;

const HEAD: &str = r#"
seed = 7
[model]
name = "config:ROOT/shape.json"
tokenizer = "ROOT/tokenizer.json"
[data]
max_source_length = 48
max_target_length = 48
cache = false
[[peft]]
peft_type = "LORA"
r = 2
lora_dropout = 0.1
[[peft]]
peft_type = "BOTTLENECK"
reduction_factor = 4
[generator]
generator = "hypernetwork"
embedding_dim = 6
hidden_dim = 8
conditioning_dim = 5
[train]
max_steps = 8
batch_size = 3
learning_rate = 1e-3
warmup_steps = 3
eval_steps = 4
save_steps = 4
logging_steps = 1
[eval]
max_length = 24
"#;

/// Two tasks, and a random T5 with dropout.
struct Bench {
    folder: tempfile::TempDir,
    config: String,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let (mut lines, mut words, mut tables) = (Vec::new(), vec!["O".to_owned(), "I".to_owned()], String::new());
        let templates = Templates::load().unwrap();
        for task in templates.tasks.iter().take(2) {
            words.extend(task.slot_types().map(str::to_owned));
            tables += &format!("\n[[tasks]]\nname = \"{}\"\n", task.name);
            for (split, n) in [(SplitName::Train, 40), (SplitName::Validation, 7)] {
                let examples = templates.draw(task, split, 1, n).unwrap();
                lines.extend(examples.iter().map(|e| e.tokens.join(" ")));
                let path = root.join(format!("{}.{split}.bio", task.name));
                write(&Dataset::from_examples(examples), &path, Format::Bio).unwrap();
                tables += &format!("{split} = {path:?}\n");
            }
        }
        words.sort();
        words.dedup();
        let tokenizer = train_unigram(&lines, &TrainOptions { vocab_size: 300, keep_words: words }).unwrap();
        tokenizer.save(root.join("tokenizer.json")).unwrap();
        let shape = format!(
            r#"{{"vocab_size": {}, "d_model": 16, "d_kv": 4, "d_ff": 24, "num_layers": 1, "num_heads": 4, "dropout_rate": 0.1}}"#,
            tokenizer.vocab_size()
        );
        std::fs::write(root.join("shape.json"), shape).unwrap();
        let config = HEAD.replace("ROOT", &root.to_string_lossy()) + &tables;
        Self { folder, config }
    }

    /// Trains on `size` ranks that accumulate so many micro-batches each, up to `steps`; what each rank said.
    fn train(&self, out: &str, size: usize, accumulate: usize, steps: usize) -> Vec<Result<usize, String>> {
        let found = on_threads(size, |rank| {
            let config = self.config_with(accumulate, steps);
            let ranks = Ranks::new(rank.clone());
            let options = RunOptions { resume: true, quiet: true, ranks, ..RunOptions::default() };
            train(config, &self.path(out), &Device::Cpu, &options)
        });
        found.into_iter().map(|output| output.map(|output| output.tokens).map_err(|error| error.to_string())).collect()
    }

    fn config_with(&self, accumulate: usize, steps: usize) -> Config {
        let mut config = Config::from_toml(&self.config).unwrap();
        config.train.gradient_accumulation_steps = accumulate.try_into().unwrap();
        config.train.max_steps = steps.try_into().unwrap();
        config
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What two runs that trained the same have in common: weights, checkpoint and numbers of every step.
    fn trained(&self, out: &str) -> (Vec<u8>, Value, Vec<Value>) {
        let read = |name: &str| std::fs::read(self.path(out).join(name)).unwrap();
        let mut state: Value = serde_json::from_slice(&read("checkpoints/step-8/state.json")).unwrap();
        state.as_object_mut().unwrap().remove("ranks");
        let metrics = String::from_utf8(read("metrics.jsonl")).unwrap();
        let line = |line: &str| {
            let mut line: Value = serde_json::from_str(line).unwrap();
            for key in ["tokens_per_second", "seconds"] {
                line.as_object_mut().unwrap().remove(key);
            }
            line
        };
        (read(ADAPTER_FILE), state, metrics.lines().map(line).collect())
    }
}

#[test]
fn four_ranks_are_four_micro_batches_of_one_process_bit_by_bit() {
    let bench = Bench::new();
    let alone = bench.train("alone", 1, 4, 8);
    assert!(alone[0].is_ok(), "{alone:?}");
    assert_eq!(bench.train("four", 4, 1, 8), vec![alone[0].clone(); 4]);
    let (expected, found) = (bench.trained("alone"), bench.trained("four"));
    assert!(expected.2.len() >= 10, "8 steps and 2 validations");
    assert_eq!(found.2, expected.2);
    assert_eq!(found.1, expected.1);
    assert!(found.0 == expected.0, "the weights differ");
}

#[test]
fn so_are_two_ranks_of_two_micro_batches() {
    let bench = Bench::new();
    bench.train("alone", 1, 4, 8)[0].clone().unwrap();
    bench.train("two", 2, 2, 8)[0].clone().unwrap();
    let (expected, found) = (bench.trained("alone"), bench.trained("two"));
    assert_eq!((&found.1, &found.2), (&expected.1, &expected.2));
    assert!(found.0 == expected.0, "the weights differ");
}

#[test]
fn a_run_goes_on_with_another_number_of_ranks() {
    let bench = Bench::new();
    bench.train("alone", 1, 4, 8)[0].clone().unwrap();
    bench.train("changed", 4, 1, 4)[3].clone().unwrap();
    // With other micro-batches it would be another run, unless all ranks together have as many.
    assert!(
        bench.train("changed", 1, 2, 8)[0]
            .clone()
            .unwrap_err()
            .contains("gradient_accumulation_steps: 1 in the run, 2 now")
    );
    bench.train("changed", 1, 4, 8)[0].clone().unwrap();
    let (expected, found) = (bench.trained("alone"), bench.trained("changed"));
    assert_eq!(found.2, expected.2);
    assert!(found.0 == expected.0);
}

#[test]
fn a_rank_with_other_data_is_named_by_all_and_nothing_is_left() {
    let bench = Bench::new();
    let found = on_threads(3, |rank| {
        let mut config = bench.config_with(1, 8);
        if crate::train::Collective::rank(rank) == 2 {
            config.tasks[1].train = config.tasks[1].validation.clone().unwrap();
        }
        let options = RunOptions { quiet: true, ranks: Ranks::new(rank.clone()), ..RunOptions::default() };
        train(config, &bench.path("run"), &Device::Cpu, &options).unwrap_err().to_string()
    });
    for message in found {
        assert!(message.starts_with("rank 2 of 3 has another tasks.1.train than rank 0"), "{message}");
    }
    assert!(!bench.path("run").exists());
}

#[test]
fn the_other_ranks_write_nothing_that_lasts() {
    let bench = Bench::new();
    bench.train("run", 2, 1, 4)[1].clone().unwrap();
    let names =
        |folder: &Path| std::fs::read_dir(folder).unwrap().flatten().map(|item| item.file_name()).collect::<Vec<_>>();
    assert_eq!(names(&bench.path("run/checkpoints")).len(), 1);
    assert!(bench.path("run/best").exists());
}
