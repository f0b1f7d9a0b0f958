//! The text-to-text form. `tests/tests/shared` compares it with the authors' strings.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::error::Error;
use crate::example::Example;
use crate::labels::simplify;
use crate::tokenizer::{SENTINELS, T5Tokenizer, TrainOptions, train_unigram};

static TOKENIZER: LazyLock<T5Tokenizer> = LazyLock::new(|| {
    let keep_words = ["O", "I", "ACTOR", "fromloc.city_name"].map(str::to_owned).to_vec();
    let lines = ["films starring the old actor", "flights from Oslo to Iowa", "list the best Italian places in Ohio"];
    train_unigram(lines, &TrainOptions { vocab_size: 180, keep_words }).unwrap()
});

fn encode(words: &[&str], tags: &[&str], options: &EncodeOptions) -> Pair {
    Encoder::new(&TOKENIZER, options).unwrap().encode(words, tags).unwrap()
}

fn text(ids: &[u32]) -> String {
    TOKENIZER.decode(ids, Default::default()).unwrap()
}

#[test]
fn words_and_tags_are_between_sentinels() {
    let pair = encode(&["from", "Oslo"], &["O", "fromloc.city_name"], &EncodeOptions::default());
    let [s0, s1, s2] = [0, 1, 2].map(|index| TOKENIZER.sentinel(index).unwrap());
    let tags = TOKENIZER.encode_words(&["O", "fromloc.city_name"]).unwrap();
    assert_eq!(pair.target, [s0, tags[0][0], s1, tags[1][0], s2, TOKENIZER.eos_id()]);
    let words = TOKENIZER.encode_words(&["from", "Oslo"]).unwrap();
    let source = [&[s0][..], &words[0], &[s1], &words[1], &[s2, TOKENIZER.eos_id()]].concat();
    assert_eq!(pair.source, source);
    assert_eq!(decode_tags(&TOKENIZER, &pair.target).unwrap(), ["O", "fromloc.city_name"]);
}

#[test]
fn a_prefix_comes_before_the_first_sentinel_of_the_source_only() {
    let options = EncodeOptions { prefix: "films ".to_owned(), ..EncodeOptions::default() };
    let (with, without) = (encode(&["Oslo"], &["O"], &options), encode(&["Oslo"], &["O"], &EncodeOptions::default()));
    let prefix = TOKENIZER.encode_words(&["films"]).unwrap().concat();
    assert_eq!(with.source, [prefix, without.source].concat());
    assert_eq!(with.target, without.target);
}

#[test]
fn what_does_not_fit_is_cut_off_at_the_end_and_counted() {
    let options = EncodeOptions { max_target_length: 4, ..EncodeOptions::default() };
    let pair = encode(&["from", "Oslo"], &["O", "ACTOR"], &options);
    assert!(pair.target_truncated && !pair.source_truncated);
    assert_eq!(text(&pair.target).replace(' ', ""), "<extra_id_0>O<extra_id_1></s>");
    let count = TruncationCount::of(&[pair, encode(&["from"], &["O"], &options)]);
    assert_eq!(count, TruncationCount { sentences: 2, source: 0, target: 1 });
    assert_eq!(count.to_string(), "0 of 2 sources and 1 targets cut at their maximal length");
}

#[test]
fn the_hundredth_word_has_no_closing_sentinel_and_is_counted_as_cut_off() {
    let options = EncodeOptions { max_source_length: 5000, max_target_length: 5000, ..EncodeOptions::default() };
    let sentinels = |ids: &[u32]| ids.iter().filter(|id| TOKENIZER.sentinels().contains(id)).count();
    let full = encode(&["Oslo"; 99], &["O"; 99], &options);
    assert!(!full.source_truncated && !full.target_truncated);
    assert_eq!(sentinels(&full.target), SENTINELS);
    let over = encode(&["Oslo"; 100], &["O"; 100], &options);
    assert!(over.source_truncated && over.target_truncated);
    assert_eq!((over.source, over.target), (full.source, full.target));
}

#[test]
fn unreadable_tags_and_unequal_lengths_are_refused() {
    let mut encoder = Encoder::new(&TOKENIZER, &EncodeOptions::default()).unwrap();
    for tag in ["", "two words", " O"] {
        let error = encoder.encode(&["Oslo"], &[tag]).unwrap_err();
        assert!(matches!(error, Error::MalformedTag { .. }), "{error}");
    }
    let error = encoder.encode(&["Oslo"], &["O", "O"]).unwrap_err();
    assert!(matches!(error, Error::LengthMismatch { left: 1, right: 2, .. }), "{error}");
    let no_room = EncodeOptions { max_source_length: 0, ..EncodeOptions::default() };
    assert!(Encoder::new(&TOKENIZER, &no_room).is_err());
}

