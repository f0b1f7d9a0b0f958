//! Labelling and scoring in shards: what several processes make together is what one process makes.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use datasets::read::rows::{RowText, TextRows};
use datasets::read::{Dataset, Format, read, write};
use peft_files::verify_manifest;
use serde_json::Value;

use crate::common::{Bench, bytes, trained};

/// Texts of several lengths, with blank lines, both line ends, and none at the end.
fn text(lines: usize) -> String {
    let some = ["turn on the lights", "", "play some jazz in the kitchen at nine", "stop", "xyzzy ☃ !"];
    let ends = ["\n", "\r\n", "\n", "\n\n"];
    let line = |n: usize| format!("{} {n}{}", some[n % 5], ends[n % 4]);
    (0..lines).map(line).collect::<String>() + "no end"
}

/// The arguments of `predict` for a file.
fn predict<'a>(input: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["predict", "run", "--task", "home", input], more].concat()
}

/// Labels shard after shard into the folder `out`; what was said of the last.
fn all_shards(bench: &Bench, input: &str, count: usize, more: &[&str]) -> String {
    let mut said = String::new();
    for index in 0..count {
        let shard = format!("{index}/{count}");
        said = bench.ok(&predict(input, &[more, &["--out", "out", "--shard", &shard]].concat()));
    }
    said
}

/// The files of all parts, one after the other.
fn joined(folder: &Path) -> Vec<u8> {
    let manifest = verify_manifest(folder).unwrap();
    manifest.files.keys().flat_map(|name| bytes(&folder.join(name))).collect()
}

#[test]
fn shards_together_are_the_output_of_one_process() {
    let bench = trained();
    std::fs::write(bench.path("in.txt"), format!("\u{feff}{}", text(23))).unwrap();
    let objects = (0..9).map(|n| format!("{{\"id\": [{n}], \"tokens\": [\"stop\", \"no{n}\"]}}\n")).collect::<String>();
    std::fs::write(bench.path("in.jsonl"), objects).unwrap();
    for (input, count, more) in [
        ("in.txt", 4, &["--format", "bio"][..]),
        ("in.txt", 3, &["--format", "inline", "--split-sentences"]),
        ("in.jsonl", 2, &["--format", "jsonl", "--input-format", "jsonl", "--n-best", "2"]),
        ("in.jsonl", 12, &["--format", "hf", "--input-format", "jsonl", "--threshold", "0.1"]),
    ] {
        let whole = bench.ok(&predict(input, more));
        let said = all_shards(&bench, input, count, more);
        assert!(said.ends_with(&format!("manifest.json: all {count} shards are finished\n")), "{said}");
        assert_eq!(String::from_utf8(joined(&bench.path("out"))).unwrap(), whole, "{more:?}");
        std::fs::remove_dir_all(bench.path("out")).unwrap();
        bench.ok(&predict(input, &[more, &["--out", "whole"]].concat()));
        assert_eq!(bytes(&bench.path("whole")), whole.as_bytes(), "a file instead of standard output");
    }
}

#[test]
fn a_finished_shard_is_left_and_a_lost_one_is_made_again() {
    let bench = trained();
    std::fs::write(bench.path("in.txt"), text(9)).unwrap();
    let shard = |shard: &str| bench.ok(&predict("in.txt", &["--out", "out", "--shard", shard]));
    assert!(shard("1/2").contains("1 of 2 shards are not finished"));
    assert!(!bench.path("out/manifest.json").exists());
    let part = bench.path("out/part-00001-of-00002.bio");
    let written = part.metadata().unwrap().modified().unwrap();
    assert!(shard("1/2").contains("texts, finished before\n"));
    assert_eq!(part.metadata().unwrap().modified().unwrap(), written);
    let said = shard("0/2");
    assert!(said.contains("all 2 shards are finished") && !said.contains("before"), "{said}");
    let before = joined(&bench.path("out"));
    std::fs::remove_file(&part).unwrap();
    assert!(!shard("1/2").contains("finished before"));
    assert_eq!(joined(&bench.path("out")), before);
}

