//! The data verbs on small files. `tests/tests/shared` runs them on the real corpora.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::Path;

use clap::Parser;
use datasets::read::{ReadOptions, read};
use datasets::tokenizer::{TrainOptions, train_unigram};

use super::*;
use crate::cli::args::{Cli, Verb};

const CORPUS: &str =
    "O\tflights\nO\tto\nB-city\tlos\nI-city\tangeles\n\nO\tto\nB-city\trome\nB-day\ttoday\n\nO\tnow\n\n";

/// Runs `hyperloader data …`; `{}` in the line is the folder.
fn run(line: &str, folder: &Path) -> Result<String, String> {
    let line = format!("hyperloader data {line}").replace("{}", folder.to_str().unwrap());
    let Verb::Data(args) = Cli::try_parse_from(line.split(' ')).map_err(|e| e.to_string())?.verb else {
        panic!("{line} is no data verb");
    };
    let mut out = Vec::new();
    data(&args.verb, &mut out).map_err(|e| e.to_string())?;
    Ok(String::from_utf8(out).unwrap())
}

fn folder(corpus: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("train.bio"), corpus).unwrap();
    let options = TrainOptions { vocab_size: 150, keep_words: ["O", "I", "city", "day"].map(str::to_owned).to_vec() };
    let text = ["flights to los angeles", "to rome today now"];
    train_unigram(text, &options).unwrap().save(dir.path().join("tokenizer.json")).unwrap();
    dir
}

#[test]
fn inspect_counts_what_is_there() {
    let dir = folder(CORPUS);
    let report = run("inspect {}/train.bio --json", dir.path()).unwrap();
    let json: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(json["format"], "bio");
    assert_eq!((&json["sentences"], &json["tokens"], &json["distinct_tokens"]), (&3.into(), &8.into(), &7.into()));
    assert_eq!((&json["outside"], &json["spans"]), (&4.into(), &3.into()));
    assert_eq!(json["types"]["city"], serde_json::json!({"spans": 2, "begin": 2, "inside": 1}));
    assert_eq!(json["types"]["day"], serde_json::json!({"spans": 1, "begin": 1, "inside": 0}));
    assert_eq!((&json["sentence_length"]["min"], &json["sentence_length"]["max"]), (&1.into(), &4.into()));
    assert_eq!((&json["bad_lines"], &json["truncation"]), (&serde_json::json!([]), &serde_json::Value::Null));
}

