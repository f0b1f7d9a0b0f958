//! States of the backbone that weights are generated from.

use candle_core::Tensor;

use crate::{Error, Result, Stack};

/// The output of one stack of the backbone for a batch, such as the encoder's: what a generator may look at.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use peft_core::{Stack, States};
///
/// let hidden = Tensor::new(&[[[1f32, 2.], [3., 6.], [9., 9.]]], &Device::Cpu)?;
/// let mask = Tensor::new(&[[1u32, 1, 0]], &Device::Cpu)?;
/// let states = States::new(Stack::ENCODER, hidden, mask)?;
/// assert_eq!(states.mean()?.to_vec2::<f32>()?, [[2., 4.]]); // the padding does not count
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct States {
    stack: Stack,
    hidden: Tensor,
    mask: Tensor,
}

impl States {
    /// The output `hidden: [batch, length, features]` of `stack`, and `mask: [batch, length]`, which is 1 at a position and 0 at
    /// padding.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if the mask is not for these positions.
    pub fn new(stack: Stack, hidden: Tensor, mask: Tensor) -> Result<Self> {
        let (batch, length, _) = hidden.dims3()?;
        if mask.dims() != [batch, length] {
            let (expected, found) = (vec![batch, length], mask.dims().to_vec());
            return Err(Error::ShapeMismatch { key: format!("the mask of the stack {stack}"), expected, found });
        }
        Ok(Self { stack, hidden, mask })
    }

    /// The stack whose output this is.
    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// The output, `[batch, length, features]`. What is at padding has no meaning.
    pub fn hidden(&self) -> &Tensor {
        &self.hidden
    }

    /// 1 at a position, 0 at padding, `[batch, length]`.
    pub fn mask(&self) -> &Tensor {
        &self.mask
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.hidden.dims().first().copied().unwrap_or_default()
    }

    /// The mean over the positions of each row, without padding: `Σ mᵢ hᵢ / Σ mᵢ`, `[batch, features]`. It is zero for a row
    /// without positions.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn mean(&self) -> Result<Tensor> {
        let mask = self.mask.to_dtype(self.hidden.dtype())?.unsqueeze(2)?;
        // Not a matrix product: its order of summation may depend on the padding.
        let sum = self.hidden.broadcast_mul(&mask)?.sum(1)?;
        let count = mask.sum(1)?.maximum(1f64)?;
        Ok(sum.broadcast_div(&count)?)
    }
}