#[test]
fn a_batch_is_padded_to_its_longest_pair() {
    let pair =
        |source: &[u32], target: &[u32]| Pair { source: source.into(), target: target.into(), ..Pair::default() };
    let batch = collate(&[pair(&[5, 6, 1], &[7, 1]), pair(&[8, 1], &[9, 9, 1])], 0);
    assert_eq!(batch.shape, BatchShape { batch: 2, source_length: 3, target_length: 3 });
    assert_eq!(batch.source, [5, 6, 1, 8, 1, 0]);
    assert_eq!(batch.source_mask, [1, 1, 1, 1, 1, 0]);
    assert_eq!(batch.target, [7, 1, 0, 9, 9, 1]);
    assert_eq!(collate::<Pair>(&[], 0), Batch::default());
}

#[test]
fn a_dataset_keeps_its_order() {
    let sentence = |i: usize| Example::new(vec![format!("Oslo{i}"); i % 7], vec!["O"; i % 7]);
    let examples: Vec<Example> = (0..500).map(sentence).collect();
    let pairs =
        encode_all(&TOKENIZER, &EncodeOptions::default(), &examples, |example| simplify(&example.tags)).unwrap();
    let mut encoder = Encoder::new(&TOKENIZER, &EncodeOptions::default()).unwrap();
    let one_by_one: Vec<Pair> =
        examples.iter().map(|example| encoder.encode(&example.tokens, &example.tags).unwrap()).collect();
    assert_eq!(pairs, one_by_one);
}

#[cfg(feature = "tables")]
#[test]
fn bytes_that_are_not_encoded_sentences_are_refused() {
    let pairs: Pairs = (0..40).map(|i| encode(&vec!["Oslo"; i], &vec!["O"; i], &EncodeOptions::default())).collect();
    let whole = pairs.to_parquet().unwrap();
    assert!(Pairs::from_parquet(b"PAR1").is_err());
    for length in [0, 8, whole.len() / 2, whole.len() - 1] {
        assert!(Pairs::from_parquet(&whole[..length]).is_err(), "{length}");
    }
    let mut frame = polars::prelude::df!("source" => [1u32], "target" => [2u32]).unwrap();
    let mut other = Vec::new();
    polars::prelude::ParquetWriter::new(&mut other).finish(&mut frame).unwrap();
    assert!(Pairs::from_parquet(&other).is_err());
}

/// Pairs of any ids.
fn any_pairs() -> impl Strategy<Value = Vec<Pair>> {
    let ids = || prop::collection::vec(any::<u32>(), 0..9);
    let pair = (ids(), ids(), any::<bool>(), any::<bool>());
    let pair = pair.prop_map(|(source, target, source_truncated, target_truncated)| Pair {
        source,
        target,
        source_truncated,
        target_truncated,
    });
    prop::collection::vec(pair, 0..30)
}

proptest! {
    #[test]
    fn pairs_come_back_from_their_buffers(pairs in any_pairs()) {
        let together: Pairs = pairs.iter().collect();
        prop_assert_eq!(together.len(), pairs.len());
        for (view, pair) in together.iter().zip(&pairs) {
            prop_assert_eq!(view, pair.as_pair());
        }
        prop_assert_eq!(collate(&together.iter().collect::<Vec<_>>(), 0), collate(&pairs, 0));
    }

    #[cfg(feature = "tables")]
    #[test]
    fn pairs_come_back_from_parquet(pairs in any_pairs()) {
        let pairs: Pairs = pairs.iter().collect();
        let bytes = pairs.to_parquet().unwrap();
        prop_assert_eq!(&pairs.to_parquet().unwrap(), &bytes);
        prop_assert_eq!(Pairs::from_parquet(&bytes).unwrap(), pairs);
    }

    #[test]
    fn no_sequence_is_longer_than_asked_and_each_ends_with_eos(
        words in prop::collection::vec("\\PC{0,12}", 0..130),
        source in 1..300usize,
        target in 1..300usize,
    ) {
        let options = EncodeOptions { max_source_length: source, max_target_length: target, ..EncodeOptions::default() };
        let tags = vec!["ACTOR"; words.len()];
        let pair = Encoder::new(&TOKENIZER, &options).unwrap().encode(&words, &tags).unwrap();
        for (ids, most, truncated) in
            [(&pair.source, source, pair.source_truncated), (&pair.target, target, pair.target_truncated)]
        {
            prop_assert!(ids.len() <= most);
            prop_assert_eq!(*ids.last().unwrap(), TOKENIZER.eos_id());
            prop_assert!(truncated || ids.contains(&TOKENIZER.sentinel(words.len()).unwrap()));
        }
    }

    #[test]
    fn whole_targets_decode_to_their_tags(
        tags in prop::collection::vec(prop::sample::select(vec!["O", "I", "ACTOR", "fromloc.city_name", "best"]), 0..40),
    ) {
        let options = EncodeOptions { max_target_length: 999, ..EncodeOptions::default() };
        let target = Encoder::new(&TOKENIZER, &options).unwrap().target(&tags).unwrap();
        prop_assert_eq!(decode_tags(&TOKENIZER, &target.ids).unwrap(), tags);
    }
}