#[test]
fn inspect_is_a_table_for_people() {
    let dir = folder(CORPUS);
    let report = run("inspect {}/train.bio", dir.path()).unwrap();
    let lines: Vec<&str> = report.lines().skip(1).collect();
    let expected = [
        "read as     columns: tokens 2, tags 1 of 2; tag scheme iob2; utf-8, line ends \\n",
        "sentences   3",
        "tokens      8 (7 different, 4 outside of spans)",
        "spans       3 of 2 types",
        "length      min 1, 25 % 1, median 3, 75 % 4, 95 % 4, 99 % 4, max 4, mean 2.7",
        "bad lines   0",
        "",
        "type     spans         B         I",
        "city         2         2         1",
        "day          1         1         0",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn inspect_shows_bad_lines_where_training_would_stop() {
    let dir = folder("O\tfine\n\nQ\tbad\n\nO\tfine\n");
    let report = run("inspect {}/train.bio", dir.path()).unwrap();
    assert!(report.contains("bad lines   1\n"), "{report}");
    assert!(report.contains("train.bio:3: "), "{report}");
    let error = run("convert {}/train.bio {}/o.bio --to bio", dir.path()).unwrap_err();
    assert!(error.contains("train.bio:3: "), "{error}");
    let skipped = run("convert {}/train.bio {}/o.bio --to bio --skip-bad-lines", dir.path()).unwrap();
    assert!(skipped.ends_with("o.bio: 2 sentences as bio, 1 bad left out\n"), "{skipped}");
}

#[test]
fn inspect_with_a_tokenizer_counts_what_is_cut() {
    let dir = folder(CORPUS);
    let report = |limit: usize| {
        let line = format!("inspect {{}}/train.bio --tokenizer {{}} --max-target-length {limit} --json");
        serde_json::from_str::<serde_json::Value>(&run(&line, dir.path()).unwrap()).unwrap()["truncation"].clone()
    };
    // Targets: 2 n + 2 ids where every tag is one token, for sentences of 4, 3 and 1 words.
    let whole = report(10);
    assert_eq!((&whole["sources_cut"], &whole["targets_cut"]), (&0.into(), &0.into()));
    assert_eq!((&whole["target_tokens"]["min"], &whole["target_tokens"]["max"]), (&4.into(), &10.into()));
    assert_eq!(report(9)["targets_cut"], 1);
    assert_eq!(report(7)["targets_cut"], 2);
}

#[test]
fn inspect_compares_with_other_splits() {
    let dir = folder(CORPUS);
    std::fs::write(dir.path().join("test.bio"), "O\tnow\n\nB-age\tnew\n").unwrap();
    let report = run("inspect {}/train.bio --test {}/test.bio", dir.path()).unwrap();
    assert!(report.contains("warning     1 types of test are not in train (1 spans), for example `age`\n"), "{report}");
    assert!(report.contains("warning     1 of 2 sentences of test are also in train"), "{report}");
}

#[test]
fn a_scheme_is_recognized_named_and_written() {
    let dir = folder("I-city\tlos\nI-city\tangeles\nO\tto\nI-city\trome\n\nO\tnow\n");
    let report = run("inspect {}/train.bio", dir.path()).unwrap();
    assert!(report.contains("tag scheme io or iob1") && report.contains("all 2 spans begin with I-"), "{report}");
    run("convert {}/train.bio {}/o.bio --to bio --scheme bioes", dir.path()).unwrap();
    let written = std::fs::read_to_string(dir.path().join("o.bio")).unwrap();
    assert!(written.starts_with("los\tB-city\nangeles\tE-city\nto\tO\nrome\tS-city\n"), "{written}");
    let given = run("inspect {}/train.bio --scheme iob2", dir.path()).unwrap();
    assert!(given.contains("tag scheme iob2; 2 of its spans begin with I-"), "{given}");
}

#[test]
fn converting_there_and_back_keeps_every_sentence() {
    let dir = folder(CORPUS);
    let original = read(dir.path().join("train.bio"), &ReadOptions::default()).unwrap();
    for (format, name) in
        [("jsonl", "a.jsonl"), ("csv", "a.csv"), ("parquet", "a.parquet"), ("bio", "a.bio"), ("seq", "a")]
    {
        let said = run(&format!("convert {{}}/train.bio {{}}/{name} --to {format}"), dir.path()).unwrap();
        assert!(said.ends_with(&format!("{name}: 3 sentences as {format}\n")), "{said}");
        let again = read(dir.path().join(name), &ReadOptions::default()).unwrap();
        let plain =
            |d: &datasets::Dataset| d.examples.iter().map(|e| (e.tokens.clone(), e.tags.clone())).collect::<Vec<_>>();
        assert_eq!(plain(&again), plain(&original), "{format}");
    }
}

#[test]
fn a_sample_on_stdout_can_be_read_again() {
    let dir = folder(CORPUS);
    let lines = run("sample {}/train.bio -n 2 --seed 1", dir.path()).unwrap();
    assert_eq!(lines.lines().count(), 2);
    assert_eq!(lines, run("sample {}/train.bio -n 2 --seed 1", dir.path()).unwrap());
    let path = dir.path().join("sample.jsonl");
    std::fs::write(&path, &lines).unwrap();
    assert_eq!(read(&path, &ReadOptions::default()).unwrap().examples.len(), 2);
}

#[test]
fn a_sample_goes_into_a_file() {
    let dir = folder(CORPUS);
    let said = run("sample {}/train.bio --fraction 0.7 --out {}/part.bio --to bio", dir.path()).unwrap();
    assert!(said.ends_with("part.bio: 2 of 3 sentences as bio\n"), "{said}");
    assert!(run("sample {}/train.bio --fraction 1.5", dir.path()).unwrap_err().contains("fraction 1.5"));
}

#[test]
fn timing_covers_all_sentences_and_every_part() {
    let dir = folder(CORPUS);
    let json = run("tokenize {}/train.bio --tokenizer {} --timing --json", dir.path()).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["sentences"], 3);
    assert!(json["padded_ids"].as_u64() > json["ids"].as_u64());
    let ms = |key: &str| json[key].as_f64().unwrap();
    assert!((ms("total_ms") - ms("read_ms") - ms("encode_ms") - ms("bucket_ms")).abs() < 1e-9);
    assert!(ms("tokenizer_ms") > 0. && ms("cached_ms") > 0.);
    let table = run("tokenize {}/train.bio --tokenizer {} --timing", dir.path()).unwrap();
    assert!(table.starts_with("3 sentences") && table.contains("from cache"), "{table}");
}

#[test]
fn tokenize_shows_what_the_model_reads_and_writes() {
    let dir = folder(CORPUS);
    let json = run("tokenize {}/train.bio --tokenizer {} -n 1 --json", dir.path()).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let source = json["source"]["text"].as_str().unwrap();
    assert!(
        source.starts_with("<extra_id_0> flights<extra_id_1>")
            || source.starts_with("<extra_id_0> flights <extra_id_1>"),
        "{source}"
    );
    assert!(json["target"]["text"].as_str().unwrap().contains("city"), "{json}");
    assert_eq!((&json["line"], &json["target"]["truncated"]), (&1.into(), &false.into()));
    let cut = run("tokenize {}/train.bio --tokenizer {} --max-target-length 5", dir.path()).unwrap();
    assert_eq!(cut.matches("5 ids, CUT").count(), 2, "{cut}");
    assert!(cut.starts_with("sentence 1 (line 1)\n  source  <extra_id_0> flights"), "{cut}");
}
