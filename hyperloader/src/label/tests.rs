//! Labelling without a configuration: from a model, a tokenizer, and a task's name and tags.
#![allow(clippy::unwrap_used, clippy::single_range_in_vec_init, reason = "tests; lists of ranges")]

use datasets::tokenizer::{T5Tokenizer, TrainOptions, train_unigram};
use datasets::words::{Splitter, WordSplitter, WordsConfig};
use peft_core::PeftModel;
use peft_t5::{T5, T5Config};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::{Answer, DecodeOptions, Decoding, Item, LabelTask, Labeller, TaggedSentence};

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
        let words = labeller.label([vec!["flights", "from", "oslo"], vec!["rome"]]).unwrap();
        assert_eq!(raw[0], words[0]);
        let found =
            |sentence: &TaggedSentence| (sentence.tokens.clone(), sentence.tags.clone(), sentence.confidences.clone());
        assert_eq!(found(&raw[1]), found(&words[1]));
        assert_eq!((&raw[1].offsets, &words[1].offsets), (&vec![2..6], &vec![0..4]), "blanks are part of the text");
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
    let empty = |text: &str| TaggedSentence { text: text.to_owned(), ..TaggedSentence::default() };
    assert_eq!((&found[0], &found[2]), (&empty(""), &empty(" \t")));
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

/// Text of all that makes offsets hard.
fn hard_text() -> impl Strategy<Value = String> {
    let parts = prop::sample::select(vec![
        "a",
        "rome",
        "oslo.",
        "Zürich",
        "e\u{301}",
        "\u{301}",
        " ",
        " ",
        "  ",
        "\r\n",
        "\n",
        "\u{a0}",
        "\u{3000}",
        "\u{200d}",
        "👩‍👩‍👧",
        "👍🏽",
        "🇳🇴",
        "日本",
        "タワー",
        "한국",
        "ข้าว",
        "שָׁלוֹם",
        "مرحبا",
        "\u{202e}",
        "! ",
        "? ",
        "_",
        "3.5",
        "\u{0}",
    ]);
    prop_oneof![3 => prop::collection::vec(parts, 0..30).prop_map(|parts| parts.concat()), 1 => any::<String>()]
}

/// Checks the words and spans of `labelled`, and returns how many spans there are.
fn check_offsets(labelled: TaggedSentence) -> Result<usize, TestCaseError> {
    let characters: Vec<char> = labelled.text.chars().collect();
    let exact = |start: usize, end: usize| characters[start..end].iter().collect::<String>();
    prop_assert_eq!(labelled.tokens.len(), labelled.tags.len());
    for (token, place) in labelled.tokens.iter().zip(&labelled.offsets) {
        prop_assert_eq!(token, &exact(place.start, place.end));
    }
    let spans = labelled.spans().unwrap();
    let mut end = 0;
    for span in &spans {
        prop_assert!(span.start >= end && span.end > span.start);
        prop_assert_eq!(&span.text, &exact(span.start, span.end));
        prop_assert_eq!(span.start, labelled.offsets[span.word_start].start);
        prop_assert_eq!(span.end, labelled.offsets[span.word_end - 1].end);
        end = span.end;
    }
    // Without the n best: serde_json reads an `f64` with an error in its last bit.
    let line = Answer::new(labelled, false).unwrap().to_json().unwrap();
    let read: Answer = serde_json::from_str(&line).unwrap();
    prop_assert_eq!(read.to_json().unwrap(), line);
    Ok(spans.len())
}

