#![allow(clippy::unwrap_used, reason = "tests")]
use std::collections::BTreeSet;
use std::num::NonZeroUsize;

use candle_core::{Device, Tensor};
use peft_core::{ActiveAdapters, Ctx};
use peft_kernels::Kernels;

use super::*;
use crate::decode::{GenerationConfig, greedy};
use crate::testing::{batch, configs, everywhere, scaled, tiny};
use crate::{Encoded, T5Config, Weights};

const SENTINELS: [u32; 6] = [50, 51, 52, 53, 54, 55];
const WORDS: [usize; 3] = [5, 2, 3];

/// Five tags; `b` begins `c`, and `d` shares a beginning with both.
fn tags() -> Vec<(&'static str, Vec<u32>)> {
    vec![("a", vec![7]), ("b", vec![5, 6]), ("c", vec![5, 6, 9]), ("d", vec![5, 8]), ("e", vec![11, 12, 13])]
}

fn model(config: &T5Config, seed: u64) -> T5 {
    T5::new(config, Weights::random(seed).var_builder(candle_core::DType::F32, &Device::Cpu)).unwrap()
}

fn decoded(t5: &T5, active: &ActiveAdapters<'_>, words: &[usize], beams: usize) -> Vec<Vec<TagSequence>> {
    let (ids, mask, _) = batch();
    let encoded = t5.encode(&ids, &mask, active, &mut Ctx::eval()).unwrap();
    let source = Source::new(t5, &encoded, active);
    let decoder = TagDecoder::new(t5, &tags(), &SENTINELS).unwrap();
    let found = decoder.decode(&source, words, beams).unwrap();
    let on_device = decoder.decode(&source.with_kernels(Kernels::Device), words, beams).unwrap();
    for (found, on_device) in found.iter().flatten().zip(on_device.iter().flatten()) {
        assert_eq!(found.tags, on_device.tags);
        assert!((found.score - on_device.score).abs() < 1e-4, "{} {}", found.score, on_device.score);
    }
    found
}

/// The target of a sequence after the start token, without `</s>`.
fn target(sequence: &[usize]) -> Vec<u32> {
    let tags = tags();
    let mut target = vec![SENTINELS[0]];
    for (tag, sentinel) in sequence.iter().zip(&SENTINELS[1..]) {
        target.extend(&tags[*tag].1);
        target.push(*sentinel);
    }
    target
}

/// For every position of a target the logits of all words, by a forward pass over the whole.
fn teacher(t5: &T5, active: &ActiveAdapters<'_>, row: usize, target: &[u32]) -> Vec<Vec<f32>> {
    let (ids, mask, _) = batch();
    let one = |t: &Tensor| t.narrow(0, row, 1).unwrap();
    let mut ctx = Ctx::eval();
    let encoded = t5.encode(&ids, &mask, active, &mut ctx).unwrap();
    let input: Vec<u32> = std::iter::once(0).chain(target[..target.len() - 1].iter().copied()).collect();
    let input = Tensor::new(input, &Device::Cpu).unwrap().unsqueeze(0).unwrap();
    let encoded = Encoded::padded(one(encoded.hidden()), one(&mask)).unwrap();
    let hidden = t5.decode(&input, &encoded, active, &mut ctx).unwrap();
    t5.logits(&hidden, active, &mut ctx).unwrap().squeeze(0).unwrap().to_vec2().unwrap()
}

/// The logarithm of the probability of each tag, from whole decoding and the rules alone.
fn log_ps(t5: &T5, active: &ActiveAdapters<'_>, row: usize, sequence: &[usize]) -> Vec<f64> {
    let (tags, target) = (tags(), target(sequence));
    let logits = teacher(t5, active, row, &target);
    let mut at = 1;
    let mut found = Vec::new();
    for (word, tag) in sequence.iter().enumerate() {
        let tokens = &tags[*tag].1;
        let mut log_p = 0.;
        for written in 0..=tokens.len() {
            let mut options: BTreeSet<u32> = BTreeSet::new();
            for (_, other) in &tags {
                if other.starts_with(&tokens[..written]) {
                    options.insert(other.get(written).copied().unwrap_or(SENTINELS[word + 1]));
                }
            }
            let e = |token: u32| f64::from(logits[at][token as usize]).exp();
            log_p += (e(target[at]) / options.into_iter().map(e).sum::<f64>()).ln();
            at += 1;
        }
        found.push(log_p);
    }
    found
}

fn check_confidences(t5: &T5, active: &ActiveAdapters<'_>, row: usize, sequence: &TagSequence) {
    let expected = log_ps(t5, active, row, &sequence.tags);
    for (confidence, log_p) in sequence.confidences.iter().zip(&expected) {
        assert!((f64::from(*confidence) - log_p.exp()).abs() < 1e-4, "{sequence:?} {expected:?}");
    }
    assert!((sequence.score - expected.iter().sum::<f64>()).abs() < 1e-3);
}

