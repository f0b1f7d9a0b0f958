//! Labelling from the command line: structured decoding, long sentences, answers line by line.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use crate::common::{Bench, trained};
use serde_json::Value;

/// What `predict` writes for `text`, one object a line.
fn predicted(bench: &Bench, text: &str, arguments: &[&str]) -> Vec<Value> {
    std::fs::write(bench.path("in.txt"), text).unwrap();
    let call = [&["predict", "run", "--task", "home", "in.txt", "--format", "jsonl"], arguments].concat();
    bench.ok(&call).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn len(value: &Value) -> usize {
    value.as_array().unwrap().len()
}

#[test]
fn every_word_has_a_tag_of_the_task_and_a_confidence() {
    let bench = trained();
    let tags: Value = serde_json::from_str(&std::fs::read_to_string(bench.path("run/tags.json")).unwrap()).unwrap();
    let known: Vec<&str> = tags["home"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap()).collect();
    assert!(known.contains(&"O") && known.contains(&"I") && known.len() > 3, "{known:?}");
    for line in predicted(&bench, "turn on the lights\nstop\nxyzzy ☃ !\n", &[]) {
        assert_eq!((len(&line["tags"]), len(&line["confidences"])), (len(&line["tokens"]), len(&line["tokens"])));
        for (tag, confidence) in line["tags"].as_array().unwrap().iter().zip(line["confidences"].as_array().unwrap()) {
            let tag = tag.as_str().unwrap();
            assert!(tag == "O" || known.contains(&tag.split_once('-').unwrap().1), "{tag}");
            assert!((0. ..=1.).contains(&confidence.as_f64().unwrap()));
        }
        assert!(line.get("n_best").is_none());
    }
}

#[test]
fn the_n_best_are_sorted_and_the_first_is_the_answer() {
    let bench = trained();
    let plain = predicted(&bench, "turn on the lights\nstop\n", &[]);
    let one = predicted(&bench, "turn on the lights\nstop\n", &["--n-best", "1"]);
    for (plain, one) in plain.iter().zip(&one) {
        assert_eq!((&plain["tags"], &plain["confidences"]), (&one["tags"], &one["confidences"]));
        assert_eq!(one["n_best"][0]["tags"], one["tags"]);
    }
    for line in predicted(&bench, "turn on the lights\n", &["--n-best", "4"]) {
        let scores: Vec<f64> =
            line["n_best"].as_array().unwrap().iter().map(|s| s["score"].as_f64().unwrap()).collect();
        assert!(scores.len() == 4 && scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
        assert_eq!(line["n_best"][0]["tags"], line["tags"]);
    }
    assert!(bench.fails(2, &["predict", "run", "--task", "home", "--n-best", "2"]).contains("jsonl"));
    let free = ["predict", "run", "--task", "home", "--format", "jsonl", "--n-best", "2", "--decoding", "free"];
    assert!(bench.fails(2, &free).contains("structured"));
}

#[test]
fn free_decoding_is_there_if_asked_for() {
    let bench = trained();
    let line = &predicted(&bench, "turn on the lights\n", &["--decoding", "free"])[0];
    assert_eq!(len(&line["tags"]), 4);
    assert!(line.get("confidences").is_none());
    let malformed = |arguments: &[&str]| {
        let report: Value = serde_json::from_str(&bench.ok(&[&["eval", "run", "--json"], arguments].concat())).unwrap();
        report["tasks"]["home"]["malformed"].as_u64().unwrap()
    };
    assert_eq!(malformed(&[]), 0);
    assert!(malformed(&["--decoding", "free"]) > 0, "nearly random weights write no well-formed target");
}

#[test]
fn a_long_sentence_has_as_many_tags_as_words_and_so_has_a_word_that_is_too_long() {
    let bench = trained();
    let (long, word) = (vec!["lights"; 250].join(" "), "unpronounceable".repeat(40));
    for decoding in ["structured", "free"] {
        let lines = predicted(&bench, &format!("{long}\nturn on {word} now\n{word}\n"), &["--decoding", decoding]);
        assert_eq!(lines.iter().map(|line| len(&line["tags"])).collect::<Vec<_>>(), [250, 4, 1]);
    }
    let output = bench.run(&["predict", "run", "--task", "home", "in.txt", "--format", "jsonl"]);
    let cut = String::from_utf8(output.stdout).unwrap();
    let cut = cut.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["truncated_words"].clone());
    assert_eq!(cut.collect::<Vec<_>>(), [Value::Null, serde_json::json!([2]), serde_json::json!([0])]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("2 words have more tokens than the model reads at once"), "{stderr}");
    std::fs::write(bench.path("in.txt"), format!("{long}\n")).unwrap();
    let output = bench.run(&["predict", "run", "--task", "home", "in.txt"]);
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "nothing was cut, so there is nothing to say");
}

