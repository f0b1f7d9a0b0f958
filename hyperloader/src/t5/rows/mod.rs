//! Sentences of different lengths without padding, and decoding rows that go on at their own pace: each row of a step is fed
//! as many tokens as it likes, at its own positions.
//!
//! The tokens of all rows lie one behind the other, `[1, tokens, d]`, so that linear maps and norms meet no padding. Only
//! attention knows the rows apart.
//!
//! | module | idea |
//! |---|---|
//! | `encoded` | `T5::encode_rows` and what it gives |
//! | `step` | `T5::start_rows` and `T5::decode_rows` |
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

pub use cache::RowCache;
pub use encoded::Encoded;
pub use step::RowTokens;

pub(super) use cache::RowPast;
pub(super) use places::{Place, Places, Read};
pub(super) use terms::{Keys, RowTerms};

use candle_core::{DType, Tensor};
use peft_core::ops::Kernels;

use super::attention::KeyValues;
use crate::Result;

/// `softmax(q kᵀ + terms) v` per head for the tokens of a step: `q [b, l, heads · d_kv]` to the same shape. Tokens without
/// a place get zeros.
pub(super) fn attention(
    q: &Tensor,
    memory: &KeyValues,
    heads: usize,
    terms: &RowTerms<'_>,
    kernels: Kernels,
) -> Result<Tensor> {
    let fused = kernels == Kernels::Fused && q.device().is_cpu() && q.dtype() == DType::F32;
    match fused {
        true => kernel::attention(q, memory, heads, terms),
        false => plain::attention(q, memory, heads, terms),
    }
}
