//! The command's contract: exit codes, stdout for results, errors that name the offender.

use std::io::Write;
use std::process::Stdio;

use crate::common::{Bench, bytes, trained};

#[test]
fn eval_reports_every_task_and_its_mean() {
    let bench = trained();
    let report: serde_json::Value = serde_json::from_str(&bench.ok(&["eval", "run", "--json"])).unwrap();
    let tasks = report["tasks"].as_object().unwrap();
    assert_eq!(tasks.keys().collect::<Vec<_>>(), ["home", "travel"]);
    let mean = tasks.values().map(|t| t["micro_f1"].as_f64().unwrap()).sum::<f64>() / 2.;
    assert!((report["average_micro_f1"].as_f64().unwrap() - mean).abs() < 1e-12);
    assert_eq!(tasks["home"]["sentences"], 12);
    let file = std::fs::read_to_string(bench.path("run/eval/test.json")).unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&file).unwrap()["tasks"], report["tasks"]);
    assert!(!bench.path("run/predictions").exists());
}

#[test]
fn eval_keeps_predictions_on_request() {
    let bench = trained();
    bench.ok(&["eval", "run", "--predictions", "--task", "home"]);
    let predictions = hyperloader::eval::read_predictions(bench.path("run/predictions/test/home.jsonl")).unwrap();
    assert_eq!(predictions.len(), 12);
    let spans: Vec<_> = predictions.iter().flat_map(|sentence| &sentence.spans).collect();
    assert!(!spans.is_empty() && spans.iter().all(|span| span.score.is_some_and(|p| p > 0. && p <= 1.)));
    assert!(!bench.path("run/predictions/test/travel.jsonl").exists());
}

#[test]
fn predict_streams_one_tag_a_word_in_the_order_of_the_lines() {
    let bench = trained();
    let mut command = bench.command(&["predict", "run", "--task", "home", "--format", "jsonl", "-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"turn on the lights in the kitchen\n\nstop\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let lines: Vec<serde_json::Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0]["tokens"][3], "lights");
    let blank = serde_json::json!(
        {"text": "", "tokens": [], "offsets": [], "tags": [], "spans": [], "confidences": []}
    );
    assert_eq!(lines[1], blank);
    assert_eq!(lines[2]["tokens"][0], "stop");
    for line in &lines {
        assert_eq!(line["tokens"].as_array().unwrap().len(), line["tags"].as_array().unwrap().len());
    }
}