#[test]
fn each_line_is_answered_while_the_pipe_stays_open() {
    let bench = trained();
    let mut command = bench.command(&["predict", "run", "--task", "home", "--format", "inline"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut input, mut answers) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()).lines());
    for word in ["stop", "", "go"] {
        writeln!(input, "{word}").unwrap();
        let answer = answers.next().unwrap().unwrap();
        assert!(answer.contains(word) && answer.is_empty() == word.is_empty(), "{answer:?}");
    }
    drop(input);
    assert!(answers.next().is_none() && child.wait().unwrap().success());

    std::fs::write(bench.path("in.txt"), b"stop\n\ngo\nst\xffop\nstop\n").unwrap();
    for (format, answers) in [("jsonl", 3), ("inline", 3), ("bio", 5), ("html", 7)] {
        let output = bench.run(&["predict", "run", "--task", "home", "in.txt", "--format", format]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{format}");
        assert!(stderr.ends_with("error: in.txt:4: invalid UTF-8 after byte 2 of the line\n"), "{stderr}");
        assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), answers, "{format}");
    }
}

#[cfg(unix)]
#[test]
fn compressed_text_and_utf_16_are_labelled_like_the_plain_text() {
    let bench = trained();
    let text = "turn on the lights\nstop\n";
    let plain = predicted(&bench, text, &[]);
    let wide: Vec<u8> = [0xfeff_u16].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    std::fs::write(bench.path("wide.txt"), &wide).unwrap();
    std::fs::write(bench.path("packed.txt"), text).unwrap();
    assert!(std::process::Command::new("gzip").arg(bench.path("packed.txt")).status().unwrap().success());
    for file in ["wide.txt", "packed.txt.gz"] {
        let lines = bench.ok(&["predict", "run", "--task", "home", file, "--format", "jsonl"]);
        let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines, plain, "{file}");
    }
}

#[test]
fn an_older_run_takes_its_tags_from_the_training_data_and_says_so_if_it_cannot() {
    let bench = trained();
    let with = predicted(&bench, "turn on the lights\n", &[]);
    std::fs::remove_file(bench.path("run/tags.json")).unwrap();
    assert_eq!(predicted(&bench, "turn on the lights\n", &[]), with);
    bench.ok(&["compile", "run", "--task", "home", "--out", "compiled"]);
    std::fs::remove_file(bench.path("home.train.bio")).unwrap();
    let message = bench.fails(2, &["predict", "run", "--task", "home", "in.txt"]);
    assert!(message.contains("tags.json") && message.contains("--decoding free"), "{message}");
    bench.ok(&["predict", "compiled", "--task", "home", "in.txt"]);
    predicted(&bench, "turn on the lights\n", &["--decoding", "free"]);
}

#[test]
fn a_run_and_what_was_compiled_of_it_label_alike_in_eight_bits() {
    let bench = trained();
    bench.ok(&["compile", "run", "--task", "home", "--out", "compiled"]);
    let text = "turn on the lights\nstop\nplay some jazz in the kitchen at nine\n";
    std::fs::write(bench.path("in.txt"), text).unwrap();
    let label = |folder: &str, arguments: &[&str]| {
        let call = ["predict", folder, "--task", "home", "in.txt", "--format", "jsonl"];
        bench.ok(&[&call, arguments].concat())
    };
    let int8 = ["--dtype", "int8"];
    let found = label("run", &int8);
    assert_eq!(found, label("compiled", &int8), "methods are merged before weights are rounded");
    bench.ok(&["compile", "run", "--task", "home", "--out", "small", "--dtype", "int8"]);
    assert_eq!(found, label("small", &[]), "its configuration says so");
    let error = bench.fails(2, &["predict", "small", "--task", "home", "in.txt", "--device", "cuda"]);
    assert!(error.contains("--device cuda: int8 runs on the CPU only"), "{error}");
    assert_eq!(found, label("run", &["--dtype", "int8", "--threads", "1"]));
    let confidences = |lines: &str| -> Vec<f64> {
        let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.flat_map(|line| line["confidences"].as_array().unwrap().clone()).map(|c| c.as_f64().unwrap()).collect()
    };
    let differences: Vec<f64> = confidences(&found)
        .iter()
        .zip(confidences(&label("run", &[])))
        .map(|(found, expected)| (found - expected).abs())
        .collect();
    assert_eq!(differences.len(), 13);
    assert!(differences.iter().all(|d| *d < 0.1) && differences.iter().any(|d| *d > 1e-6), "{differences:?}");
}

#[test]
fn eight_bits_are_for_labelling_alone() {
    let bench = Bench::new();
    for verb in [&["train", "--config", "config.toml", "--out", "run"][..], &["bench", "--config", "config.toml"]] {
        let error = bench.fails(2, &[verb, &["--dtype", "int8"]].concat());
        assert!(error.contains("model.dtype is int8, which is for labelling"), "{error}");
        assert!(error.contains("--dtype int8 to predict or eval"), "{error}");
    }
    assert!(!bench.path("run").exists());
}
