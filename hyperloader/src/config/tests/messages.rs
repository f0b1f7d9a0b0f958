//! Every message for a mistake, word for word.

use super::{FULL, message, read, set_message, with};

#[test]
fn a_misspelled_key_names_the_right_one() {
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
        "config.toml:2: unknown key \"xyz\" in [eval]; known: decoding, batch_size, max_length, num_beams, length_penalty, mode"
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
fn an_offender_before_the_tag_has_its_line_too() {
    // Keys are sorted when they are read, so a key before the tag is buffered until the type is known.
    assert_eq!(
        message("[[peft]]\npeft_type = \"TOY_SCALE\"\ntarget_modules = \"q\"\n\nalpha = 1"),
        r#"config.toml:5: unknown key "alpha" in [[peft]]; known: target_modules"#
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
        ("[train.optimizer]\nbetas = 0.9", "train.optimizer.betas: expected a list of 2 values, found the number 0.9"),
        ("[model]\nname = 5", "model.name: expected a string in quotes, found the number 5"),
        ("seed = 1\ntrain = 5", "train: expected a table, found the number 5"),
    ];
    for (text, expected) in cases {
        assert_eq!(message(text), format!("config.toml:2: {expected}"));
    }
}

#[test]
fn a_missing_key_is_named_with_its_table() {
    assert_eq!(message("seed = 1\n\n[[tasks]]\nname = \"a\""), r#"config.toml:3: missing key "train" in [[tasks]]"#);
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
    assert_eq!(say("{\n\"peft\": [\nnull]}"), "c.json:3: peft.0: a list cannot contain null");
    let twice = say("{\n\"train\": {\"max_steps\": 1,\n\"max_steps\": 2}}");
    assert_eq!(twice, "c.json:3: not JSON: train.max_steps: the key \"max_steps\" is given twice");
    let number = say("{\n\"train\": {\n\"max_steps\":\n0}}");
    assert_eq!(number, "c.json:4: train.max_steps: expected a whole number, 1 or more, found the number 0");
}

#[test]
fn valid_json_is_a_configuration() {
    let text = r#"{"seed": null, "model": {"name": "models\/caf\u00e9 \ud83d\ude00"}, "data": {"fraction": 5E-1}}"#;
    let config = super::parse::read(std::path::Path::new("c.json"), text, &["seed=3".to_owned()]).unwrap();
    assert_eq!((config.model.name.as_str(), config.data.fraction, config.seed), ("models/café 😀", 0.5, 3));
}

#[test]
fn what_json_is_not_says_what_to_do() {
    let say = |text| read("c.json", text, &[]).expect_err("this file is wrong");
    assert!(
        say("{\n// steps\n\"seed\": 1}").contains("c.json:2: not JSON: key must be a string (JSON has no comments")
    );
    assert_eq!(say("\u{feff}\n[1]"), "c.json:2: not a configuration: expected a JSON object, { .. }");
    assert_eq!(say("null"), "c.json:1: not a configuration: expected a JSON object, { .. }");
    assert!(say("{\"model\": {\n\"name\": \"\\ud83d\"}}").starts_with("c.json:2: not JSON: "), "half of a pair");
    let large = say("{\"model\": {\n\"dropout_rate\": 0},\n\"seed\": 123456789012345678901234567890}");
    assert_eq!(large, "c.json:3: seed: the number 123456789012345678901234567890 is too large for any key");
    assert_eq!(say("{\"seed\":\n1e400}"), "c.json:2: seed: the number 1e400 is too large for any key");
    assert!(say("{\"seed\": 1,}").contains("not JSON: key must be a string (remove the comma before it)"));
    let toml = message("{\"seed\": 1}");
    assert!(toml.contains("not TOML") && toml.ends_with("a file with JSON needs a name that ends in .json"), "{toml}");
}

#[test]
fn a_byte_order_mark_and_text_in_another_encoding() {
    for name in ["c.json", "c.toml"] {
        let text = if name == "c.json" { "\u{feff}{\"seed\": 3}" } else { "\u{feff}seed = 3" };
        assert_eq!(read(name, text, &[]).unwrap().seed, 3, "{name}");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.toml");
    std::fs::write(&path, b"seed = 1\n# caf\xe9\n").unwrap();
    let error = super::Config::load(&path, &[]).unwrap_err();
    assert!(matches!(error, crate::Error::Config(_)), "{error:?}");
    assert!(error.to_string().ends_with("c.toml:2: invalid UTF-8 after byte 5 of the line"), "{error}");
}

#[test]
fn an_override_of_a_key_of_the_file_is_to_blame() {
    let file = "[train]\nmax_steps = 600\nwarmup_steps = 100\n[[tasks]]\nname = \"a\"\ntrain = \"a.bio\"";
    let say = |overrides: &[&str]| with(file, overrides).expect_err("these overrides are wrong");
    assert_eq!(
        say(&["train.max_steps=0"]),
        "--set train.max_steps=0: train.max_steps: expected a whole number, 1 or more, found the number 0"
    );
    assert_eq!(
        say(&["train.learning_rate=-1"]),
        "--set train.learning_rate=-1: train.learning_rate: -1 is out of range; expected a finite number above 0"
    );
    assert_eq!(say(&["tasks.0={name=\"a\"}"]), "--set tasks.0={name=\"a\"}: missing key \"train\" in [[tasks]]");
}

#[test]
fn an_override_without_which_the_file_is_right_is_to_blame() {
    let file = "[train]\nmax_steps = 600\nwarmup_steps = 100\n[train.optimizer]\neps = 1e-8";
    let say = |overrides: &[&str]| with(file, overrides).expect_err("these overrides are wrong");
    let warmup = "train.warmup_steps: 100 steps of warm-up are more than train.max_steps = 50";
    assert_eq!(say(&["train.max_steps=50", "seed=1"]), format!("--set train.max_steps=50: {warmup}"));
    let beta = say(&["train.optimizer.betas=[2, 0.9]"]);
    assert!(beta.starts_with("--set train.optimizer.betas=[2, 0.9]: train.optimizer: "), "{beta}");
    let default = set_message(&["train.max_steps=50"]);
    assert!(default.starts_with("--set train.max_steps=50: train.warmup_steps: 500 steps"), "{default}");
    // What is wrong in the file stays there, whatever the overrides say.
    let file = with("[train]\nmax_steps = 50", &["seed=1"]).unwrap_err();
    assert!(file.starts_with("config.toml:1: train.warmup_steps: 500 steps"), "{file}");
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
    assert_eq!(set_message(&["seed.x=1"]), "--set seed.x=1: seed: expected a whole number, 0 or more, found a table");
    let beyond = with(FULL, &["tasks.5.name=x"]).unwrap_err();
    assert_eq!(beyond, "--set tasks.5.name=x: there is no entry 5; the list has 2, counted from 0");
    let scalar = with(FULL, &["seed.x=1"]).unwrap_err();
    assert_eq!(scalar, "--set seed.x=1: a value of type integer has no key \"x\"");
}