#[test]
fn a_compiled_task_needs_no_hypernetwork_and_writes_the_same() {
    let bench = trained();
    let text = bench.ok(&["compile", "run", "--task", "home", "--out", "compiled", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((report["folded"][0].as_str(), report["kept"][0].as_str()), (Some("LORA"), Some("BOTTLENECK")));
    assert!(report["parameters_after"].as_u64() < report["parameters_before"].as_u64());
    assert_eq!(report["trial"]["sentences"], 8, "every validation sentence was written alike");
    let config = std::fs::read_to_string(bench.path("compiled/config.toml")).unwrap();
    assert!(!config.contains("hypernetwork") && !config.contains("LORA") && config.contains("BOTTLENECK"), "{config}");

    // The folder can be moved, and still labels.
    std::fs::rename(bench.path("compiled"), bench.path("moved")).unwrap();
    std::fs::remove_dir_all(bench.path("run/checkpoints")).unwrap();
    std::fs::write(bench.path("in.txt"), "turn on the lights in the kitchen\n").unwrap();
    assert_eq!(bench.ok(&["predict", "moved", "--task", "home", "in.txt"]).lines().count(), 8);
    assert!(bench.fails(2, &["compile", "moved", "--task", "home", "--out", "moved"]).contains("exists"));
    assert!(bench.fails(2, &["predict", "moved", "--task", "travel", "in.txt"]).contains("known: home"));
}

#[test]
fn a_task_is_exported_where_the_format_has_a_place_for_it() {
    let bench = trained();
    bench.ok(&["export", "run", "--task", "home", "--format", "adapterhub", "--out", "hub"]);
    let config = std::fs::read_to_string(bench.path("hub/adapter_config.json")).unwrap();
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    assert_eq!(config["config"]["architecture"], "union");
    assert_eq!(config["name"], "home");
    for file in
        ["hub/adapter.safetensors", "hub/base/model.safetensors", "hub/base/config.json", "hub/base/tokenizer.json"]
    {
        assert!(bench.path(file).is_file(), "{file}");
    }
    // Two methods, one of them a bottleneck: neither peft nor a plain T5 can hold that.
    for (format, code) in [("peft", 1), ("hf", 2)] {
        let message = bench.fails(code, &["export", "run", "--task", "home", "--format", format, "--out", "none"]);
        assert!(!bench.path("none").exists(), "{message}");
    }
}

#[test]
fn a_wrong_call_or_configuration_exits_2_and_says_what_is_near() {
    let bench = trained();
    let near = bench.fails(2, &["predict", "run", "--task", "hme"]);
    assert!(near.contains("did you mean \"home\"?"), "{near}");
    assert!(bench.fails(2, &["eval", "run", "--split", "tset"]).contains("train, validation, test"));
    assert!(bench.fails(2, &["eval", "nowhere"]).contains("no run folder: there is no such folder"));
    assert!(bench.fails(2, &["eval", "config.toml"]).contains("no run folder: it is a file"));
    assert!(bench.fails(2, &["train", "--config", "config.toml", "--out", "run"]).contains("--resume"));
    let key = bench.fails(2, &["train", "--config", "config.toml", "--out", "x", "--set", "train.max_stps=3"]);
    assert!(key.contains("max_steps"), "{key}");
    assert!(!bench.path("x").exists(), "nothing is made for a wrong configuration");
    assert!(bench.fails(2, &["tran"]).contains("train"));
    let tf32 = bench.fails(2, &["eval", "run", "--device", "cpu", "--tf32"]);
    assert!(tf32.contains("--tf32: only NVIDIA GPUs"), "{tf32}");
    if cfg!(not(feature = "cuda")) {
        let cuda = bench.fails(2, &["eval", "run", "--device", "cuda"]);
        assert!(cuda.contains("built without it; build it with --features cuda"), "{cuda}");
    }
    assert!(
        bench
            .fails(2, &["params", "--config", "config.toml", "--device", "tpu", "--set", "model.name=./none"])
            .contains("./none")
    );
}

#[test]
fn a_method_without_a_site_is_named_with_what_is_near() {
    let bench = Bench::new();
    let message = bench.fails(2, &["params", "--config", "config.toml", "--set", "peft.0.target_modules=[\"query\"]"]);
    assert!(message.contains("LORA") && message.contains("query") && message.contains("near misses"), "{message}");
}

#[test]
fn a_file_that_is_missing_or_a_pointer_is_named_with_its_setting() {
    let bench = Bench::new();
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 5\n";
    std::fs::write(bench.path("lfs.json"), pointer).unwrap();
    for (out, set, expected) in [
        ("a", "tasks.0.train=typo.bio", "tasks.0.train: typo.bio: no such file or folder"),
        ("e", "tasks.1.validation=typo.bio", "tasks.1.validation: typo.bio: no such file or folder; correct the path"),
        ("f", "tasks.0.test=typo.bio", "tasks.0.test: typo.bio: no such file or folder; correct the path"),
        ("b", "model.tokenizer=typo.json", "model.tokenizer: typo.json: no such file or folder"),
        ("c", "model.tokenizer=lfs.json", "model.tokenizer: lfs.json: a Git LFS pointer (of 5 bytes)"),
        ("d", "model.name=config:lfs.json", "model.name: lfs.json: a Git LFS pointer (of 5 bytes)"),
    ] {
        let message = bench.fails(1, &["train", "--config", "config.toml", "--quiet", "--out", out, "--set", set]);
        assert!(message.starts_with(&format!("error: --set {set}: {expected}")), "{message}");
        assert!(!bench.path(out).exists(), "{set}: nothing is made");
    }
    let message = bench.fails(1, &["params", "--config", "typo.toml"]);
    assert!(message.starts_with("error: --config: typo.toml: no such file or folder"), "{message}");
}

#[test]
fn an_override_is_named_whenever_its_value_is_found_to_be_wrong() {
    let bench = Bench::new();
    for (set, expected) in [
        ("tasks=[]", "tasks: there are none; give at least one [[tasks]]"),
        ("model.name=", "model.name: empty; expected a folder, a hub id or config:SHAPE"),
        ("model.name=\"\"", "model.name: empty; expected a folder, a hub id or config:SHAPE"),
        ("model.name=./none", "model.name: no folder \"./none\""),
        ("tasks.0.train=", "tasks.0.train: empty; expected a file"),
    ] {
        let message = bench.fails(2, &["train", "--config", "config.toml", "-q", "--out", "run", "--set", set]);
        assert!(message.starts_with(&format!("error: --set {set}: {expected}")), "{message}");
    }
    assert!(!bench.path("run").exists());
}

#[test]
fn sizes_that_are_a_slip_of_the_finger_are_refused_by_key() {
    let bench = trained();
    for (set, expected) in [
        ("generator.hidden_dim=100000000", "generator.hidden_dim: 100000000 is out of range; expected 65536 at most"),
        ("peft.0.r=4000000000", "peft.0.r: 4000000000 is out of range; expected 65536 at most"),
        ("eval.num_beams=1000000", "eval.num_beams: 1000000 is out of range; expected 1000 at most"),
        ("eval.batch_size=9000000000", "eval.batch_size: 9000000000 is out of range; expected 1000000 at most"),
        ("data.max_source_length=9000000000", "data.max_source_length: 9000000000 is out of range"),
    ] {
        let message = bench.fails(2, &["params", "--config", "config.toml", "--set", set]);
        assert!(message.starts_with(&format!("error: --set {set}: {expected}")), "{message}");
    }
    for (arguments, expected) in [
        (["predict", "run", "--task", "home", "--n-best", "99999999"], "expected a whole number from 1 to 1000"),
        (["eval", "run", "--task", "home", "--threads", "1000000"], "expected a whole number from 1 to 1024"),
        (["eval", "run", "--task", "home", "--threads", "many"], "expected a whole number from 1 to 1024"),
    ] {
        let message = bench.fails(2, &arguments);
        assert!(message.contains(expected) && message.contains(arguments[4]), "{message}");
    }
    std::fs::write(
        bench.path("shape.json"),
        r#"{"vocab_size": 400, "d_model": 99000000, "d_kv": 4, "d_ff": 24, "num_layers": 2, "num_heads": 4}"#,
    )
    .unwrap();
    let message = bench.fails(1, &["params", "--config", "config.toml"]);
    assert!(message.contains("shape.json: d_model: 99000000, expected 1000000 at most"), "{message}");
}

#[test]
fn no_message_has_a_type_of_rust() {
    let bench = trained();
    for manifest in ["manifest.json", "run/manifest.json"] {
        std::fs::remove_file(bench.path(manifest)).unwrap();
    }
    let say = |file: &str, text: &str, call: &[&str]| {
        let before = bytes(&bench.path(file));
        std::fs::write(bench.path(file), text).unwrap();
        let output = bench.run(call);
        std::fs::write(bench.path(file), before).unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{file}");
        for word in ["struct", "usize", "i64", "u32", "f64", "variant", "enum ", "sequence", "os error"] {
            assert!(!message.contains(word), "{word}: {message}");
        }
        message
    };
    let params = ["params", "--config", "config.toml"];
    let eval = ["eval", "run", "--task", "home"];
    for (file, text, call, expected) in [
        ("shape.json", "[1, 2]", &params[..], "shape.json:1: expected an object, found a list"),
        (
            "shape.json",
            "{\"vocab_size\": -4}",
            &params,
            "shape.json:1: vocab_size: expected a whole number, 0 or more, found the number -4",
        ),
        ("shape.json", "{\"vocab_size\": 4}", &params, "shape.json:1: missing key \"d_model\""),
        (
            "run/tags.json",
            "{\"home\": [1]}",
            &eval,
            "tags.json:1: home[0]: expected a string in quotes, found the number 1; expected {\"task\"",
        ),
        ("run/tags.json", "7", &eval, "tags.json:1: expected an object, found the number 7"),
        ("config.toml", "train = 3", &params, "config.toml:1: train: expected a table, found the number 3"),
        (
            "config.toml",
            "[model]\ndtype = 3",
            &params,
            "config.toml:2: model.dtype: expected a string in quotes, found the number 3",
        ),
        (
            "config.toml",
            "[[tasks]]\nname = \"a\"\ntrain = \"a\"\ntag_words = 3",
            &params,
            "config.toml:4: tasks.0.tag_words: expected a table, found the number 3",
        ),
    ] {
        let message = say(file, text, call);
        assert!(message.contains(expected), "{message}");
    }
    std::fs::write(bench.path("run/manifest.json"), "{\"version\": 1, \"files\": {\"config.toml\": 3}}").unwrap();
    let message = bench.fails(1, &eval);
    assert!(message.contains("manifest.json:1: no manifest of this program, or a damaged one: files.config.toml: expected an object, found the number 3"), "{message}");
}

#[cfg(unix)]
#[test]
fn import_says_what_it_needs_and_a_name_that_no_configuration_can_hold_is_refused_early() {
    use std::os::unix::ffi::OsStrExt;
    let bench = trained();
    let import =
        ["import", "none.bin", "--config", "config.toml", "--out", "imported", "--set", "model.tokenizer=none"];
    let message = bench.fails(2, &import);
    assert!(
        message.starts_with("error: --set model.tokenizer=none: model.tokenizer: not given, and a shape has none"),
        "{message}"
    );
    assert!(message.contains("--set model.tokenizer=PATH"), "{message}");
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9");
    let output = bench.command(&["compile", "run", "--task", "home", "--out"]).arg(name).output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && message.contains("this name is not Unicode"), "{message}");
    assert!(!bench.path("imported").exists());
}

#[test]
fn a_file_in_the_place_of_a_folder_says_what_to_do() {
    let bench = Bench::new();
    std::fs::write(bench.path("taken"), "a file\n").unwrap();
    for arguments in
        [&["train", "--config", "config.toml", "-q", "--out", "taken"][..], &["quickstart", "-q", "--out", "taken"]]
    {
        let message = bench.fails(1, arguments);
        assert_eq!(
            message,
            "error: taken: this is a file, and a folder is needed here; move it away, or name another folder\n"
        );
    }
}

#[test]
fn pointers_of_git_lfs_are_called_that_everywhere() {
    let bench = trained();
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 5\n";
    let eval = ["eval", "run", "--task", "home"];
    std::fs::remove_file(bench.path("run/best")).unwrap();
    std::fs::write(bench.path("run/best"), pointer).unwrap();
    let message = bench.fails(1, &eval);
    assert!(message.contains("run/best: a Git LFS pointer (of 5 bytes), not the file itself"), "{message}");
    std::fs::write(bench.path("run/manifest.json"), pointer).unwrap();
    let message = bench.fails(1, &eval);
    assert!(message.contains("run/manifest.json: a Git LFS pointer (of 5 bytes), not the file itself"), "{message}");
}

#[test]
fn a_model_that_is_neither_a_folder_nor_in_the_cache_is_told_both() {
    let bench = Bench::new();
    let params = ["params", "--config", "config.toml", "--set", "model.name=runs/tny"];
    std::fs::create_dir_all(bench.path("runs/tiny")).unwrap();
    let mut command = bench.command(&params);
    let output = command.env("HF_HOME", bench.path("hf")).env("RUST_BACKTRACE", "1").output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("nor is there a folder \"runs/tny\"; did you mean \"runs/tiny\"?"), "{message}");
    assert!(message.contains("HF_HUB_OFFLINE") && message.lines().count() == 1, "{message}");
}

