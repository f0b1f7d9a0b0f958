//! From raw text to answers: words, character offsets, formats.

use serde_json::{Value, json};

use crate::common::{Bench, trained};

/// What `predict` writes for `input`, in its lines.
fn lines(bench: &Bench, run: &str, input: &str, arguments: &[&str]) -> Vec<String> {
    std::fs::write(bench.path("in.txt"), input).unwrap();
    let call = [&["predict", run, "--task", "home", "in.txt"], arguments].concat();
    bench.ok(&call).lines().map(str::to_owned).collect()
}

fn objects(bench: &Bench, run: &str, input: &str, arguments: &[&str]) -> Vec<Value> {
    let lines = lines(bench, run, input, &[&["--format", "jsonl"], arguments].concat());
    lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn number(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap()).unwrap()
}

/// The characters `start..end` of `text`.
fn characters(text: &Value, start: &Value, end: &Value) -> String {
    text.as_str().unwrap().chars().take(number(end)).skip(number(start)).collect()
}

/// A run whose configuration has these words, made of the trained run.
fn with_words(bench: &Bench, name: &str, settings: &[&str]) {
    let whole = bench.path(name);
    let status = std::process::Command::new("cp").arg("-a").arg(bench.path("run")).arg(&whole).status().unwrap();
    assert!(status.success());
    let settings = settings.iter().flat_map(|setting| ["--set", setting]);
    let call = ["train", "--config", "config.toml", "--quiet", "--resume", "--out", name];
    bench.ok(&call.into_iter().chain(settings).collect::<Vec<_>>());
}

#[cfg(unix)]
#[test]
fn the_splitter_belongs_to_the_run_and_resume_may_change_it() {
    let bench = trained();
    with_words(&bench, "unicode", &["data.words.splitter=unicode"]);
    let tokens = |run: &str, text: &str| objects(&bench, run, text, &[])[0]["tokens"].clone();
    assert_eq!(tokens("run", "Stop, now!"), json!(["Stop,", "now!"]));
    assert_eq!(tokens("unicode", "Stop, now!"), json!(["Stop", ",", "now", "!"]));
    bench.ok(&["compile", "unicode", "--task", "home", "--out", "compiled"]);
    assert_eq!(tokens("compiled", "東京へ go"), json!(["東", "京", "へ", "go"]));

    with_words(&bench, "digits", &["data.words.splitter=pattern", r"data.words.pattern='\d+'"]);
    assert_eq!(tokens("digits", "at 9 or 10"), json!(["9", "10"]));
    assert_eq!(tokens("digits", "never"), json!([]));
    let wrong = ["train", "--config", "config.toml", "--set", "data.words.splitter=pattern", "--out", "new"];
    let message = bench.fails(2, &wrong);
    assert!(message.contains("data.words.pattern: missing; splitter = \"pattern\" needs"), "{message}");
}

#[cfg(unix)]
#[test]
fn lower_case_is_for_the_model_and_the_answer_keeps_the_text() {
    let bench = trained();
    with_words(&bench, "lower", &["data.words.lowercase=true"]);
    let input = "Turn ON the LIGHTS\nturn on the lights\n";
    let both = objects(&bench, "lower", input, &[]);
    assert_eq!(both[0]["tokens"], json!(["Turn", "ON", "the", "LIGHTS"]));
    assert_eq!((&both[0]["tags"], &both[0]["confidences"]), (&both[1]["tags"], &both[1]["confidences"]));
    let as_it_is = objects(&bench, "run", input, &[]);
    assert_eq!(as_it_is[1], both[1]);
    assert_ne!(as_it_is[0]["confidences"], both[0]["confidences"], "capitals are other tokens");
}

#[test]
fn offsets_count_characters_of_the_line_as_it_is() {
    let bench = trained();
    let input = "  turn\u{a0}on  the 灯り in the Küche 👩‍👩‍👧\r\n\n\tplay e\u{301}toile by שלום at 9\n";
    let answers = objects(&bench, "run", input, &[]);
    assert_eq!(answers.len(), 3);
    assert_eq!(answers[0]["text"], "  turn\u{a0}on  the 灯り in the Küche 👩‍👩‍👧");
    assert_eq!(
        answers[1],
        json!({"text": "", "tokens": [], "offsets": [], "tags": [], "spans": [], "confidences": []})
    );
    let mut spans = 0;
    for answer in &answers {
        for (token, place) in list(&answer["tokens"]).iter().zip(list(&answer["offsets"])) {
            assert_eq!(token.as_str().unwrap(), characters(&answer["text"], &place[0], &place[1]));
        }
        for span in list(&answer["spans"]) {
            assert_eq!(span["text"].as_str().unwrap(), characters(&answer["text"], &span["start"], &span["end"]));
            assert_eq!(span["start"], answer["offsets"][number(&span["word_start"])][0]);
            assert_eq!(span["end"], answer["offsets"][number(&span["word_end"]) - 1][1]);
            let words = &list(&answer["confidences"])[number(&span["word_start"])..number(&span["word_end"])];
            let mean = words.iter().map(|c| c.as_f64().unwrap()).sum::<f64>() / words.len() as f64;
            assert!((mean - span["score"].as_f64().unwrap()).abs() < 1e-6);
            spans += 1;
        }
    }
    assert!(spans > 0, "nothing was compared");
}

