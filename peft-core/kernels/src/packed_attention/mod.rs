//! Attention of tokens that belong to different sequences and positions, without padding.
//!
//! | module | idea |
//! |---|---|
//! | `positions` | which sequence and position each token has |
//! | `bias` | a position bias that depends on the offset between key and query alone |
//! | `scores` | which keys a token sees, and what is added to its scores |
//! | `fused`, `plain` | the operation itself, twice |

mod bias;
mod fused;
mod plain;
mod positions;
mod scores;
#[cfg(test)]
mod tests;

pub use bias::OffsetBias;
pub use plain::packed_attention_plain;
pub use positions::{TokenPosition, TokenPositions};
pub use scores::{PackedAttention, PackedBias, PackedKeys};

use candle_core::{Result, Tensor};

use crate::kernels::{Kernels, Path};

/// `softmax(q kᵀ + bias + mask) v` for each head, where every token has its own sequence and position.
///
/// A batch of sequences of different lengths needs no padding: the tokens of all of them follow each other, and `options`
/// says where each belongs and which keys it sees. Tokens without a position get zeros.
///
/// | argument | shape |
/// |---|---|
/// | `q` | `[b, l, heads * d_head]`, with `b * l` tokens |
/// | `k`, `v` | `[rows, room, heads * d_head]`; `f32` or `bf16`, which is widened on the way |
///
/// The result has `q`'s shape. The operation is for decoding: the fused version has no backward pass. The fused version runs
/// for an `f32` `q` on the CPU.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use peft_kernels::{Kernels, PackedAttention, PackedKeys, TokenPosition, TokenPositions, packed_attention};
///
/// // One row with room for four keys; its second token sees two of them.
/// let keys = Tensor::ones((1, 4, 2), candle_core::DType::F32, &Device::Cpu)?;
/// let values = Tensor::new(&[[[1f32, 2.], [3., 4.], [50., 50.], [50., 50.]]], &Device::Cpu)?;
/// let q = Tensor::ones((1, 1, 2), candle_core::DType::F32, &Device::Cpu)?;
/// let tokens = TokenPositions(vec![Some(TokenPosition { row: 0, position: 1 })]);
/// let options = PackedAttention::new(1, &tokens, PackedKeys::Own { prefix: 0 });
/// let found = packed_attention(&q, (&keys, &values), &options, Kernels::Fused)?;
/// assert_eq!(found.flatten_all()?.to_vec1::<f32>()?, [2., 3.]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// If the shapes do not fit each other or the number of tokens.
pub fn packed_attention(
    q: &Tensor,
    (k, v): (&Tensor, &Tensor),
    options: &PackedAttention<'_>,
    kernels: Kernels,
) -> Result<Tensor> {
    match kernels.path_for(&[q]) {
        Path::Cpu => fused::attention(q, (k, v), options),
        Path::Device | Path::Plain => packed_attention_plain(q, (k, v), options),
    }
}
