//! Sentences of different lengths without padding, and decoding rows that go on at their own pace: each row of a step is fed
//! as many tokens as it likes, at its own positions.
//!
//! The tokens of all rows lie one behind the other, `[1, tokens, d]`, so that linear maps and norms meet no padding. Only
//! attention knows the rows apart.
//!
//! | module | idea |
//! |---|---|
//! | `encoded` | `T5::encode_packed` and what it gives |
//! | `step` | `T5::start_packed` and `T5::decode_packed` |
//! | `cache` | keys and values, with a length for each row |
//! | `places` | which row and position each token of a step belongs to, and which are read |
//! | `terms` | what is added to a query's scores |
//! | `kernel`, `plain` | attention of such tokens, fused and by candle's own operations |

mod cache;
mod encoded;
mod kernel;
mod places;
mod plain;
mod step;
mod terms;

pub use cache::PackedKvCache;
pub use encoded::Encoded;
pub use step::PackedTokens;

pub(super) use cache::PackedPast;
pub(super) use places::{Place, Places, Read};
pub(super) use terms::{Keys, PackedTerms};

use candle_core::{DType, Tensor};
use peft_kernels::Kernels;

use super::attention::KeyValues;
use crate::Result;

/// `softmax(q kᵀ + terms) v` per head for the tokens of a step: `q [b, l, heads · d_kv]` to the same shape. Tokens without
/// a place get zeros.
pub(super) fn attention(
    q: &Tensor,
    memory: &KeyValues,
    heads: usize,
    terms: &PackedTerms<'_>,
    kernels: Kernels,
) -> Result<Tensor> {
    let fused = kernels == Kernels::Fused && q.device().is_cpu() && q.dtype() == DType::F32;
    match fused {
        true => kernel::attention(q, memory, heads, terms),
        false => plain::attention(q, memory, heads, terms),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use candle_core::Device;

    use super::*;

    #[test]
    fn narrow_keys_and_values_give_what_they_give_when_widened() {
        let numbers = |tokens: usize, seed: f32| {
            let of = |i: usize| (i as f32 * seed).sin();
            Tensor::from_vec((0..tokens * 24).map(of).collect::<Vec<f32>>(), (1, tokens, 24), &Device::Cpu).unwrap()
        };
        // Four keys at once and some that are left over, in a run of two tokens and one of one.
        let sentences = [0..7, 7..10];
        let of = |row, position| Some(Place { row, position });
        let places = Places(vec![of(0, 0), of(0, 1), of(1, 0)]);
        let keys = Keys::Packed { rows: 1, sentences: &sentences };
        let terms = PackedTerms { places: &places, keys, bias: None, later: 0, mask: &[], relative: None };
        let wide = KeyValues { keys: numbers(10, 0.7), values: numbers(10, 1.3) };
        let narrow = wide.to_dtype(DType::BF16).unwrap();
        for kernels in [Kernels::Fused, Kernels::Plain] {
            let find = |memory: &KeyValues| {
                let found = attention(&numbers(3, 2.1), memory, 3, &terms, kernels).unwrap();
                found.flatten_all().unwrap().to_vec1::<f32>().unwrap()
            };
            assert_eq!(find(&narrow), find(&narrow.to_dtype(DType::F32).unwrap()), "{kernels:?}");
            assert_ne!(find(&narrow), find(&wide), "{kernels:?}");
        }
    }
}
