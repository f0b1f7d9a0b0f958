#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::files::write_dir_atomic;

const RUN: &str = "[train]\nwarmup_steps = 0\nmax_steps = 3\n[[peft]]\npeft_type = \"LORA\"\nr = 2\n[[tasks]]\nname = \"a\"\ntrain = \"a.bio\"\n\
                   [pretrain]\nwarmup_steps = 0\ntext = [\"t.txt\"]\n";

/// The result of continuing a run of [`RUN`] with `change` made to its text; `inputs` is what its checkpoint keeps.
fn resumed(verb: Verb, change: (&str, &str), inputs: &str) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDir::new(folder.path());
    std::fs::write(run.config(), Config::from_toml(RUN).unwrap().to_toml().unwrap()).unwrap();
    let state = format!("{{\"step\": 3, \"tokens\": 9, \"best\": null, \"objective\": null{inputs}}}");
    write_dir_atomic(run.checkpoint(3), |folder| {
        std::fs::write(folder.join("state.json"), &state).unwrap();
        Ok(())
    })
    .unwrap();
    assert!(RUN.contains(change.0));
    let config = Config::from_toml(&RUN.replace(change.0, change.1)).unwrap();
    require_same(&run, 3, &config, verb, &Ranks::default()).map_err(|error| error.to_string())
}

#[test]
fn the_length_evaluation_logging_and_places_of_by_products_may_change() {
    for change in [
        ("max_steps = 3", "max_steps = 9\nsave_steps = 2\nlogging_steps = 4\neval_steps = 1\noutput_dir = \"x\""),
        ("[pretrain]", "[eval]\nnum_beams = 4\n[data]\ncache = false\n[pretrain]\nmax_steps = 8"),
        ("[pretrain]", "[data.words]\nsplitter = \"pattern\"\npattern = \"a+\"\nlowercase = true\n[pretrain]"),
        ("train = \"a.bio\"", "train = \"a.bio\"\nvalidation = \"v.bio\"\ntest = \"t.bio\""),
    ] {
        resumed(Verb::Train, change, "").unwrap();
        resumed(Verb::Pretrain, change, "").unwrap();
    }
}

#[test]
fn every_other_key_is_refused_with_both_values() {
    for (change, says) in [
        (("r = 2", "r = 4"), "peft.0.r: 2 in the run, 4 now"),
        (("max_steps = 3", "learning_rate = 0.5"), "train.learning_rate: 0.0003 in the run, 0.5 now"),
        (("name = \"a\"", "name = \"b\""), "tasks.0.name: \"a\" in the run, \"b\" now"),
        (
            ("train = \"a.bio\"", "train = \"a.bio\"\nprefix = \"tag\""),
            "tasks.0.prefix: not set in the run, \"tag\" now",
        ),
        (
            ("train = \"a.bio\"", "train = \"a.bio\"\ntag_map = { \"w/*\" = \"w\" }"),
            "tasks.0.tag_map.w/*: not set in the run, \"w\" now",
        ),
    ] {
        let message = resumed(Verb::Train, change, "").unwrap_err();
        assert!(message.contains(says) && message.contains("config.toml"), "{message}");
    }
    for (change, says) in [
        (("text = ", "vocab_size = 8\ntext = "), "pretrain.vocab_size: 4096 in the run, 8 now"),
        (
            ("[pretrain]", "[pretrain.shape]\nd_model = 8\n[pretrain]"),
            "pretrain.shape.d_model: not set in the run, 8 now",
        ),
    ] {
        let message = resumed(Verb::Pretrain, change, "").unwrap_err();
        assert!(message.contains(says), "{message}");
    }
}

#[test]
fn a_path_may_change_if_the_checkpoint_keeps_a_hash_of_its_content() {
    let kept = |key: &str| format!(", \"inputs\": {{\"{key}\": \"abc\"}}");
    for (verb, change, key) in [
        (Verb::Train, ("train = \"a.bio\"", "train = \"moved/a.jsonl\"\nformat = \"jsonl\""), "tasks.0.train"),
        (Verb::Pretrain, ("t.txt", "moved/t.txt"), "pretrain.text"),
    ] {
        resumed(verb, change, &kept(key)).unwrap();
        let message = resumed(verb, change, "").unwrap_err();
        assert!(message.contains("moved/") && message.contains("no hash"), "{message}");
    }
}