#[test]
fn shards_of_something_else_are_refused() {
    let bench = trained();
    std::fs::write(bench.path("in.txt"), text(9)).unwrap();
    let out = ["--out", "out", "--shard"];
    bench.ok(&predict("in.txt", &[&out[..], &["0/2"]].concat()));
    for (arguments, difference) in [
        (&["1/3"][..], "the number of shards: 2 in the folder, 3 now"),
        (&["1/2", "--format", "inline"], "--format: bio in the folder, inline now"),
        (&["1/2", "--threshold", "0.5"], "--threshold: not set in the folder, 0.5 now"),
        (&["1/2", "--dtype", "bf16"], "--dtype: f32 in the folder, bf16 now"),
    ] {
        let message = bench.fails(2, &predict("in.txt", &[&out[..], arguments].concat()));
        assert!(message.contains(difference), "{message}");
    }
    bench.ok(&["train", "--config", "config.toml", "--set", "seed=8", "--out", "other", "--quiet"]);
    let other = ["predict", "other", "--task", "home", "in.txt", "--out", "out", "--shard", "1/2"];
    assert!(bench.fails(2, &other).contains("the content of the run's weights"));
    std::fs::write(bench.path("in.txt"), text(10)).unwrap();
    let message = bench.fails(2, &predict("in.txt", &[&out[..], &["1/2"]].concat()));
    assert!(message.contains("the content of the input"), "{message}");
    let message = bench.fails(2, &predict("in.txt", &["--out", "run", "--shard", "1/2"]));
    assert!(message.contains("is not one of shards"), "{message}");
}

#[test]
fn a_line_that_changed_between_the_samples_is_found_by_its_shard() {
    let bench = trained();
    let mut lines: String = (0..20_000).map(|n| format!("turn on the lights in room number {n:06}\n")).collect();
    std::fs::write(bench.path("in.txt"), &lines).unwrap();
    let call = predict("in.txt", &["--out", "out", "--shard", "0/2000"]);
    assert!(bench.ok(&call).contains("1999 of 2000 shards are not finished"));
    // Less than a block at the start is sampled, and a shard has 400 bytes.
    let shard = lines.len() as u64 * 12 / 2000;
    let call = predict("in.txt", &["--out", "out", "--shard", "12/2000"]);
    bench.ok(&call);
    let place = shard as usize + 100;
    assert!(place > 4096 && place < lines.len() / 64);
    lines.replace_range(place..=place, "\n");
    std::fs::write(bench.path("in.txt"), &lines).unwrap();
    let message = bench.fails(2, &call);
    assert!(message.contains("in.txt: the text of shard 12/2000 has changed"), "{message}");
}

/// Starts the command and kills it as soon as it has begun with its output.
fn kill_while_it_writes(bench: &Bench, arguments: &[&str], part: &str) {
    let mut child = bench.command(arguments).stdout(Stdio::null()).spawn().unwrap();
    let folder = bench.path("out");
    let begun = || {
        let items = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        items.filter_map(|item| item.file_name().into_string().ok()).any(|name| name.starts_with(part))
    };
    let start = Instant::now();
    while !begun() && start.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success(), "it was killed");
}

#[test]
fn sixteen_shards_by_four_processes_of_which_one_is_killed_are_the_whole() {
    let bench = trained();
    std::fs::write(bench.path("in.txt"), text(1600)).unwrap();
    let shards: Vec<String> = (0..16).map(|index| format!("{index}/16")).collect();
    let call = |shard: usize| {
        predict("in.txt", &["--format", "jsonl", "--out", "out", "--threads", "1", "--shard", &shards[shard]])
    };
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let (bench, call) = (&bench, &call);
            scope.spawn(move || {
                for shard in (worker..16).step_by(4) {
                    if shard == 6 {
                        kill_while_it_writes(bench, &call(shard), "part-00006");
                        assert!(!bench.path("out/part-00006-of-00016.jsonl").exists(), "no half of a part");
                    }
                    bench.ok(&call(shard));
                }
            });
        }
    });
    let whole = bench.ok(&predict("in.txt", &["--format", "jsonl"]));
    assert!(joined(&bench.path("out")) == whole.as_bytes());
    let left = std::fs::read_dir(bench.path("out")).unwrap().count();
    assert_eq!(left, 16 + 3, "parts, job.json, records and manifest.json; nothing of the killed process");
}

