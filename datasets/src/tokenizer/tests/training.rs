//! Vocabularies trained here.

use std::process::Command;

use crate::error::Error;
use crate::tokenizer::{DecodeOptions, SENTINELS, T5Tokenizer, TrainOptions, WordEncoder, train_unigram};

const KEEP: [&str; 6] = ["O", "I", "list", "ACTOR", "fromloc.city_name", "SL:DATE_TIME"];

/// A corpus with words that begin like kept ones.
fn corpus() -> Vec<String> {
    let words = [
        "Oslo",
        "Ohio",
        "Italy",
        "Iowa",
        "listen",
        "listing",
        "lists",
        "ACT",
        "from",
        "city",
        "names",
        "play",
        "some",
        "music",
        "by",
        "the",
        "weather",
        "tomorrow",
        "book",
        "a",
        "table",
        "for",
        "two",
        "Østlandet",
        "naïve",
        "€5",
    ];
    let pick = |i: usize, j: usize| words[(i * 7 + j * 13 + i * j) % words.len()];
    (0..400).map(|i| (0..8).map(|j| pick(i, j)).collect::<Vec<_>>().join(" ")).collect()
}

fn train(vocab_size: usize, keep: &[&str]) -> T5Tokenizer {
    let keep_words = keep.iter().map(|word| (*word).to_owned()).collect();
    train_unigram(corpus(), &TrainOptions { vocab_size, keep_words }).unwrap()
}

#[test]
fn the_layout_is_t5s() {
    let tokenizer = train(220, &KEEP);
    assert_eq!([tokenizer.pad_id(), tokenizer.eos_id(), tokenizer.unk_id()], [0, 1, 2]);
    let size = u32::try_from(tokenizer.vocab_size()).unwrap();
    assert!(size <= 220);
    assert_eq!(tokenizer.sentinel(0), Some(size - 1));
    assert_eq!(tokenizer.sentinel(SENTINELS - 1), Some(size - 100));
    assert_eq!(tokenizer.sentinel(SENTINELS), None);
}

#[test]
fn text_survives_the_round_trip_and_the_file() {
    let tokenizer = train(220, &KEEP);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokenizer.json");
    tokenizer.save(&file).unwrap();
    let loaded = T5Tokenizer::from_file(&file).unwrap();
    assert_eq!(loaded.to_json().unwrap(), tokenizer.to_json().unwrap());
    let skip = DecodeOptions { skip_special_tokens: true, ..DecodeOptions::default() };
    for line in corpus() {
        let encoded = tokenizer.encode(&line, 999).unwrap();
        assert_eq!(loaded.encode(&line, 999).unwrap(), encoded);
        assert_eq!(tokenizer.decode(&encoded.ids, skip).unwrap(), line);
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!(tokenizer.encode_words(&words).unwrap().concat(), tokenizer.pieces(&line).unwrap());
    }
}

#[test]
fn kept_words_are_one_token_everywhere() {
    let tokenizer = train(220, &KEEP);
    for word in KEEP {
        let ids = tokenizer.encode_words(&[word]).unwrap().concat();
        assert_eq!(ids.len(), 1, "{word} is {ids:?}");
        let id = ids[0];
        assert_eq!(tokenizer.id_to_token(id).unwrap(), format!("▁{word}"));
        let [s0, s1] = [0, 1].map(|index| tokenizer.sentinel(index).unwrap());
        assert_eq!(tokenizer.pieces(&format!("<extra_id_0> {word} <extra_id_1>")).unwrap(), [s0, id, s1]);
    }
}

#[test]
fn kept_words_split_no_other_word() {
    // The same number of trained pieces in both.
    let (without, with) = (train(220, &[]), train(220 + KEEP.len(), &KEEP));
    let splits = |tokenizer: &T5Tokenizer, word: &str| {
        let ids = tokenizer.pieces(word).unwrap();
        let lengths = ids.iter().map(|id| tokenizer.id_to_token(*id).unwrap().chars().count());
        lengths
            .scan(0, |end, length| {
                *end += length;
                Some(*end)
            })
            .collect::<Vec<usize>>()
    };
    for word in corpus().join(" ").split(' ').chain(["Osaka", "Ithaca", "listless", "Oslos", "cities", "Is"]) {
        let before = splits(&without, word);
        assert!(splits(&with, word).iter().all(|end| before.contains(end)), "{word} is split at new places");
    }
}

#[test]
fn a_word_that_cannot_be_kept_is_refused() {
    for word in ["two words", "", "a▁b"] {
        let options = TrainOptions { vocab_size: 220, keep_words: vec![word.to_owned()] };
        let error = train_unigram(corpus(), &options).unwrap_err();
        assert!(matches!(error, Error::Tokenizer(_)) && error.to_string().contains("cannot keep"), "{error}");
    }
}

#[test]
fn too_small_a_vocabulary_says_what_is_needed() {
    let train = |vocab_size| train_unigram(corpus(), &TrainOptions { vocab_size, keep_words: Vec::new() });
    let message = train(10).unwrap_err().to_string();
    let needed: usize = message.split_whitespace().find_map(|word| word.parse().ok().filter(|n| *n > 10)).unwrap();
    assert!(train(needed - 1).is_err());
    let smallest = train(needed).unwrap();
    assert!(smallest.vocab_size() <= needed);
    assert!(train_unigram([""; 3], &TrainOptions::default()).unwrap_err().to_string().contains("no text"));
}

/// Training sums numbers in hash maps' and threads' order unless it is stopped from doing so; both
/// orders differ between processes.
#[test]
fn training_gives_the_same_bytes_in_every_process() {
    const FILE: &str = "TRAINED_TOKENIZER_FILE";
    const THIS: &str = "tokenizer::tests::training::training_gives_the_same_bytes_in_every_process";
    if let Some(file) = std::env::var_os(FILE) {
        train(220, &KEEP).save(file).unwrap();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let here = train(220, &KEEP).to_json().unwrap();
    assert_eq!(train(220, &KEEP).to_json().unwrap(), here);
    for threads in ["1", "2", "5"] {
        let file = folder.path().join(threads);
        let mut child = Command::new(std::env::current_exe().unwrap());
        let status = child.args(["--exact", THIS]).env(FILE, &file).env("RAYON_NUM_THREADS", threads).output().unwrap();
        assert!(status.status.success());
        assert_eq!(std::fs::read_to_string(file).unwrap(), here, "with {threads} threads");
    }
}

#[test]
fn the_order_of_the_lines_does_not_matter() {
    let reversed: Vec<String> = corpus().into_iter().rev().collect();
    let options = TrainOptions { vocab_size: 220, keep_words: Vec::new() };
    assert_eq!(train_unigram(reversed, &options).unwrap().to_json().unwrap(), train(220, &[]).to_json().unwrap());
}

#[test]
fn a_word_encoder_remembers() {
    let tokenizer = train(220, &[]);
    let mut encoder = WordEncoder::new(&tokenizer);
    let first = encoder.ids("Oslo").unwrap().to_vec();
    encoder.ids("tomorrow").unwrap();
    assert_eq!(encoder.ids("Oslo").unwrap(), first);
    assert_eq!(first, tokenizer.pieces("Oslo").unwrap());
}