#[test]
fn every_word_has_one_tag_and_its_confidence_is_that_of_whole_decoding() {
    for config in configs() {
        for seed in 0..6 {
            let t5 = model(&config, seed);
            let (plan, weights) = scaled(&t5, everywhere());
            for active in [ActiveAdapters::none(), ActiveAdapters::new(&plan, &weights).unwrap()] {
                for (row, best) in decoded(&t5, &active, &WORDS, 1).iter().enumerate() {
                    assert_eq!(
                        (best.len(), best[0].tags.len(), best[0].confidences.len()),
                        (1, WORDS[row], WORDS[row])
                    );
                    check_confidences(&t5, &active, row, &best[0]);
                }
            }
        }
    }
}

#[test]
fn at_every_choice_the_likeliest_token_is_taken() {
    let mut different = BTreeSet::new();
    for seed in 0..20 {
        let t5 = model(&tiny(), seed);
        for (row, best) in decoded(&t5, &ActiveAdapters::none(), &WORDS, 1).iter().enumerate() {
            let (tags, sequence, mut word) = (tags(), &best[0].tags, 0);
            let target = target(sequence);
            let logits = teacher(&t5, &ActiveAdapters::none(), row, &target);
            let mut written: Vec<u32> = Vec::new();
            for (at, token) in target.iter().enumerate().skip(1) {
                for (_, other) in tags.iter().filter(|(_, other)| other.starts_with(&written)) {
                    let option = other.get(written.len()).copied().unwrap_or(SENTINELS[word + 1]);
                    assert!(logits[at][*token as usize] >= logits[at][option as usize] - 1e-4);
                }
                written.push(*token);
                if SENTINELS.contains(token) {
                    (written, word) = (Vec::new(), word + 1);
                }
            }
            different.extend(sequence.iter().copied());
        }
    }
    assert_eq!(different.len(), 5, "every tag must occur somewhere: {different:?}");
}

#[test]
fn a_batch_finds_what_each_sentence_finds_alone_and_so_do_rows_with_adapters_of_their_own() {
    let maps = || serde_json::from_str(r#"".*\\.(q|v|wo)""#).unwrap();
    for seed in 0..8 {
        let t5 = model(&tiny(), seed);
        let (plan, weights) = scaled(&t5, maps());
        let adapter = ActiveAdapters::new(&plan, &weights).unwrap();
        let mixed = ActiveAdapters::by_row(&[None, Some(0), None], std::slice::from_ref(&adapter)).unwrap();
        for beams in [1, 3] {
            let [bare, acting, both] =
                [&ActiveAdapters::none(), &adapter, &mixed].map(|a| decoded(&t5, a, &WORDS, beams));
            let tags = |found: &[TagSequence]| found.iter().map(|s| s.tags.clone()).collect::<Vec<_>>();
            for (row, expected) in [(0, &bare), (1, &acting), (2, &bare)] {
                assert_eq!(tags(&both[row]), tags(&expected[row]), "row {row}");
            }
            let longest = decoded(&t5, &ActiveAdapters::none(), &[5, 5, 5], beams);
            assert_eq!(tags(&longest[0]), tags(&bare[0]), "what the others do is nothing to a row");
        }
    }
}

#[test]
fn the_n_best_are_those_of_an_exhaustive_search() {
    for seed in 0..6 {
        let t5 = model(&tiny(), seed);
        // 25 sequences of two words, fewer than beams: nothing is pruned.
        let found = &decoded(&t5, &ActiveAdapters::none(), &[2, 2, 2], 30)[1];
        let mut all: Vec<(Vec<usize>, f64)> = (0..5)
            .flat_map(|a| (0..5).map(move |b| vec![a, b]))
            .map(|tags| (tags.clone(), log_ps(&t5, &ActiveAdapters::none(), 1, &tags).iter().sum()))
            .collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1));
        assert_eq!(found.len(), 25);
        for (found, (_, score)) in found.iter().zip(&all) {
            assert!((found.score - score).abs() < 1e-3);
            check_confidences(&t5, &ActiveAdapters::none(), 1, found);
        }
        let distinct: BTreeSet<&Vec<usize>> = found.iter().map(|s| &s.tags).collect();
        assert_eq!(distinct.len(), 25);
        // A beam over one word is exact at any width.
        let one = &decoded(&t5, &ActiveAdapters::none(), &[1, 1, 1], 2)[0];
        let mut tags: Vec<(usize, f64)> =
            (0..5).map(|tag| (tag, log_ps(&t5, &ActiveAdapters::none(), 0, &[tag])[0])).collect();
        tags.sort_by(|a, b| b.1.total_cmp(&a.1));
        assert_eq!(one.iter().map(|s| s.tags[0]).collect::<Vec<_>>(), [tags[0].0, tags[1].0]);
        // Pruned beams are still sorted and distinct.
        let pruned = &decoded(&t5, &ActiveAdapters::none(), &WORDS, 3)[0];
        assert!(pruned.windows(2).all(|w| w[0].score >= w[1].score && w[0].tags != w[1].tags));
    }
}