#[test]
fn the_scheduler_says_which_shard() {
    let bench = trained();
    std::fs::write(bench.path("in.txt"), text(9)).unwrap();
    let call = |shard| predict("in.txt", &["--out", "out", "--shard", shard]);
    let run = |shard, variables: &[(&str, &str)]| {
        let mut command = bench.command(&call(shard));
        for name in ["SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_MIN", "JOB_COMPLETION_INDEX"] {
            command.env_remove(name);
        }
        let output = command.envs(variables.iter().copied()).output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code().unwrap(), text)
    };
    let array = [("SLURM_ARRAY_TASK_ID", "2"), ("SLURM_ARRAY_TASK_COUNT", "2"), ("SLURM_ARRAY_TASK_MIN", "1")];
    let (code, said) = run("auto", &array);
    assert!(code == 0 && said.contains("part-00001-of-00002.bio"), "{said}");
    let (code, said) = run("auto/2", &[("JOB_COMPLETION_INDEX", "0")]);
    assert!(code == 0 && said.contains("all 2 shards are finished"), "{said}");
    let (code, said) = run("auto", &[("JOB_COMPLETION_INDEX", "0")]);
    assert!(code == 2 && said.contains("give auto/N"), "{said}");
    let (code, said) = run("auto", &[]);
    assert!(code == 2 && said.contains("give the shard as I/N"), "{said}");
}

#[test]
fn what_cannot_be_cut_is_refused_before_anything_is_written() {
    let bench = trained();
    std::fs::write(bench.path("in.txt"), text(3)).unwrap();
    std::fs::write(bench.path("in.gz"), b"\x1f\x8b\x08").unwrap();
    for (input, more, reason) in [
        ("in.txt", &["--document"][..], "a document is one text"),
        ("in.txt", &["--format", "html"], "pages cannot be put together"),
        ("in.txt", &["--format", "parquet"], "keeps the columns of a Parquet file"),
        ("in.gz", &[], "compressed, or UTF-16"),
        ("-", &[], "standard input cannot be cut"),
        ("none.txt", &[], "no such file"),
    ] {
        let code = if input == "none.txt" { 1 } else { 2 };
        let message = bench.fails(code, &predict(input, &[more, &["--out", "out", "--shard", "0/2"]].concat()));
        assert!(message.contains(reason), "{message}");
        assert!(!bench.path("out").exists());
    }
    assert!(bench.fails(2, &predict("in.txt", &["--shard", "0/2"])).contains("--out"));
    assert!(bench.fails(2, &predict("in.txt", &["--out", "out", "--shard", "2/2"])).contains("1/2"));
}

#[test]
fn a_bad_line_of_a_shard_is_named_by_its_byte_and_leaves_no_part() {
    let bench = trained();
    std::fs::write(bench.path("in.txt"), b"one\ntwo\nthree\nfo\xffur\n").unwrap();
    let call = |shard| predict("in.txt", &["--out", "out", "--shard", shard]);
    let message = bench.fails(1, &call("1/2"));
    assert!(message.contains("in.txt: the line at byte 14: invalid UTF-8 after byte 2 of the line"), "{message}");
    bench.ok(&call("0/2"));
    let parts = std::fs::read_dir(bench.path("out")).unwrap().flatten();
    let parts: Vec<_> = parts.filter(|item| item.file_name().to_string_lossy().starts_with("part-")).collect();
    assert_eq!(parts.len(), 1, "{parts:?}");
    let message = bench.fails(1, &predict("in.txt", &["--out", "whole"]));
    assert!(message.contains("in.txt:4: invalid UTF-8") && !bench.path("whole").exists(), "{message}");
}

