//! Properties that hold for all random pairs of pretraining.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::sync::LazyLock;

use proptest::prelude::*;

use super::mask::longest_input;
use super::*;
use crate::encode::Pair;
use crate::error::Error;
use crate::sample::Rng;
use crate::tokenizer::{SENTINELS, T5Tokenizer, TrainOptions, WordEncoder, train_unigram};

const LINES: [&str; 3] = ["play some jazz in the kitchen", "show me flights to the coast", "wake me at seven"];

static TOKENIZER: LazyLock<T5Tokenizer> = LazyLock::new(|| {
    let keep_words = vec!["ACTOR".to_owned(), "O".to_owned(), "I".to_owned()];
    let tokenizer = train_unigram(LINES, &TrainOptions { vocab_size: 160, keep_words }).unwrap();
    assert!(tokenizer.sentinel(SENTINELS - 1) > Some(20), "3 to 20 are plain pieces, which the tests make texts of");
    tokenizer
});

/// The ids after each sentinel, without the closing `</s>`.
fn by_sentinel(ids: &[u32]) -> Vec<(u32, Vec<u32>)> {
    let (eos, ids) = ids.split_last().unwrap();
    assert_eq!(*eos, TOKENIZER.eos_id());
    let mut parts: Vec<(u32, Vec<u32>)> = Vec::new();
    for id in ids {
        match parts.last_mut() {
            Some((_, part)) if !TOKENIZER.sentinels().contains(id) => part.push(*id),
            _ => parts.push((*id, Vec::new())),
        }
    }
    parts
}

/// Undoes span corruption: replaces every sentinel of the source by its span in the target.
fn recombine(pair: &Pair) -> Vec<u32> {
    let spans = by_sentinel(&pair.target);
    let source = &pair.source[..pair.source.len() - 1];
    let fill = |id: &u32| match spans.iter().find(|(sentinel, _)| sentinel == id) {
        Some((_, span)) => span.clone(),
        None => vec![*id],
    };
    source.iter().flat_map(fill).collect()
}

fn runs(mask: &[bool]) -> usize {
    mask.chunk_by(|a, b| a == b).filter(|run| run[0]).count()
}

#[test]
fn a_span_becomes_one_sentinel_and_the_target_names_it() {
    let [s0, s1, s2] = [0, 1, 2].map(|index| TOKENIZER.sentinel(index).unwrap());
    let pair = corrupt_spans(&TOKENIZER, &[10, 11, 12, 13, 14], &[false, true, true, false, true]).unwrap();
    assert_eq!(pair.source, [10, s0, 13, s1, 1]);
    assert_eq!(pair.target, [s0, 11, 12, s1, 14, s2, 1]);
}

#[test]
fn spans_beyond_the_ninety_ninth_stay_in_the_source() {
    let ids: Vec<u32> = (0..300).map(|i| 3 + i % 16).collect();
    let mask: Vec<bool> = (0..300).map(|i| i % 2 == 1).collect();
    let pair = corrupt_spans(&TOKENIZER, &ids, &mask).unwrap();
    assert_eq!(recombine(&pair), ids);
    assert_eq!(by_sentinel(&pair.target).len(), SENTINELS);
}

#[test]
fn a_mask_of_another_length_is_refused() {
    let error = corrupt_spans(&TOKENIZER, &[3, 4], &[true]).unwrap_err();
    assert!(matches!(error, Error::LengthMismatch { left: 2, right: 1, .. }), "{error}");
}

#[test]
fn a_hundred_tokens_lose_fifteen_in_five_spans() {
    let options = NoiseOptions::default();
    for seed in 0..50 {
        let mask = random_spans_mask(100, &options, &mut Rng::seeded(seed));
        assert_eq!(mask.iter().filter(|hidden| **hidden).count(), 15);
        assert_eq!(runs(&mask), 5);
        assert!(!mask[0] && mask[99], "kept first, hidden last");
    }
}

#[test]
fn one_token_is_never_hidden() {
    for length in [0, 1] {
        assert_eq!(random_spans_mask(length, &NoiseOptions::default(), &mut Rng::seeded(1)), vec![false; length]);
    }
}

#[test]
fn every_span_length_occurs_and_averages_three() {
    let mut lengths = Vec::new();
    let mut rng = Rng::seeded(7);
    for _ in 0..2000 {
        let mask = random_spans_mask(100, &NoiseOptions::default(), &mut rng);
        lengths.extend(mask.chunk_by(|a, b| a == b).filter(|run| run[0]).map(<[bool]>::len));
    }
    // 15 = five parts: each part is 1 in C(13,3)/C(14,4) = 2/7 of the compositions, and 11 at most.
    let ones = lengths.iter().filter(|length| **length == 1).count() as f64 / lengths.len() as f64;
    assert!((ones - 2.0 / 7.0).abs() < 0.02, "{ones}");
    assert_eq!(lengths.iter().sum::<usize>(), 3 * lengths.len());
    assert!(lengths.iter().all(|length| (1..=11).contains(length)));
}