#[test]
fn inline_and_html_keep_the_text_between_spans() {
    let bench = trained();
    let input = "  turn on  the\tlights, please \n";
    let spans = objects(&bench, "run", input, &[])[0]["spans"].clone();
    assert!(!list(&spans).is_empty());
    let inline = lines(&bench, "run", input, &["--format", "inline"]).join("\n");
    let mut expected = String::new();
    let mut next = json!(0);
    let text = json!(input.trim_end_matches('\n'));
    for span in list(&spans) {
        expected += &characters(&text, &next, &span["start"]);
        expected += &format!("[{}]({})", span["text"].as_str().unwrap(), span["type"].as_str().unwrap());
        next = span["end"].clone();
    }
    expected += &characters(&text, &next, &json!(1000));
    assert_eq!(inline, expected);
    let html = bench.ok(&["predict", "run", "--task", "home", "in.txt", "--format", "html"]);
    let paragraph = html.lines().find(|line| line.starts_with("<p")).unwrap();
    assert!(paragraph.starts_with("<p dir=\"auto\">"));
    let mut shown = paragraph.to_owned();
    while let Some((before, rest)) = shown.split_once("<small>") {
        shown = format!("{before}{}", rest.split_once("</small>").unwrap().1);
    }
    let mut plain = String::new();
    for part in shown.split('<').skip(1) {
        plain += part.split_once('>').unwrap().1;
    }
    assert_eq!(plain, text.as_str().unwrap());
}