/// The lists of words in a column of a Parquet file.
fn column(path: &Path, name: &str) -> Vec<RowText> {
    let rows = TextRows::open(path, Some(name)).unwrap();
    rows.rows(0..rows.len()).flat_map(|part| part.unwrap().texts).collect()
}

#[test]
fn rows_of_parquet_keep_their_columns_and_get_the_answers_of_the_same_words() {
    let bench = trained();
    let mut data: Dataset = read(bench.path("home.train.bio"), &Default::default()).unwrap();
    data.examples.truncate(11);
    write(&data, bench.path("in.parquet"), Format::Parquet).unwrap();
    let words = data.examples.iter().map(|example| format!("{}\n", example.tokens.join(" ")));
    std::fs::write(bench.path("in.txt"), words.collect::<String>()).unwrap();
    let lines = bench.ok(&predict("in.txt", &["--input-format", "words", "--format", "jsonl"]));
    assert_eq!(bench.ok(&predict("in.parquet", &["--format", "jsonl"])), lines, "rows in, lines out");
    let tags = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["tags"].clone());
    let tags = tags.map(|tags| RowText::Words(serde_json::from_value(tags).unwrap())).collect::<Vec<_>>();
    bench.ok(&predict("in.parquet", &["--format", "parquet", "--out", "whole.parquet"]));
    all_shards(&bench, "in.parquet", 3, &["--format", "parquet"]);
    let manifest = verify_manifest(bench.path("out")).unwrap();
    let parts: Vec<_> = manifest.files.keys().map(|name| bench.path("out").join(name)).collect();
    for (name, expected) in [
        ("predicted_tags", tags),
        ("tokens", column(&bench.path("in.parquet"), "tokens")),
        ("tags", column(&bench.path("in.parquet"), "tags")),
    ] {
        assert_eq!(column(&bench.path("whole.parquet"), name), expected, "{name}");
        let joined: Vec<_> = parts.iter().flat_map(|part| column(part, name)).collect();
        assert_eq!(joined, expected, "{name} in parts");
    }
    let again = bench.fails(1, &predict("whole.parquet", &["--format", "parquet", "--out", "twice.parquet"]));
    assert!(again.contains("`predicted_tokens` already"), "{again}");
    let message = bench.fails(1, &predict("in.parquet", &["--column", "token"]));
    assert!(message.contains("did you mean `tokens`?"), "{message}");
}

#[test]
fn counts_of_shards_add_up_to_the_scores_of_one_process() {
    let bench = trained();
    let report = |text: String| {
        let mut report: Value = serde_json::from_str(&text).unwrap();
        for task in report["tasks"].as_object_mut().unwrap().values_mut() {
            task.as_object_mut().unwrap().remove("seconds");
        }
        report
    };
    let whole = report(bench.ok(&["eval", "run", "--json", "--predictions"]));
    let files = ["travel", "home"].map(|task| bench.path(&format!("run/predictions/test/{task}.jsonl")));
    let predictions = files.each_ref().map(|file| bytes(file));
    files.iter().for_each(|file| std::fs::remove_file(file).unwrap());
    let shard = |shard: &str| bench.ok(&["eval", "run", "--predictions", "--shard", shard]);
    assert!(shard("0/3").contains("2 of 3 shards are not finished"));
    let message = bench.fails(2, &["eval", "merge", "run"]);
    assert!(message.contains("2 of 3 shards are not finished: 1, 2"), "{message}");
    assert!(
        bench.fails(2, &["eval", "run", "--shard", "1/3"]).contains("--predictions: true in the folder, false now")
    );
    shard("1/3");
    assert!(shard("1/3").contains("finished before"));
    assert!(shard("2/3").contains("eval merge"));
    std::fs::remove_file(bench.path("run/eval/test.json")).unwrap();
    assert_eq!(report(bench.ok(&["eval", "merge", "run", "--json"])), whole);
    assert_eq!(report(String::from_utf8(bytes(&bench.path("run/eval/test.json"))).unwrap()), whole);
    assert!(files.each_ref().map(|file| bytes(file)) == predictions, "the predictions differ");
    assert!(bench.fails(2, &["eval", "merge", "run"]).contains("no shards to merge"));
}