#[test]
fn copying_replaces_the_asked_share_in_source_and_target_alike() {
    let options =
        NoiseOptions { word_noise: 0.3, max_source_length: 4000, max_target_length: 4000, ..Default::default() };
    let tags = ["ACTOR".to_owned(), "I".to_owned()];
    let tag_ids = TOKENIZER.encode_words(&tags).unwrap();
    let mut encoder = WordEncoder::new(&TOKENIZER);
    let mut rng = Rng::seeded(3);
    let words = vec!["jazz"; 99];
    let mut replaced = 0;
    for _ in 0..50 {
        let pair =
            copy_words(&mut encoder, &words, CopyOptions { replacements: &tags, noise: &options }, &mut rng).unwrap();
        assert_eq!(pair.source, pair.target);
        let parts = by_sentinel(&pair.source);
        assert_eq!(parts.len(), SENTINELS);
        replaced += parts.iter().filter(|(_, part)| tag_ids.contains(part)).count();
    }
    let share = replaced as f64 / (50.0 * 99.0);
    // Five standard errors of 4950 draws.
    assert!((share - 0.3).abs() < 0.033, "{share}");
}

#[test]
fn the_mixture_is_seeded_and_keeps_its_share() {
    let options = NoiseOptions { word_noise: 0.0, copy_fraction: 0.25, ..NoiseOptions::default() };
    let draw = |seed| {
        let mut pretraining = Pretraining::new(&TOKENIZER, Vec::new(), options.clone()).unwrap();
        let mut rng = Rng::seeded(seed);
        (0..2000).map(|i| pretraining.pair(LINES[i % 3], &mut rng).unwrap()).collect::<Vec<_>>()
    };
    let pairs = draw(5);
    assert_eq!(pairs, draw(5));
    assert_ne!(pairs, draw(6));
    let copies = pairs.iter().filter(|pair| pair.source == pair.target).count() as f64 / 2000.0;
    assert!((copies - 0.25).abs() < 0.05, "{copies}");
}

#[test]
fn settings_out_of_range_are_named() {
    let refused =
        |options: NoiseOptions| Pretraining::new(&TOKENIZER, vec!["O".into()], options).unwrap_err().to_string();
    let default = NoiseOptions::default;
    assert!(refused(NoiseOptions { noise_density: 1.0, ..default() }).contains("noise_density is 1"));
    assert!(refused(NoiseOptions { mean_span_length: 0.5, ..default() }).contains("mean_span_length is 0.5"));
    assert!(refused(NoiseOptions { copy_fraction: -0.1, ..default() }).contains("copy_fraction is -0.1"));
    assert!(refused(NoiseOptions { word_noise: f64::NAN, ..default() }).contains("word_noise is NaN"));
    assert!(refused(NoiseOptions { max_target_length: 3, ..default() }).contains("max_target_length is 3"));
    let no_words = Pretraining::new(&TOKENIZER, Vec::new(), default()).unwrap_err().to_string();
    assert!(no_words.contains("word_noise needs words"), "{no_words}");
}

fn any_options() -> impl Strategy<Value = NoiseOptions> {
    (0.01..0.99f64, 1.0..8.0f64, 4..90usize, 4..90usize).prop_map(|(density, mean, source, target)| NoiseOptions {
        noise_density: density,
        mean_span_length: mean,
        max_source_length: source,
        max_target_length: target,
        ..NoiseOptions::default()
    })
}

proptest! {
    #[test]
    fn source_and_target_recombine_to_the_input(
        ids in prop::collection::vec(3u32..20, 0..400),
        options in any_options(),
        seed: u64,
    ) {
        let mask = random_spans_mask(ids.len(), &options, &mut Rng::seeded(seed));
        prop_assert_eq!(mask.len(), ids.len());
        let pair = corrupt_spans(&TOKENIZER, &ids, &mask).unwrap();
        prop_assert_eq!(recombine(&pair), ids);
        prop_assert_eq!(by_sentinel(&pair.target).len(), runs(&mask) + 1);
    }

    #[test]
    fn no_pair_is_longer_than_asked(options in any_options(), words in 0..200usize, seed: u64) {
        let mut pretraining = Pretraining::new(&TOKENIZER, vec!["ACTOR".into()], options.clone()).unwrap();
        let line = vec!["flights"; words].join(" ");
        let mut rng = Rng::seeded(seed);
        for _ in 0..4 {
            let pair = pretraining.pair(&line, &mut rng).unwrap();
            prop_assert!(pair.source.len() <= options.max_source_length);
            prop_assert!(pair.target.len() <= options.max_target_length);
        }
    }

    #[test]
    fn the_longest_input_is_the_longest(options in any_options(), seed: u64) {
        let longest = longest_input(&options);
        prop_assert!(longest >= 2, "something can always be hidden");
        let fits = |length: usize| {
            let mask = random_spans_mask(length, &options, &mut Rng::seeded(seed));
            let pair = corrupt_spans(&TOKENIZER, &vec![3; length], &mask).unwrap();
            pair.source.len() <= options.max_source_length && pair.target.len() <= options.max_target_length
        };
        prop_assert!(fits(longest) && !fits(longest + 1));
    }
}
