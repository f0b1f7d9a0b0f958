#![allow(clippy::unwrap_used, reason = "tests")]
use candle_core::Device;
use peft_kernels::Kernels;

use super::*;
use crate::testing::{self, batch, configs, everywhere, largest_difference, linear_and_sub_layers, scaled, sentences};
use crate::{T5Config, shift_right};

/// The batch's targets, the encoder's output, and the decoder's for whole sentences.
struct Whole {
    t5: T5,
    encoded: Encoded,
    targets: Vec<Vec<u32>>,
    output: Tensor,
}

fn whole(config: &T5Config, active: impl Fn(&T5) -> ActiveAdapters<'static>) -> (Whole, ActiveAdapters<'static>) {
    let t5 = testing::build(config);
    let active = active(&t5);
    let (ids, mask, labels) = batch();
    let mut ctx = Ctx::eval();
    let encoded = t5.encode(&ids, &mask, &active, &mut ctx).unwrap();
    let decoder_ids = shift_right(&labels, 0).unwrap();
    let output = t5.decode(&decoder_ids, &encoded, &active, &mut ctx).unwrap();
    (Whole { t5, encoded, targets: decoder_ids.to_vec2().unwrap(), output }, active)
}

impl Whole {
    /// Feeds each row its next tokens, step by step, and compares what comes out.
    fn check(&self, steps: &[&[(usize, usize)]], active: &ActiveAdapters<'_>, kernels: Kernels) {
        let sentences = sentences();
        let slices: Vec<&[u32]> = sentences.iter().map(Vec::as_slice).collect();
        let rows = self.t5.encode_packed(&slices, active, &mut Ctx::eval().with_kernels(kernels)).unwrap();
        for (encoded, reads_all) in [(&self.encoded, true), (&self.encoded, false), (&rows, true), (&rows, false)] {
            self.check_read(encoded, reads_all, steps, active, kernels);
        }
    }

    fn check_read(
        &self,
        encoded: &Encoded,
        reads_all: bool,
        steps: &[&[(usize, usize)]],
        active: &ActiveAdapters<'_>,
        kernels: Kernels,
    ) {
        let mut ctx = Ctx::eval().with_kernels(kernels);
        let mut cache = self.t5.start_packed(encoded, active, SIZE, &mut ctx).unwrap();
        for step in steps {
            let from: Vec<usize> = cache.lens().to_vec();
            let next: Vec<PackedTokens<'_>> = step
                .iter()
                .map(|&(row, count)| PackedTokens { row, tokens: &self.targets[row][from[row]..from[row] + count] })
                .collect();
            let expected = step.iter().map(|&(row, n)| self.output.get(row).unwrap().narrow(0, from[row], n).unwrap());
            let expected = Tensor::cat(&expected.collect::<Vec<_>>(), 0).unwrap();
            // All outputs, or every other one from the first on: that must not change what is read later.
            let every = if reads_all { 1 } else { 2 };
            let read: Vec<u32> = (0..expected.dim(0).unwrap() as u32).step_by(every).collect();
            let expected = expected.index_select(&Tensor::new(read.as_slice(), &Device::Cpu).unwrap(), 0).unwrap();
            let found =
                self.t5.decode_packed(&PackedStep { rows: &next, read: &read }, &mut cache, active, &mut ctx).unwrap();
            assert_eq!(found.dims(), expected.dims());
            assert!(largest_difference(&found, &expected) < 1e-5, "{step:?} {kernels:?} {read:?}");
        }
    }
}

const SIZE: CacheSize = CacheSize { rows: 1, capacity: 2 };

/// The places of all tokens of a row that is fed alone.
fn all(fed: PackedTokens<'_>) -> Vec<u32> {
    (0..fed.tokens.len() as u32).collect()
}

/// Rows of different numbers of tokens, in any order, some left out.
const RAGGED: [&[(usize, usize)]; 5] =
    [&[(0, 2), (1, 1), (2, 3)], &[(2, 1), (0, 1)], &[(1, 4)], &[(0, 3), (1, 1), (2, 1)], &[(2, 1)]];

/// What a cache on the CPU holds.
fn blocks(cache: &PackedKvCache) -> &PackedBlocks {
    match &cache.past {
        Past::Packed(blocks) => blocks,
        Past::Grid(_) => unreachable!("a cache of a device"),
    }
}

