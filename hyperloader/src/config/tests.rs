//! The configuration file as its users meet it: defaults, round trips, overrides, and the messages for mistakes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod checks;
mod messages;

use std::path::Path;

use super::*;
use crate::optim::{AdamWConfig, Schedule, ScheduleKind};
use datasets::metrics::Mode as ScoringMode;
use peft_t5::Trainable;

/// `text` as the file `config.toml`, with overrides.
fn with(text: &str, overrides: &[&str]) -> Result<Config, String> {
    read("config.toml", text, overrides)
}

fn read(name: &str, text: &str, overrides: &[&str]) -> Result<Config, String> {
    let overrides: Vec<String> = overrides.iter().map(|&o| o.to_owned()).collect();
    parse::read(Path::new(name), text, &overrides).map_err(|e| e.to_string())
}

/// The message for a file.
fn message(text: &str) -> String {
    with(text, &[]).expect_err("this file is wrong")
}

/// The message for overrides of an empty file.
fn set_message(overrides: &[&str]) -> String {
    with("", overrides).expect_err("this override is wrong")
}

const FULL: &str = r#"
seed = 7

[model]
name = "config:t5-small"
tokenizer = "models/tiny"
trainable = "all"
dropout_rate = 0.0

[data]
temperature = inf
on_bad_line = "skip"

[[tasks]]
name = "atis"
train = "data/atis/train"
test = "data/atis/test"
tag_words = { "fromloc.city_name" = "origin" }

[[tasks]]
name = "movie"
train = "data/movie.bio"
format = "bio"

[[peft]]
peft_type = "TOY_SCALE"
target_modules = ["q", "v"]

[[peft]]
peft_type = "TOY_SCALE"
target_modules = '.*\.(k|o)'

[generator]
generator = "static"
per_task = true

[train]
max_steps = 1000
schedule = "cosine"
kernels = "plain"

[train.optimizer]
flavor = "torch"
betas = [0.9, 0.99]

[eval]
mode = "strict"

[pretrain]
copy_fraction = 0.5

[pretrain.shape]
d_model = 128
feed_forward_proj = "gated-gelu"
"#;

mod defaults {
    use super::*;

    #[test]
    fn an_empty_file_is_the_papers_protocol() {
        let config = Config::from_toml("").unwrap();
        assert_eq!((config.seed, config.model.name.as_str()), (42, "t5-base"));
        assert_eq!(config.model.trainable, Trainable::Norms);
        assert_eq!(config.data.max_source_length.get(), 128);
        assert_eq!(config.data.max_target_length.get(), 128);
        assert_eq!((config.data.temperature, config.data.fraction), (10.0, 1.0));
        let train = &config.train;
        assert_eq!((train.max_steps.get(), train.warmup_steps, train.learning_rate), (65_536, 500, 3e-4));
        assert_eq!((train.batch_size.get(), train.gradient_accumulation_steps.get()), (32, 4));
        assert_eq!((train.label_smoothing, train.max_grad_norm), (0.1, 1.0));
        assert_eq!(train.loss_reduction, peft_kernels::Reduction::Sum);
        assert_eq!(train.optimizer, AdamWConfig::default());
        assert_eq!((train.eval_steps, train.save_steps, train.save_total_limit.get()), (1000, 1000, 1));
        assert_eq!(train.schedule(), Schedule::default());
        let eval = &config.eval;
        assert_eq!((eval.batch_size.get(), eval.max_length.get(), eval.num_beams.get()), (32, 128, 1));
        assert_eq!((eval.length_penalty, eval.mode), (1.0, ScoringMode::Default));
        assert!(config.pretrain.is_none() && config.peft.is_empty() && config.tasks.is_empty());
    }

    #[test]
    fn an_empty_file_and_the_default_are_the_same() {
        let empty = Config::from_toml("").unwrap().to_toml().unwrap();
        assert_eq!(empty, Config::default().to_toml().unwrap());
    }

    #[test]
    fn a_schedule_takes_its_numbers_from_the_section() {
        let config = with("[train]\nmax_steps = 10\nwarmup_steps = 2\nschedule = \"constant\"", &[]).unwrap();
        let expected = Schedule { kind: ScheduleKind::Constant, peak: 3e-4, warmup_steps: 2, total_steps: 10 };
        assert_eq!(config.train.schedule(), expected);
    }
}

mod round_trip {
    use super::*;

    #[test]
    fn the_resolved_file_loads_as_the_same_configuration() {
        let resolved = Config::from_toml(FULL).unwrap().to_toml().unwrap();
        let again = Config::from_toml(&resolved).unwrap();
        assert_eq!(again.to_toml().unwrap(), resolved);
        assert_eq!(again.tasks, Config::from_toml(FULL).unwrap().tasks);
        assert_eq!(again.train, Config::from_toml(FULL).unwrap().train);
        assert_eq!(again.pretrain, Config::from_toml(FULL).unwrap().pretrain);
    }

    #[test]
    fn the_resolved_file_spells_out_what_was_left_out() {
        let resolved = Config::from_toml("").unwrap().to_toml().unwrap();
        for line in ["seed = 42", "learning_rate = 0.0003", "generator = \"static\"", "flavor = \"transformers35\""] {
            assert!(resolved.lines().any(|l| l == line), "no {line:?} in\n{resolved}");
        }
    }

