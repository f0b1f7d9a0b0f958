//! The configuration file as its users meet it: defaults, round trips, overrides, and the messages for mistakes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::path::Path;

use super::*;
use crate::optim::{AdamWConfig, Schedule};
use crate::t5::Trainable;

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
        assert_eq!(train.loss_reduction, LossReduction::Sum);
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
        let expected = Schedule::Constant { peak: 3e-4, warmup_steps: 2 };
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

mod messages {
    use super::*;

    #[test]
    fn a_misspelt_key_names_the_right_one() {
        assert_eq!(
            message("[train]\nmax_steps = 10\nleraning_rate = 1e-3"),
            r#"config.toml:3: unknown key "leraning_rate" in [train]; did you mean "learning_rate"?"#
        );
        assert_eq!(
            message("sede = 1"),
            r#"config.toml:1: unknown key "sede" at the top of the file; did you mean "seed"?"#
        );
        assert_eq!(
            message("[train.optimiser]\neps = 1e-6"),
            r#"config.toml:1: unknown key "optimiser" in [train]; did you mean "optimizer"?"#
        );
        assert_eq!(
            message("[[tasks]]\nname = \"a\"\ntrain = \"a\"\n[[tasks]]\nname = \"b\"\ntrian = \"b\""),
            r#"config.toml:6: unknown key "trian" in [[tasks]]; did you mean "train"?"#
        );
    }

    #[test]
    fn a_key_like_no_other_lists_the_known_ones() {
        assert_eq!(
            message("[eval]\nxyz = 1"),
            "config.toml:2: unknown key \"xyz\" in [eval]; known: batch_size, max_length, num_beams, length_penalty, mode"
        );
    }

    #[test]
    fn an_unknown_method_lists_the_known_ones() {
        let text =
            "[[peft]]\npeft_type = \"TOY_SCALE\"\ntarget_modules = \"q\"\n\n[[peft]]\nalpha = 1\npeft_type = \"LORRA\"";
        let message = message(text);
        assert!(message.starts_with("config.toml:7: unknown peft_type \"LORRA\"; known: "), "{message}");
        assert!(message.contains("TOY_SCALE"), "{message}");
    }

    #[test]
    fn an_unknown_generator_lists_the_known_ones() {
        let message = message("seed = 1\n[generator]\ngenerator = \"hyper\"");
        assert!(message.starts_with("config.toml:3: unknown generator \"hyper\"; known: "), "{message}");
        assert!(message.contains("static"), "{message}");
    }