/// The logits of a whole target, summed as log-probabilities over the whole vocabulary.
fn likelihood(t5: &T5, row: usize, target: &[u32]) -> f64 {
    let log_softmax = |logits: &Vec<f32>, token: u32| {
        let sum: f64 = logits.iter().map(|l| f64::from(*l).exp()).sum();
        f64::from(logits[token as usize]) - sum.ln()
    };
    teacher(t5, &ActiveAdapters::none(), row, target).iter().zip(target).map(|(l, t)| log_softmax(l, *t)).sum()
}

#[test]
fn where_free_decoding_is_well_formed_structured_decoding_writes_the_same() {
    let (mut well_formed, mut malformed) = (0, 0);
    for seed in 0..5 {
        let t5 = trained(seed);
        let (ids, mask, _) = batch();
        let encoded = t5.encode(&ids, &mask, &ActiveAdapters::none(), &mut Ctx::eval()).unwrap();
        let config = GenerationConfig { max_length: NonZeroUsize::new(24).unwrap(), ..Default::default() };
        let none = ActiveAdapters::none();
        let source = Source::new(&t5, &encoded, &none);
        let free = greedy(&source, &config).unwrap();
        for (row, best) in decoded(&t5, &ActiveAdapters::none(), &WORDS, 1).iter().enumerate() {
            let target = target(&best[0].tags);
            let end = free[row].iter().position(|token| *token == 1).unwrap_or(free[row].len());
            let written = &free[row][1..end];
            let legal = sequences(WORDS[row]).into_iter().any(|tags| super::tests::target(&tags) == written);
            if legal {
                assert_eq!(written, target, "seed {seed} row {row}");
                well_formed += 1;
            } else {
                malformed += 1;
            }
            assert!(!legal || likelihood(&t5, row, &target) >= likelihood(&t5, row, written) - 1e-6);
        }
    }
    assert!(well_formed > 3 && malformed > 0, "both must occur: {well_formed} {malformed}");
}

/// All sequences of `words` tags.
fn sequences(words: usize) -> Vec<Vec<usize>> {
    (0..words).fold(vec![Vec::new()], |all, _| {
        all.into_iter().flat_map(|s| (0..5).map(move |tag| [s.clone(), vec![tag]].concat())).collect()
    })
}

/// A model that has learned targets of the batch, some better than others.
fn trained(seed: u64) -> T5 {
    use candle_nn::{AdamW, Optimizer, ParamsAdamW};

    use crate::{Trainable, shift_right};
    let store = peft_core::ParamStore::new(seed, &Device::Cpu);
    let weights = Weights::random(seed).trainable(Trainable::All, &store);
    let t5 = T5::new(&tiny(), weights.var_builder(candle_core::DType::F32, &Device::Cpu)).unwrap();
    let (ids, mask, _) = batch();
    let mut rows: Vec<Vec<u32>> = [&[0, 2, 1, 0, 3][..], &[4, 0], &[1, 1, 2]].map(target).to_vec();
    rows.iter_mut().for_each(|row| row.push(1));
    let width = rows.iter().map(Vec::len).max().unwrap();
    rows.iter_mut().for_each(|row| row.resize(width, 0));
    let labels = Tensor::new(rows, &Device::Cpu).unwrap();
    let vars = store.vars().into_iter().map(|(_, var)| var).collect();
    let mut optimizer = AdamW::new(vars, ParamsAdamW { lr: 1e-2, weight_decay: 0., ..ParamsAdamW::default() }).unwrap();
    for step in 0..(40 + 40 * seed) {
        let mut ctx = Ctx::train(seed, step);
        let encoded = t5.encode(&ids, &mask, &ActiveAdapters::none(), &mut ctx).unwrap();
        let decoder_ids = shift_right(&labels, 0).unwrap();
        let hidden = t5.decode(&decoder_ids, &encoded, &ActiveAdapters::none(), &mut ctx).unwrap();
        let logits = t5.logits(&hidden, &ActiveAdapters::none(), &mut ctx).unwrap().flatten_to(1).unwrap();
        let loss = candle_nn::loss::cross_entropy(&logits, &labels.flatten_all().unwrap()).unwrap();
        optimizer.backward_step(&loss).unwrap();
    }
    t5
}

#[test]
fn one_tag_needs_no_model_and_too_many_words_are_refused() {
    let t5 = model(&tiny(), 1);
    let (ids, mask, _) = batch();
    let encoded = t5.encode(&ids, &mask, &ActiveAdapters::none(), &mut Ctx::eval()).unwrap();
    let none = ActiveAdapters::none();
    let source = Source::new(&t5, &encoded, &none);
    let one = TagDecoder::new(&t5, &[("O", vec![7, 8])], &SENTINELS).unwrap();
    for beams in [1, 3] {
        let found = one.decode(&source, &[2, 0, 1], beams).unwrap();
        let expected = [vec![0, 0], vec![], vec![0]];
        for (found, expected) in found.iter().zip(expected) {
            assert_eq!((found.len(), &found[0].tags, found[0].score), (1, &expected, 0.));
        }
    }
    let error = one.decode(&source, &[6, 0, 1], 1).unwrap_err().to_string();
    assert!(error.contains("6 words") && error.contains("cut it to 5"), "{error}");
    assert!(one.decode(&source, &[1], 1).is_err());
}