#[test]
fn bad_data_is_named_by_file_and_line() {
    let bench = Bench::new();
    let data = std::fs::read_to_string(bench.path("home.train.bio")).unwrap();
    std::fs::write(bench.path("bad.bio"), format!("{data}word\n\n")).unwrap();
    let line = data.lines().count() + 1;
    let bad = bench.path("bad.bio");
    let set = format!("tasks.0.train={}", bad.display());
    let message = bench.fails(1, &["train", "--config", "config.toml", "--quiet", "--out", "x", "--set", &set]);
    assert!(message.contains(&format!("bad.bio:{line}")), "{message}");
}

#[test]
fn params_counts_without_weights() {
    let bench = Bench::new();
    let counts: serde_json::Value =
        serde_json::from_str(&bench.ok(&["params", "--config", "config.toml", "--json"])).unwrap();
    let sum = |key: &str| counts["groups"].as_object().unwrap().values().map(|g| g[key].as_u64().unwrap()).sum::<u64>();
    for key in ["trainable", "frozen", "total"] {
        assert_eq!(counts[key].as_u64().unwrap(), sum(key));
    }
    assert!(bench.ok(&["params", "--config", "config.toml"]).contains("% of the parameters train"));
}

#[test]
fn pretrain_makes_a_backbone_that_train_accepts() {
    let bench = Bench::new();
    let config = std::fs::read_to_string(bench.path("config.toml")).unwrap();
    let pretrain = "\n[pretrain]\nvocab_size = 400\ncopy_fraction = 0.5\nmax_steps = 4\nbatch_size = 4\nwarmup_steps = 1\n\
                    [pretrain.shape]\nd_model = 16\nd_kv = 4\nd_ff = 24\nnum_layers = 1\nnum_heads = 4\n";
    std::fs::write(bench.path("both.toml"), config + pretrain).unwrap();
    bench.ok(&["pretrain", "--config", "both.toml", "--quiet", "--out", "backbone"]);
    for file in ["config.json", "model.safetensors", "tokenizer.json"] {
        assert!(bench.path("backbone").join(file).is_file(), "{file}");
    }
    let tokenizer = format!("model.tokenizer={}", bench.path("backbone").display());
    bench.ok(&[
        "train",
        "--config",
        "config.toml",
        "--quiet",
        "--out",
        "run",
        "--set",
        "model.name=backbone",
        "--set",
        &tokenizer,
        "--set",
        "train.max_steps=4",
    ]);
    let message = bench.fails(2, &["eval", "backbone"]);
    assert!(message.contains("backbone: this is a backbone of pretrain, which has no task yet"), "{message}");
    // How often checkpoints are saved changes nothing in the result.
    bench.ok(&["pretrain", "--config", "both.toml", "--quiet", "--out", "saved", "--set", "pretrain.save_steps=2"]);
    assert_eq!(bytes(&bench.path("saved/model.safetensors")), bytes(&bench.path("backbone/model.safetensors")));
}

/// The verbs that `hyperloader help` lists.
fn verbs(help: &str) -> Vec<&str> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // A description that takes several lines is indented further.
    let verbs = lines.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    verbs.filter(|verb| *verb != "help").collect()
}

#[test]
fn completions_and_man_name_every_verb_and_each_explains_itself() {
    let bench = Bench::new();
    let (help, completions, man) = (bench.ok(&["help"]), bench.ok(&["completions", "bash"]), bench.ok(&["man"]));
    let verbs = verbs(&help);
    for verb in [
        "quickstart",
        "train",
        "adapt",
        "eval",
        "predict",
        "params",
        "bench",
        "compile",
        "export",
        "import",
        "pretrain",
        "data",
        "completions",
        "man",
    ] {
        assert!(verbs.contains(&verb), "{verb} is not among {verbs:?}");
    }
    for verb in &verbs {
        assert!(completions.contains(verb) && man.contains(verb), "{verb}");
        let own = bench.ok(&[verb, "--help"]);
        assert!(own.contains(&format!("Usage: hyperloader {verb}")), "{own}");
    }
}
