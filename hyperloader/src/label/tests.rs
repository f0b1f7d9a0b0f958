//! Labelling without a configuration: from a model, a tokenizer, and a task's name and tags.
#![allow(clippy::unwrap_used, reason = "tests")]

use datasets::tokenizer::{T5Tokenizer, TrainOptions, train_unigram};
use peft_core::PeftModel;
use peft_t5::{T5, T5Config};

use super::{DecodeOptions, Decoding, LabelTask, Labeller};

fn tokenizer() -> T5Tokenizer {
    let options = TrainOptions { vocab_size: 150, keep_words: ["O", "I", "city"].map(str::to_owned).to_vec() };
    train_unigram(["flights to rome", "from oslo to rome today", "a city in the north"], &options).unwrap()
}

/// A random T5 with the task "ner" and no methods.
fn model(vocab_size: usize) -> PeftModel<T5> {
    let json = format!(
        r#"{{"vocab_size": {vocab_size}, "d_model": 16, "d_kv": 4, "d_ff": 24, "num_layers": 1, "num_heads": 4}}"#
    );
    let config: T5Config = serde_json::from_str(&json).unwrap();
    PeftModel::builder(T5::random(&config, 3).unwrap()).tasks(["ner"]).build().unwrap()
}

#[test]
fn raw_text_and_its_words_get_the_same_tags() {
    let tokenizer = tokenizer();
    let model = model(tokenizer.vocab_size());
    let task = LabelTask::new("ner", &["city"]).unwrap();
    for decoding in [Decoding::Structured, Decoding::Free] {
        let options = DecodeOptions::default().decoding(decoding);
        let labeller = Labeller::new(&model, &tokenizer, task.clone(), &options).unwrap();
        let raw = labeller.label(["flights from oslo", "  rome "]).unwrap();
        assert_eq!(raw, labeller.label([vec!["flights", "from", "oslo"], vec!["rome"]]).unwrap());
        assert_eq!(raw.iter().map(|sentence| sentence.tags.len()).collect::<Vec<_>>(), [3, 1]);
        assert_eq!(raw[1].tokens, ["rome"]);
        let known = |tag: &String| ["O", "B-city", "I-city"].contains(&tag.as_str());
        assert!(decoding == Decoding::Free || raw.iter().all(|sentence| sentence.tags.iter().all(known)));
    }
}

#[test]
fn a_sentence_without_words_has_no_tags_and_changes_no_other() {
    let tokenizer = tokenizer();
    let model = model(tokenizer.vocab_size());
    let labeller =
        Labeller::new(&model, &tokenizer, LabelTask::new("ner", &["city"]).unwrap(), &DecodeOptions::default())
            .unwrap();
    let found = labeller.label(["", "flights to rome", " \t"]).unwrap();
    assert_eq!(found[0], super::TaggedSentence::default());
    assert_eq!(found[2], super::TaggedSentence::default());
    assert_eq!(found[1], labeller.label(["flights to rome"]).unwrap()[0]);
}

#[test]
fn a_task_that_the_model_does_not_know_is_named() {
    let tokenizer = tokenizer();
    let model = model(tokenizer.vocab_size());
    let task = LabelTask::new("slots", &["city"]).unwrap();
    let error = Labeller::new(&model, &tokenizer, task, &DecodeOptions::default()).unwrap_err();
    assert!(error.to_string().contains("slots"), "{error}");
}

#[test]
fn tags_are_bio_tags_or_types() {
    for tags in [&["B-city", "I-city", "O"][..], &["city"], &["I", "O", "city"], &["I-city"]] {
        assert_eq!(LabelTask::new("ner", tags).unwrap().tags, ["I", "O", "city"]);
    }
    for malformed in ["", "B-", "B-O"] {
        assert!(LabelTask::new("ner", &[malformed]).is_err(), "{malformed:?}");
    }
}
