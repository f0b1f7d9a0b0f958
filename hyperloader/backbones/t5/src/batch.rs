//! The input of one training step.

use candle_core::{Device, Tensor};

use crate::error::{Error, Result};

/// A padded batch of sources and targets on the model's device.
#[derive(Debug, Clone)]
pub struct T5Batch {
    /// Source ids, `[batch, source length]`, u32.
    pub source: Tensor,
    /// 1 for a source id, 0 for padding, `[batch, source length]`, u32.
    pub mask: Tensor,
    /// Target ids, `[batch, target length]`, u32.
    pub labels: Tensor,
    /// The number of labels that are not padding.
    pub label_tokens: usize,
}

impl T5Batch {
    /// Pads sources and targets of token ids with `pad`.
    ///
    /// ```
    /// use candle_core::Device;
    /// use peft_t5::T5Batch;
    ///
    /// let batch = T5Batch::new(&[&[17, 4, 1], &[9, 1]], &[&[5, 1], &[1]], 0, &Device::Cpu)?;
    /// assert_eq!(batch.mask.to_vec2::<u32>()?, [[1, 1, 1], [1, 1, 0]]);
    /// assert_eq!((batch.labels.dims(), batch.label_tokens), (&[2, 2][..], 3));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Mismatch`] if there are more sources than targets or fewer, or no label at all.
    pub fn new(sources: &[&[u32]], targets: &[&[u32]], pad: u32, device: &Device) -> Result<Self> {
        if sources.len() != targets.len() {
            let (sources, targets) = (sources.len(), targets.len());
            return Err(Error::Mismatch(format!("a batch of {sources} sources and {targets} targets")));
        }
        let (source, mask) = padded_with_mask(sources, pad, device)?;
        Self::from_tensors(source, mask, padded(targets, pad, device)?, pad)
    }

    /// The batch of padded tensors; labels equal to `pad` do not count.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if there is no label.
    pub fn from_tensors(source: Tensor, mask: Tensor, labels: Tensor, pad: u32) -> Result<Self> {
        let label_tokens = labels.flatten_all()?.to_vec1::<u32>()?.into_iter().filter(|&id| id != pad).count();
        if label_tokens == 0 {
            return Err(Error::Mismatch("a batch without a single label".into()));
        }
        Ok(Self { source, mask, labels, label_tokens })
    }
}

/// The rows with `pad` after each, and their mask: 1 for what is in a row, 0 for padding.
pub(crate) fn padded_with_mask(rows: &[&[u32]], pad: u32, device: &Device) -> Result<(Tensor, Tensor)> {
    let ones: Vec<Vec<u32>> = rows.iter().map(|row| vec![1; row.len()]).collect();
    let ones: Vec<&[u32]> = ones.iter().map(Vec::as_slice).collect();
    Ok((padded(rows, pad, device)?, padded(&ones, 0, device)?))
}

/// `[rows, longest]`
fn padded(rows: &[&[u32]], pad: u32, device: &Device) -> Result<Tensor> {
    let longest = rows.iter().map(|row| row.len()).max().unwrap_or_default();
    let padding = |row: &&[u32]| std::iter::repeat_n(pad, longest - row.len());
    let ids: Vec<u32> = rows.iter().flat_map(|row| row.iter().copied().chain(padding(row))).collect();
    Ok(Tensor::from_vec(ids, (rows.len(), longest), device)?)
}