    #[test]
    fn json_says_the_same_as_toml() {
        let json = r#"
        {
          "seed": 7,
          "data": { "temperature": 1e1 },
          "tasks": [ { "name": "a", "train": "C: \"x\".bio", "tag_words": { "x": "y:z" } } ],
          "peft": [ { "peft_type": "TOY_SCALE", "target_modules": ["q"] } ]
        }
        "#;
        let toml = r#"
        seed = 7
        [[tasks]]
        name = "a"
        train = 'C: "x".bio'
        tag_words = { x = "y:z" }
        [[peft]]
        peft_type = "TOY_SCALE"
        target_modules = ["q"]
        "#;
        let json = read("run.json", json, &[]).unwrap().to_toml().unwrap();
        assert_eq!(json, with(toml, &[]).unwrap().to_toml().unwrap());
    }

    #[test]
    fn a_file_is_read_by_its_extension() {
        let dir = tempfile::tempdir().unwrap();
        let (toml, json) = (dir.path().join("c.toml"), dir.path().join("c.json"));
        std::fs::write(&toml, "seed = 1").unwrap();
        std::fs::write(&json, "{\"seed\": 2}").unwrap();
        assert_eq!(Config::load(&toml, &[]).unwrap().seed, 1);
        assert_eq!(Config::load(&json, &["seed=3".to_owned()]).unwrap().seed, 3);
        let missing = Config::load(dir.path().join("none.toml"), &[]).unwrap_err();
        assert!(missing.to_string().contains("none.toml"), "{missing}");
    }
}

mod overrides {
    use super::*;

    #[test]
    fn values_are_toml_and_else_strings() {
        let set = [
            "train.max_steps=2000",
            "train.learning_rate=1e-3",
            "model.name=config:t5-base",
            "train.select_best = false",
        ];
        let config = with(FULL, &set).unwrap();
        assert_eq!((config.train.max_steps.get(), config.train.learning_rate), (2000, 1e-3));
        assert_eq!((config.model.name.as_str(), config.train.select_best), ("config:t5-base", false));
    }

    #[test]
    fn lists_are_reached_by_index() {
        let config = with(FULL, &["tasks.1.train=\"other.bio\"", "tasks.2={name=\"new\", train=\"n.bio\"}"]).unwrap();
        assert_eq!(config.tasks[1].train, Path::new("other.bio"));
        assert_eq!(config.tasks[2].name, "new");
    }

    #[test]
    fn tables_and_lists_that_are_not_there_are_made() {
        let config = with("", &["tasks.0.name=a", "tasks.0.train=a.bio", "pretrain.shape.d_model=64"]).unwrap();
        assert_eq!(config.tasks[0].name, "a");
        assert_eq!(config.pretrain.unwrap().shape.unwrap().d_model.get(), 64);
    }

    #[test]
    fn a_table_is_replaced_as_a_whole() {
        let config = with(FULL, &["generator={generator=\"static\"}", "peft=[]"]).unwrap();
        assert!(format!("{:?}", config.generator).contains("per_task: false"));
        assert!(config.peft.is_empty());
    }

    #[test]
    fn the_last_of_two_wins() {
        assert_eq!(with("seed = 1", &["seed=2", "seed=3"]).unwrap().seed, 3);
    }
}

/// The files that users begin with.
mod examples {
    use super::*;

    fn example(name: &str) -> Config {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configs");
        Config::load(folder.join(name), &[]).unwrap_or_else(|e| panic!("{e}"))
    }

    #[test]
    fn the_papers_file_spells_out_the_defaults() {
        let (paper, default) = (example("paper/hyperloader.toml"), Config::default());
        assert_eq!(paper.model, ModelConfig { cross_attention_bias: true, ..default.model });
        assert_eq!((paper.data, paper.train, paper.eval), (default.data, default.train, default.eval));
        assert_eq!((paper.seed, paper.tasks.len(), paper.peft.len()), (default.seed, 7, 2));
    }

    #[test]
    fn the_baseline_has_adapters_alone() {
        let (paper, baseline) = (example("paper/hyperloader.toml"), example("paper/hyperformer++.toml"));
        assert_eq!((&baseline.model, &baseline.tasks, baseline.peft.len()), (&paper.model, &paper.tasks, 1));
        assert_eq!(baseline.train.gradient_accumulation_steps.get(), 1);
    }

    #[test]
    fn the_others_load() {
        assert_eq!(example("real-small.toml").require_tasks().unwrap().len(), 6);
        assert!(example("real-small.toml").require_pretrain().is_ok());
        assert_eq!(example("tasks-of-your-own.toml").require_tasks().unwrap().len(), 2);
    }
}

/// Whatever is written, an error is an [`Error::Config`](crate::Error::Config) and never a panic.
mod anything {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in any::<String>(), set in any::<String>()) {
            for name in ["c.toml", "c.json"] {
                let _ = read(name, &text, &[&set]);
            }
        }

        #[test]
        fn any_numbers_survive_the_round_trip(seed in 0..=i64::MAX as u64, rate in 1e-300_f64..1e300, steps in 500_usize..) {
            let set = [format!("seed={seed}"), format!("train.learning_rate={rate:e}"), format!("train.max_steps={}", steps >> 1 | 512)];
            let set: Vec<&str> = set.iter().map(String::as_str).collect();
            let config = with("", &set).unwrap();
            prop_assert_eq!((config.seed, config.train.learning_rate), (seed, rate));
            let again = Config::from_toml(&config.to_toml().unwrap()).unwrap();
            prop_assert_eq!(again.train, config.train);
        }
    }
}
