//! Tagged sentences as token ids of a text-to-text task.
//!
//! The source is `<extra_id_0> w0 <extra_id_1> w1 … <extra_id_n> </s>`, the target
//! `<extra_id_0> tag0 <extra_id_1> tag1 … <extra_id_n> </s>` (Raman et al. 2022,
//! <https://arxiv.org/abs/2203.08378>). The tags are simplified: `B-X` → `X`, `I-X` → `I`.

mod batch;
mod dataset;
mod pairs;
#[cfg(feature = "tables")]
mod parquet;
mod sentinel;
mod tags;
mod view;

#[cfg(test)]
mod tests;

pub use batch::{Batch, BatchShape, collate};
pub use dataset::{TruncationCount, encode_all};
pub use pairs::Pairs;
pub use sentinel::{EncodeOptions, Encoder, Pair};
pub use tags::decode_tags;
pub use view::{AsPair, PairView};

pub(crate) use sentinel::{Beginning, interleave};