#[test]
fn ragged_steps_equal_decoding_at_once() {
    for config in configs() {
        for kernels in [Kernels::Fused, Kernels::Plain] {
            let (whole, active) = whole(&config, |_| ActiveAdapters::none());
            whole.check(&RAGGED, &active, kernels);
        }
    }
}

#[test]
fn heads_may_have_any_width() {
    for d_kv in [16, 20, 64] {
        let config = T5Config { d_kv, ..testing::tiny() };
        let (whole, active) = whole(&config, |_| ActiveAdapters::none());
        whole.check(&RAGGED, &active, Kernels::Fused);
    }
}

#[test]
fn so_they_do_with_a_method_everywhere() {
    for (config, targets) in
        configs().into_iter().flat_map(|config| [(config.clone(), everywhere()), (config, linear_and_sub_layers())])
    {
        let (plan, weights) = Box::leak(Box::new(scaled(&testing::build(&config), targets)));
        let all = ActiveAdapters::new(plan, &*weights).unwrap();
        let (bare, _) = whole(&config, |_| ActiveAdapters::none());
        let (acting, active) = whole(&config, |_| all.clone());
        assert!(active.is_uniform() && largest_difference(&acting.output, &bare.output) > 1e-3);
        acting.check(&RAGGED, &active, Kernels::Fused);
    }
}

#[test]
fn so_they_do_with_a_method_in_some_rows() {
    for config in configs() {
        let (plan, weights) = Box::leak(Box::new(scaled(&testing::build(&config), linear_and_sub_layers())));
        let all = ActiveAdapters::new(plan, &*weights).unwrap();
        let by_row = ActiveAdapters::by_row(&[None, Some(0), None], &[all]).unwrap();
        assert!(!by_row.is_uniform());
        let (apart, active) = whole(&config, |_| by_row.clone());
        apart.check(&RAGGED, &active, Kernels::Fused);
    }
}

#[test]
fn what_was_fed_too_much_can_be_taken_back() {
    let (whole, active) = whole(&testing::tiny(), |_| ActiveAdapters::none());
    let mut ctx = Ctx::eval();
    let mut cache = whole.t5.start_packed(&whole.encoded, &active, SIZE, &mut ctx).unwrap();
    let wrong = PackedTokens { row: 1, tokens: &[0, 59, 58, 57] };
    whole.t5.decode_packed(&PackedStep { rows: &[wrong], read: &[3] }, &mut cache, &active, &mut ctx).unwrap();
    cache.truncate(1, 1);
    assert_eq!(cache.lens(), [0, 1, 0]);
    let right = PackedTokens { row: 1, tokens: &whole.targets[1][1..] };
    let step = PackedStep { rows: &[right], read: &all(right) };
    let found = whole.t5.decode_packed(&step, &mut cache, &active, &mut ctx).unwrap();
    let expected = whole.output.get(1).unwrap().narrow(0, 1, whole.targets[1].len() - 1).unwrap();
    assert!(largest_difference(&found, &expected) < 1e-5);
}

#[test]
fn rows_of_one_sentence_share_it_and_go_their_own_ways() {
    for config in configs() {
        let (whole, active) = whole(&config, |_| ActiveAdapters::none());
        let mut ctx = Ctx::eval();
        let (ids, mask, _) = batch();
        let one = |t: &Tensor| t.narrow(0, 2, 1).unwrap();
        let sentence = whole.t5.encode(&one(&ids), &one(&mask), &active, &mut ctx).unwrap();
        let size = CacheSize { rows: 2, capacity: 8 };
        let mut cache = whole.t5.start_packed(&sentence, &active, size, &mut ctx).unwrap();
        let fed = |row, tokens| PackedTokens { row, tokens };
        let target = &whole.targets[2];
        let step = PackedStep { rows: &[fed(0, &target[..3]), fed(1, &[0, 9])], read: &[4] };
        whole.t5.decode_packed(&step, &mut cache, &active, &mut ctx).unwrap();
        cache.select(&[1, 0]).unwrap();
        assert_eq!(cache.lens(), [2, 3]);
        let rest = fed(1, &target[3..]);
        let step = PackedStep { rows: &[rest], read: &all(rest) };
        let found = whole.t5.decode_packed(&step, &mut cache, &active, &mut ctx).unwrap();
        let expected = whole.output.get(2).unwrap().narrow(0, 3, target.len() - 3).unwrap();
        assert!(largest_difference(&found, &expected) < 1e-5);
        let step = PackedStep { rows: &[fed(2, &[5])], read: &[0] };
        let error = whole.t5.decode_packed(&step, &mut cache, &active, &mut ctx).unwrap_err().to_string();
        assert_eq!(error, "the cache has 2 rows, not row 2");
        let blocks = blocks(&cache);
        assert_eq!((blocks.rows, blocks.sentences.longest()), (2, mask.dim(1).unwrap()));
    }
}