#[test]
fn words_and_objects_are_labelled_like_the_text_that_they_make() {
    let bench = trained();
    let text = lines(&bench, "run", "turn on the lights\n", &["--format", "jsonl"]).remove(0);
    let words = &["--format", "jsonl", "--input-format", "words"];
    assert_eq!(lines(&bench, "run", " turn  on\tthe lights \n", words), [text.as_str()]);
    let input = r#"{"text": "turn on the lights", "id": {"b": [1.50, null], "a": 1e400}, "more": 5}

{"tokens": ["turn on", "lights"]}
"#;
    let answers = lines(&bench, "run", input, &["--input-format", "jsonl", "--format", "jsonl"]);
    assert!(answers[0].starts_with(r#"{"id":{"b": [1.50, null], "a": 1e400},"text":"turn"#), "{}", answers[0]);
    assert!(answers[1].starts_with(r#"{"text":"","tokens":[],"#), "a blank line is answered");
    let pair: Value = serde_json::from_str(&answers[2]).unwrap();
    assert_eq!((&pair["text"], &pair["offsets"]), (&json!("turn on lights"), &json!([[0, 7], [8, 14]])));
    let input = r#"{"tokens": ["turn", "on", "the", "lights"], "id": null}"#;
    let alone = lines(&bench, "run", input, &["--input-format", "jsonl", "--format", "jsonl"]);
    assert_eq!(alone, [text.replacen('{', r#"{"id":null,"#, 1)]);
}

#[test]
fn a_line_that_is_no_text_is_named_after_the_lines_before_it_are_answered() {
    let bench = trained();
    for (line, reason) in [
        (r#"{"text": 5}"#, "text: expected text, found the number 5"),
        (r#"{"text": null}"#, "text: expected text, found null"),
        (r#"{"tokens": "stop"}"#, "tokens: expected a list of words, found text"),
        (r#"{"tokens": ["stop", ["now"]]}"#, "tokens.1: expected text, found a list"),
        (r#"{"tokens": ["stop", " "]}"#, "tokens.1: a blank word; leave it out"),
        (r#"{"text": "stop", "tokens": ["stop"]}"#, "text and tokens; expected one of the two"),
        (r#"{"id": 3}"#, "neither text nor tokens; expected {\"text\": \"..\"} or {\"tokens\": [..]}"),
        ("stop", "expected a JSON object with \"text\" or \"tokens\"; for plain text give --input-format text"),
        (r#"{"text": "stop""#, "not JSON: "),
    ] {
        std::fs::write(bench.path("in.jsonl"), format!("{{\"text\": \"go\"}}\n{line}\n{{\"text\": \"go\"}}\n"))
            .unwrap();
        let output = bench.run(&["predict", "run", "--task", "home", "in.jsonl", "--input-format", "jsonl"]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{line}: {stderr}");
        assert!(stderr.contains(&format!("in.jsonl:2: {reason}")), "{stderr}");
        assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 2, "the first line is answered");
    }
}

#[test]
fn a_document_is_one_text_and_its_sentences_are_labelled_apart() {
    let bench = trained();
    let text = "Turn on the lights. Then stop!\r\n\nPlay some jazz in the Küche";
    let whole = objects(&bench, "run", &format!("{text}\n"), &["--document"]);
    assert_eq!((whole.len(), &whole[0]["text"]), (1, &json!(text)));
    let apart = &objects(&bench, "run", text, &["--document", "--split-sentences"])[0];
    for key in ["text", "tokens", "offsets"] {
        assert_eq!(apart[key], whole[0][key]);
    }
    let alone = objects(&bench, "run", "Turn on the lights. \nThen stop!\nPlay some jazz in the Küche\n", &[]);
    for key in ["tokens", "tags", "confidences"] {
        let joined: Vec<&Value> = alone.iter().flat_map(|sentence| list(&sentence[key])).collect();
        assert_eq!(list(&apart[key]).iter().collect::<Vec<_>>(), joined, "{key}");
    }
    for span in list(&apart["spans"]) {
        assert_eq!(span["text"].as_str().unwrap(), characters(&apart["text"], &span["start"], &span["end"]));
    }
    assert_eq!(lines(&bench, "run", "", &["--document", "--format", "hf"]), ["[]"]);
    let refused = ["predict", "run", "--task", "home", "in.txt", "--document", "--input-format", "jsonl"];
    assert!(bench.fails(2, &refused).contains("--document: only a raw text"));
    std::fs::write(bench.path("in.txt"), b"stop\nst\xffop\n").unwrap();
    let message = bench.fails(1, &["predict", "run", "--task", "home", "in.txt", "--document"]);
    assert!(message.contains("in.txt:2: invalid UTF-8 after byte 2 of the line"), "{message}");
}

#[test]
fn a_threshold_drops_spans_in_every_format() {
    let bench = trained();
    let input = "turn on the lights\nplay some jazz in the kitchen at nine\nset an alarm for six\n";
    let all = objects(&bench, "run", input, &[]);
    let mut scores: Vec<f64> =
        all.iter().flat_map(|line| list(&line["spans"])).map(|span| span["score"].as_f64().unwrap()).collect();
    scores.sort_by(f64::total_cmp);
    let threshold = scores[scores.len() / 2];
    let dropped = scores.iter().filter(|score| **score < threshold).count();
    assert!(dropped > 0 && dropped < scores.len(), "{scores:?}");
    let option = threshold.to_string();
    let kept = objects(&bench, "run", input, &["--threshold", &option]);
    for (all, kept) in all.iter().zip(&kept) {
        let stays = |span: &&Value| span["score"].as_f64().unwrap() >= threshold;
        let expected: Vec<&Value> = list(&all["spans"]).iter().filter(stays).collect();
        assert_eq!(list(&kept["spans"]).iter().collect::<Vec<_>>(), expected);
        let inside = list(&kept["tags"]).iter().filter(|tag| **tag != "O").count();
        let words = expected.iter().map(|span| number(&span["word_end"]) - number(&span["word_start"]));
        assert_eq!(inside, words.sum::<usize>());
        assert_eq!(kept["confidences"], all["confidences"]);
    }
    let spans: Vec<Value> = lines(&bench, "run", input, &["--threshold", &option, "--format", "hf"])
        .iter()
        .flat_map(|line| list(&serde_json::from_str::<Value>(line).unwrap()).to_vec())
        .collect();
    assert_eq!(spans.len(), scores.len() - dropped);
    let tags = lines(&bench, "run", input, &["--threshold", &option, "--format", "bio"]);
    assert_eq!(tags.iter().filter(|line| line.contains("\tB-")).count(), spans.len());
    for wrong in ["1.5", "-0.1", "nan", "much"] {
        let call = ["predict", "run", "--task", "home", &format!("--threshold={wrong}")];
        assert!(bench.fails(2, &call).contains("expected a number from 0 to 1"), "{wrong}");
    }
}

#[test]
fn hf_has_the_spans_of_jsonl_under_the_pipelines_keys() {
    let bench = trained();
    let input = "turn on the lights\n\nplay some jazz in the Küche at nine\n";
    let spans = objects(&bench, "run", input, &[]);
    let groups = lines(&bench, "run", input, &["--format", "hf"]);
    assert_eq!(groups.len(), 3);
    for (spans, groups) in spans.iter().zip(groups) {
        let expected: Vec<Value> = list(&spans["spans"])
            .iter()
            .map(|s| json!({"entity_group": s["type"], "score": s["score"], "word": s["text"], "start": s["start"], "end": s["end"]}))
            .collect();
        assert_eq!(serde_json::from_str::<Value>(&groups).unwrap(), json!(expected));
    }
    for option in [&["--format", "hf"][..], &["--threshold", "0.5"]] {
        let call = [&["predict", "run", "--task", "home", "--decoding", "free"], option].concat();
        assert!(bench.fails(2, &call).contains("needs structured decoding"));
    }
}

#[test]
fn free_decoding_has_spans_without_scores() {
    let bench = trained();
    let line = &objects(&bench, "run", "turn on the lights\n", &["--decoding", "free"])[0];
    assert!(line.get("confidences").is_none() && list(&line["spans"]).iter().all(|span| span.get("score").is_none()));
}
