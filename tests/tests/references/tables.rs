//! Labels, metrics and probabilities, compared with the reference's tables of values.

use std::fs;

use datasets::labels::{decode, fit, restore, simplify};
use datasets::metrics::{ScoringMode, SpanReport, joined_spans, score};
use datasets::sample::{steps_per_epoch, task_probabilities};
use peft_tests::golden::committed;
use serde_json::Value;

const CLOSE: f64 = 1e-12;

fn golden(name: &str) -> Value {
    let text = fs::read_to_string(committed(name)).unwrap();
    // Python writes the mean over no types as NaN, which is no JSON; the report gives 0 there.
    serde_json::from_str(&text.replace("NaN", "0.0")).unwrap()
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap()
}

fn words(value: &Value) -> Vec<String> {
    list(value).iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}

fn sentences(value: &Value) -> Vec<Vec<String>> {
    list(value).iter().map(words).collect()
}

#[track_caller]
fn is_close(found: f64, expected: &Value, what: &str) {
    let expected = expected.as_f64().unwrap();
    assert!((found - expected).abs() <= CLOSE, "{what}: {found} instead of {expected}");
}

#[test]
fn tags_are_simplified_and_restored_as_by_the_reference() {
    let golden = golden("sbio.json");
    let cases = list(&golden["round_trip"]);
    assert_eq!(cases.len(), 60);
    for case in cases {
        let (bio, sbio) = (words(&case["bio"]), words(&case["sbio"]));
        assert_eq!(simplify(&bio).unwrap(), sbio);
        assert_eq!(restore(&sbio), words(&case["decoded_bio"]));
        let text = case["target_without_sentinels"].as_str().unwrap();
        assert_eq!(decode(text, bio.len()), words(&case["decoded_bio"]));
        assert_eq!(case["round_trip_equal"].as_bool(), Some(restore(&sbio) == bio));
    }
}

fn restored(text: &Value) -> Vec<String> {
    restore(&text.as_str().unwrap().split_whitespace().collect::<Vec<_>>())
}

#[test]
fn malformed_generations_are_scored_as_by_the_authors() {
    let golden = golden("sbio.json");
    let cases = list(&golden["malformed"]);
    assert_eq!(cases.len(), 19);
    for case in cases {
        let gold = restored(&case["gold_text"]);
        assert_eq!(gold, words(&case["gold_bio"]));
        assert_eq!(restored(&case["pred_text"]), words(&case["pred_bio"]));
        let predicted = decode(case["pred_text"].as_str().unwrap(), gold.len());
        assert_eq!(predicted, words(&case["normalised_pred"]));
        let report = score(&[gold], &[predicted], ScoringMode::Default).unwrap();
        is_close(report.micro_f1, &case["micro_f1"], case["case"].as_str().unwrap());
    }
}

#[test]
fn batches_of_generations_are_scored_as_by_the_authors() {
    let golden = golden("sbio.json");
    let batches = list(&golden["batches"]);
    assert_eq!(batches.len(), 10);
    for batch in batches {
        let gold: Vec<Vec<String>> = list(&batch["gold"]).iter().map(restored).collect();
        let texts = words(&batch["pred"]);
        let predicted: Vec<Vec<String>> =
            texts.iter().zip(&gold).map(|(text, gold)| decode(text, gold.len())).collect();
        let report = score(&gold, &predicted, ScoringMode::Default).unwrap();
        is_close(report.micro_f1, &batch["micro_f1"], "micro_f1");
    }
}

fn is_report(report: &SpanReport, expected: &Value) {
    let r = report;
    let averages = [
        ("micro", [r.micro_precision, r.micro_recall, r.micro_f1]),
        ("macro", [r.macro_precision, r.macro_recall, r.macro_f1]),
        ("weighted", [r.weighted_precision, r.weighted_recall, r.weighted_f1]),
    ];
    for (average, found) in averages {
        for (key, found) in ["precision", "recall", "f1"].iter().zip(found) {
            is_close(found, &expected[average][key], &format!("{average} {key}"));
        }
    }
    let per_type = expected["per_type"].as_object().unwrap();
    assert!(report.per_type.keys().eq(per_type.keys()), "{:?} {per_type:?}", report.per_type);
    for (found, (kind, expected)) in report.per_type.values().zip(per_type) {
        is_close(found.precision, &expected["precision"], kind);
        is_close(found.recall, &expected["recall"], kind);
        is_close(found.f1, &expected["f1-score"], kind);
        is_close(found.support as f64, &expected["support"], kind);
    }
}

fn entities(tags: &[Vec<String>]) -> Value {
    let spans = joined_spans(tags, ScoringMode::Default).unwrap();
    spans.iter().map(|span| serde_json::json!([span.kind, span.start, span.end - 1])).collect()
}

#[test]
fn span_scores_equal_seqeval_in_both_modes() {
    let golden = golden("seqeval.json");
    let cases = list(&golden["cases"]);
    assert_eq!(cases.len(), 300);
    for case in cases {
        let (gold, predicted) = (sentences(&case["gold"]), sentences(&case["pred"]));
        assert_eq!(entities(&gold), case["gold_entities"]);
        assert_eq!(entities(&predicted), case["pred_entities"]);
        for (mode, key) in [(ScoringMode::Default, "default"), (ScoringMode::Strict, "strict_iob2")] {
            let report = score(&gold, &predicted, mode).unwrap();
            is_report(&report, &case[key]);
            is_close(report.accuracy, &case["accuracy"], "accuracy");
        }
    }
}

#[test]
fn sequences_of_different_lengths_are_refused_until_they_are_fitted() {
    let golden = golden("seqeval.json");
    let cases = list(&golden["different_lengths"]);
    assert_eq!(cases.len(), 40);
    for case in cases {
        let (gold, predicted) = (sentences(&case["gold"]), sentences(&case["pred"]));
        let refused = case["seqeval_error_without_normalising"].is_string();
        assert_eq!(score(&gold, &predicted, ScoringMode::Default).is_err(), refused);
        let fitted: Vec<Vec<String>> =
            predicted.into_iter().zip(&gold).map(|(tags, gold)| fit(tags, gold.len())).collect();
        assert_eq!(fitted, sentences(&case["normalised_pred"]));
        is_report(&score(&gold, &fitted, ScoringMode::Default).unwrap(), &case["default"]);
    }
}

#[test]
fn task_probabilities_and_epochs_equal_the_references() {
    let golden = golden("sampler.json");
    let distributions = list(&golden["distributions"]);
    assert_eq!(distributions.len(), 12);
    for case in distributions {
        // A JSON object is sorted by key here, the probabilities are in the order of the file.
        let tasks = ["movieTrivia", "movie", "restaurant", "atis", "snips", "mtod", "mtop"];
        let sizes = tasks.map(|task| case["sizes"][task].as_u64().unwrap() as usize);
        let p = task_probabilities(&sizes, case["temperature"].as_f64().unwrap()).unwrap();
        for (p, expected) in p.into_iter().zip(list(&case["p"])) {
            is_close(p, expected, "p");
        }
        let replicas = case["replicas"].as_u64().unwrap() as usize;
        let steps = steps_per_epoch(&sizes, 32, replicas).unwrap();
        assert_eq!(Some(steps as u64), case["steps_per_epoch"].as_u64());
    }
}