#[test]
fn a_model_in_eight_bits_keeps_narrow_keys_where_nothing_acts_on_them() {
    for config in configs() {
        let small = testing::build(&config).quantize(&ActiveAdapters::none()).unwrap();
        let norm = |t: &Tensor| t.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap().sqrt();
        let (ids, mask, labels) = batch();
        let decoder_ids = shift_right(&labels, 0).unwrap();
        for (targets, expected) in
            [(None, DType::BF16), (Some(linear_and_sub_layers()), DType::BF16), (Some(everywhere()), DType::F32)]
        {
            let (plan, weights) = scaled(&small, targets.clone().unwrap_or_else(linear_and_sub_layers));
            let active =
                if targets.is_some() { ActiveAdapters::new(&plan, &weights).unwrap() } else { ActiveAdapters::none() };
            let mut ctx = Ctx::eval();
            let encoded = small.encode(&ids, &mask, &active, &mut ctx).unwrap();
            let whole = small.decode(&decoder_ids, &encoded, &active, &mut ctx).unwrap().get(1).unwrap();
            let mut cache = small.start_packed(&encoded, &active, SIZE, &mut ctx).unwrap();
            let target: Vec<u32> = decoder_ids.get(1).unwrap().to_vec1().unwrap();
            let (first, rest) = target.split_at(2);
            let mut found = Vec::new();
            for tokens in [first, rest] {
                let fed = PackedTokens { row: 1, tokens };
                let step = PackedStep { rows: &[fed], read: &all(fed) };
                found.push(small.decode_packed(&step, &mut cache, &active, &mut ctx).unwrap());
            }
            for (past, memory) in &blocks(&cache).layers {
                assert_eq!((past.dtype(), memory.keys.dtype(), memory.values.dtype()), (expected, expected, expected));
            }
            let found = Tensor::cat(&found, 0).unwrap();
            assert!(norm(&(found - &whole).unwrap()) < 3e-2 * norm(&whole));
        }
    }
}

#[test]
fn sentences_leave_and_their_rows_multiply() {
    for config in configs() {
        let (whole, active) = whole(&config, |_| ActiveAdapters::none());
        let sentences = sentences();
        let slices: Vec<&[u32]> = sentences.iter().map(Vec::as_slice).collect();
        let packed = whole.t5.encode_packed(&slices, &active, &mut Ctx::eval()).unwrap();
        for encoded in [&whole.encoded, &packed] {
            let mut ctx = Ctx::eval();
            let mut cache = whole.t5.start_packed(encoded, &active, SIZE, &mut ctx).unwrap();
            let fed: Vec<PackedTokens<'_>> =
                (0..3).map(|row| PackedTokens { row, tokens: &whole.targets[row][..3] }).collect();
            whole.t5.decode_packed(&PackedStep { rows: &fed, read: &[0] }, &mut cache, &active, &mut ctx).unwrap();
            // The first sentence leaves; the others change places and have two rows each.
            cache.retain(&[2, 1], &[2, 2, 1, 1]).unwrap();
            assert_eq!((cache.lens(), blocks(&cache).rows), ([3; 4].as_slice(), 2));
            for (row, sentence) in [(0, 2), (1, 2), (2, 1), (3, 1)] {
                let fed = PackedTokens { row, tokens: &whole.targets[sentence][3..4] };
                let step = PackedStep { rows: &[fed], read: &[0] };
                let found = whole.t5.decode_packed(&step, &mut cache, &active, &mut ctx).unwrap();
                let expected = whole.output.get(sentence).unwrap().narrow(0, 3, 1).unwrap();
                assert!(largest_difference(&found, &expected) < 1e-5, "row {row}");
            }
            assert!(cache.select(&[0, 1, 2]).unwrap_err().to_string().contains("3 rows are not equally many for 2"));
            assert_eq!(cache.select(&[0, 4]).unwrap_err().to_string(), "the cache has 4 rows, not row 4");
            let error = cache.retain(&[7], &[0]).unwrap_err().to_string();
            assert_eq!(error, "the cache has 2 sentences, not sentence 7");
        }
    }
}