    #[test]
    fn inside_a_method_the_offender_has_its_line() {
        let head = "[[peft]]\npeft_type = \"TOY_SCALE\"\n";
        assert_eq!(
            message(&format!("{head}target_modules = \"q\"\nscael = 2")),
            r#"config.toml:4: unknown key "scael" in [[peft]]; known: target_modules"#
        );
        assert_eq!(
            message(&format!("{head}\ntarget_modules = 7")),
            r#"config.toml:4: peft.0.target_modules: expected a list of module names, a regular expression or "all-linear", found the number 7"#
        );
        assert_eq!(message(head), r#"config.toml:1: missing key "target_modules" in [[peft]]"#);
        assert_eq!(message("[[peft]]\nr = 8"), r#"config.toml:1: missing key "peft_type" in [[peft]]"#);
        assert_eq!(
            message("[generator]\ngenerator = \"static\"\nper_taks = true"),
            r#"config.toml:3: unknown key "per_taks" in [generator]; did you mean "per_task"?"#
        );
    }

    #[test]
    fn an_unknown_word_lists_the_known_ones() {
        assert_eq!(
            message("[train]\n\nschedule = \"linar\""),
            r#"config.toml:3: unknown schedule "linar"; known: linear, constant, cosine"#
        );
        assert_eq!(
            message("[train.optimizer]\nflavor = \"adam\""),
            r#"config.toml:2: unknown flavor "adam"; known: transformers35, torch"#
        );
        assert_eq!(
            message("[model]\ntrainable = \"norm\""),
            r#"config.toml:2: unknown trainable "norm"; known: none, norms, all"#
        );
    }

    #[test]
    fn a_value_of_another_type_says_which_was_expected() {
        let cases = [
            (
                "[train]\nmax_steps = \"many\"",
                "train.max_steps: expected a whole number, 1 or more, found the string \"many\"",
            ),
            ("[train]\nmax_steps = 0", "train.max_steps: expected a whole number, 1 or more, found the number 0"),
            ("[train]\neval_steps = -1", "train.eval_steps: expected a whole number, 0 or more, found the number -1"),
            ("[train]\nlearning_rate = true", "train.learning_rate: expected a number, found true"),
            ("[train]\nselect_best = \"yes\"", "train.select_best: expected true or false, found the string \"yes\""),
            (
                "[train.optimizer]\nbetas = 0.9",
                "train.optimizer.betas: expected a tuple of size 2, found the number 0.9",
            ),
            ("[model]\nname = 5", "model.name: expected a string in quotes, found the number 5"),
            ("seed = 1\ntrain = 5", "train: expected a table, found the number 5"),
        ];
        for (text, expected) in cases {
            assert_eq!(message(text), format!("config.toml:2: {expected}"));
        }
    }

    #[test]
    fn a_missing_key_is_named_with_its_table() {
        assert_eq!(
            message("seed = 1\n\n[[tasks]]\nname = \"a\""),
            r#"config.toml:3: missing key "train" in [[tasks]]"#
        );
    }

    #[test]
    fn text_that_is_no_toml_has_a_line() {
        let message = message("[train]\nmax_steps = \n");
        assert!(message.starts_with("config.toml:2: not TOML: "), "{message}");
    }

    #[test]
    fn json_has_lines_too() {
        let say = |text| read("c.json", text, &[]).expect_err("this file is wrong");
        assert_eq!(
            say("\n{\n \"train\": {\n  \"max_setps\": 5}}"),
            r#"c.json:4: unknown key "max_setps" in [train]; did you mean "max_steps"?"#
        );
        assert!(say("{\n\"seed\": ,}").starts_with("c.json:2: not JSON: "), "{}", say("{\n\"seed\": ,}"));
        let null = say("{\n\"seed\": null}");
        assert!(null.starts_with("c.json:2: JSON that has no counterpart in TOML (such as null)"), "{null}");
    }

    #[test]
    fn an_override_is_its_own_place() {
        assert_eq!(
            set_message(&["seed=1", "train.leraning_rate=1"]),
            r#"--set train.leraning_rate=1: unknown key "leraning_rate" in [train]; did you mean "learning_rate"?"#
        );
        assert_eq!(
            set_message(&["train.max_steps=many"]),
            r#"--set train.max_steps=many: train.max_steps: expected a whole number, 1 or more, found the string "many""#
        );
        assert_eq!(
            set_message(&["max_steps"]),
            "--set max_steps: expected key=value, with a dotted key such as train.max_steps"
        );
        assert_eq!(
            set_message(&["seed.x=1"]),
            "--set seed.x=1: seed: expected a whole number, 0 or more, found a table"
        );
        let beyond = with(FULL, &["tasks.5.name=x"]).unwrap_err();
        assert_eq!(beyond, "--set tasks.5.name=x: there is no entry 5; the list has 2, counted from 0");
        let scalar = with(FULL, &["seed.x=1"]).unwrap_err();
        assert_eq!(scalar, "--set seed.x=1: there is no key \"x\" in a integer");
    }
}

mod checks {
    use super::*;

    #[test]
    fn values_out_of_range_are_named_with_their_line() {
        let cases = [
            ("[data]\nfraction = 0.0", "data.fraction: 0 is out of range; expected a number above 0, at most 1"),
            ("[data]\nfraction = 1.5", "data.fraction: 1.5 is out of range; expected a number above 0, at most 1"),
            ("[model]\ndropout_rate = 1.0", "model.dropout_rate: 1 is out of range; expected 0 or more and below 1"),
            (
                "[train]\nlearning_rate = -1.0",
                "train.learning_rate: -1 is out of range; expected a finite number above 0",
            ),
            (
                "[pretrain]\nnoise_density = nan",
                "pretrain.noise_density: NaN is out of range; expected a number above 0 and below 1",
            ),
            (
                "[train]\nwarmup_steps = 65537",
                "train.warmup_steps: 65537 steps of warm-up are more than train.max_steps = 65536",
            ),
            ("\n[train.optimizer]\neps = 0", "train.optimizer: AdamW: eps is 0; expected a finite number above 0"),
        ];
        for (text, expected) in cases {
            assert_eq!(message(text), format!("config.toml:2: {expected}"));
        }
    }

    #[test]
    fn a_default_that_no_longer_fits_is_reported_at_its_table() {
        assert_eq!(
            message("seed = 1\n[train]\nmax_steps = 100"),
            "config.toml:2: train.warmup_steps: 500 steps of warm-up are more than train.max_steps = 100"
        );
    }

    #[test]
    fn tasks_have_names_of_their_own() {
        let task = |name: &str| format!("[[tasks]]\nname = \"{name}\"\ntrain = \"x\"\n");
        assert_eq!(
            message(&(task("a") + &task("b") + &task("a"))),
            r#"config.toml:8: tasks.2.name: "a" is already the name of task 0"#
        );
        assert_eq!(
            message(&task("a/b")),
            r#"config.toml:2: tasks.0.name: "a/b" cannot name a task; use letters, digits, `_` and `-`"#
        );
    }

    #[test]
    fn tag_words_are_one_word_for_one_tag() {
        let with_words = |words: &str| message(&format!("[[tasks]]\nname = \"a\"\ntrain = \"x\"\ntag_words = {words}"));
        assert_eq!(
            with_words(r#"{ x = "two words" }"#),
            r#"config.toml:4: tasks.0.tag_words.x: "two words" is not one word"#
        );
        assert_eq!(
            with_words(r#"{ x = "w", y = "w" }"#),
            r#"config.toml:4: tasks.0.tag_words.y: "w" already stands for another tag"#
        );
    }

    #[test]
    fn a_shape_and_a_config_exclude_each_other() {
        assert_eq!(
            message("[pretrain]\nconfig = \"t5-small\"\nshape = {}"),
            "config.toml:2: pretrain.config: stands beside [pretrain.shape]; give one of the two"
        );
    }

    #[test]
    fn verbs_ask_for_what_they_need() {
        let empty = Config::default();
        assert!(empty.validate().is_ok());
        assert!(empty.require_tasks().is_err() && empty.require_pretrain().is_err());
        let full = Config::from_toml(FULL).unwrap();
        assert_eq!(full.require_tasks().unwrap().len(), 2);
        assert_eq!(full.task("atis").unwrap().name, "atis");
        assert_eq!(
            full.task("atsi").unwrap_err().to_string(),
            r#"unknown task "atsi"; known: atis, movie; did you mean "atis"?"#
        );
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