#[test]
fn the_characters_of_a_span_are_its_text_whatever_the_text_and_the_splitter() {
    let tokenizer = tokenizer();
    let model = model(tokenizer.vocab_size());
    let config = |splitter, pattern: Option<&str>| WordsConfig {
        splitter,
        pattern: pattern.map(str::to_owned),
        lowercase: true,
    };
    let splitters = [
        config(Splitter::Whitespace, None),
        config(Splitter::Unicode, None),
        config(Splitter::Pattern, Some(r"\w+|\S")),
    ];
    let mut spans = 0;
    for config in splitters {
        let splitter = WordSplitter::new(&config).unwrap();
        let task = LabelTask::new("ner", &["city"]).unwrap().splitter(splitter);
        let labeller = Labeller::new(&model, &tokenizer, task, &DecodeOptions::default()).unwrap();
        let mut runner =
            TestRunner::new(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() });
        let found = std::cell::Cell::new(0);
        let checked = runner.run(&hard_text(), |text| {
            let raw = Item::raw(text.as_str());
            let words: Vec<&str> = text.split_whitespace().collect();
            for labelled in labeller.label([raw.clone(), raw.split_sentences(true), Item::words(&words)]).unwrap() {
                found.set(found.get() + check_offsets(labelled)?);
            }
            Ok(())
        });
        assert!(checked.is_ok(), "{}", checked.unwrap_err());
        spans += found.get();
    }
    assert!(spans > 100, "only {spans} spans were compared");
}

#[test]
fn sentences_of_a_text_are_labelled_like_texts_of_their_own() {
    let tokenizer = tokenizer();
    let model = model(tokenizer.vocab_size());
    let task = LabelTask::new("ner", &["city"]).unwrap();
    let labeller = Labeller::new(&model, &tokenizer, task, &DecodeOptions::default()).unwrap();
    let parts = ["Flights to rome. ", "\n", "From oslo? ", "Today"];
    let whole = labeller.label([Item::raw(parts.concat()).split_sentences(true)]).unwrap().remove(0);
    let apart = labeller.label(parts).unwrap();
    assert_eq!(whole.tags, apart.iter().flat_map(|part| part.tags.clone()).collect::<Vec<_>>());
    assert_eq!(whole.confidences, apart.iter().flat_map(|part| part.confidences.clone()).collect::<Vec<_>>());
    assert_eq!(whole.offsets[3..], [18..22, 23..28, 29..34], "they count in the whole text");
    let score: f64 = apart.iter().flat_map(|part| &part.n_best).map(|best| best.score).sum();
    assert_eq!((whole.n_best.len(), &whole.n_best[0].tags), (1, &whole.tags));
    assert!((whole.n_best[0].score - score).abs() < 1e-9);
}

#[test]
fn a_word_that_is_too_long_is_named_by_its_number_in_the_text() {
    let tokenizer = tokenizer();
    let model = model(tokenizer.vocab_size());
    let task = LabelTask::new("ner", &["city"]).unwrap();
    let labeller = Labeller::new(&model, &tokenizer, task, &DecodeOptions::default()).unwrap();
    let long = "rome".repeat(300);
    let text = format!("To oslo. {long} {}", "oslo ".repeat(200));
    for item in [Item::raw(text.as_str()), Item::raw(text.as_str()).split_sentences(true)] {
        let labelled = labeller.label([item]).unwrap().remove(0);
        assert_eq!((labelled.tags.len(), labelled.truncated_words.as_slice()), (203, &[2][..]));
        assert!(labelled.windowed);
    }
    assert!(labeller.label(["oslo ".repeat(500)]).unwrap()[0].truncated_words.is_empty());
}

#[test]
fn the_n_best_of_one_call_are_those_of_a_labeller_with_as_many_beams() {
    let tokenizer = tokenizer();
    let model = model(tokenizer.vocab_size());
    let task = LabelTask::new("ner", &["city"]).unwrap();
    let greedy = Labeller::new(&model, &tokenizer, task.clone(), &DecodeOptions::default()).unwrap();
    let three = Labeller::new(&model, &tokenizer, task.clone(), &DecodeOptions::default().num_beams(3)).unwrap();
    let texts = ["flights to rome", "oslo"];
    let best = greedy.label_n_best(texts, std::num::NonZeroUsize::new(3).unwrap()).unwrap();
    assert_eq!(best, three.label(texts).unwrap());
    assert_eq!(best[0].n_best.len(), 3);
    let free = DecodeOptions::default().decoding(Decoding::Free);
    let free = Labeller::new(&model, &tokenizer, task, &free).unwrap();
    assert!(free.label_n_best(texts, std::num::NonZeroUsize::MIN).is_err());
}
