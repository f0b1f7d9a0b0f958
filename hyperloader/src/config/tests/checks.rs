//! Values that have the right type and still cannot work.

use super::{Config, FULL, message};

#[test]
fn values_out_of_range_are_named_with_their_line() {
    let cases = [
        ("[data]\nfraction = 0.0", "data.fraction: 0 is out of range; expected a number above 0, at most 1"),
        ("[data]\nfraction = 1.5", "data.fraction: 1.5 is out of range; expected a number above 0, at most 1"),
        ("[model]\ndropout_rate = 1.0", "model.dropout_rate: 1 is out of range; expected 0 or more and below 1"),
        ("[train]\nlearning_rate = -1.0", "train.learning_rate: -1 is out of range; expected a finite number above 0"),
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
fn buckets_are_refused_where_they_would_weigh_sentences() {
    let with = |buckets: &str, loss: &str| format!("[data]\n{buckets}\n[train]\nloss_reduction = \"{loss}\"");
    let refused = message(&with("length_buckets = true", "mean"));
    assert!(refused.starts_with("config.toml:2: data.length_buckets: cannot be true"), "{refused}");
    for (buckets, loss) in [("length_buckets = true", "sum"), ("length_buckets = false", "mean"), ("", "mean")] {
        assert!(Config::from_toml(&with(buckets, loss)).is_ok());
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
    for (words, reason) in
        [(r#"{ x = "two words" }"#, "use one word"), (r#"{ x = "w", y = "w" }"#, "`x`"), (r#"{ x = "O" }"#, "`O`")]
    {
        let message = with_words(words);
        assert!(message.starts_with("config.toml:4: tasks.0.tag_words: ") && message.contains(reason), "{message}");
    }
}

#[test]
fn a_tag_map_is_checked_before_the_data_are_read() {
    let message = message("[[tasks]]\nname = \"a\"\ntrain = \"x\"\ntag_map = { \"w/*\" = \"O\" }");
    assert!(message.starts_with("config.toml:4: tasks.0.tag_map: ") && message.contains("`w/*`"), "{message}");
}

#[test]
fn a_shape_and_a_config_exclude_each_other() {
    assert_eq!(
        message("[pretrain]\nconfig = \"t5-small\"\nshape = {}"),
        "config.toml:2: pretrain.config: cannot be given together with [pretrain.shape]; give one of the two"
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
