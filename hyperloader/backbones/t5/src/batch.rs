//! The input of one training step.

use candle_core::{Device, Tensor};
use peft_kernels::transfer;

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
        let (sources, targets) = (Padded::new(sources, pad), Padded::new(targets, pad));
        let parts = [(sources.ids, sources.shape), (sources.mask, sources.shape), (targets.ids, targets.shape)];
        Self::from_values(parts, pad, device)
    }

    /// The batch of source ids, mask and labels, each with its rows and their length. All of it goes to `device` in one transfer, and
    /// nothing is read back. Labels equal to `pad` do not count.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if there is no label, or other numbers of values than the shapes say.
    pub fn from_values(parts: [(Vec<u32>, (usize, usize)); 3], pad: u32, device: &Device) -> Result<Self> {
        let [.., (labels, _)] = &parts;
        let label_tokens = labels.iter().filter(|id| **id != pad).count();
        if label_tokens == 0 {
            return Err(no_label());
        }
        let [source, mask, labels] = uploaded(parts, device)?;
        Ok(Self { source, mask, labels, label_tokens })
    }

    /// The batch of padded tensors; labels equal to `pad` do not count. To count the others, labels are read back from the device, which
    /// [`from_values`](Self::from_values) does not do.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if there is no label.
    pub fn from_tensors(source: Tensor, mask: Tensor, labels: Tensor, pad: u32) -> Result<Self> {
        let label_tokens = transfer::download::<u32>(&labels)?.into_iter().filter(|&id| id != pad).count();
        if label_tokens == 0 {
            return Err(no_label());
        }
        Ok(Self { source, mask, labels, label_tokens })
    }
}

fn no_label() -> Error {
    Error::Mismatch("a batch without a single label".into())
}

/// The rows with `pad` after each, and their mask, `[rows, longest]` each: 1 for what is in a row, 0 for padding.
pub(crate) fn padded_with_mask(rows: &[&[u32]], pad: u32, device: &Device) -> Result<(Tensor, Tensor)> {
    let Padded { ids, mask, shape } = Padded::new(rows, pad);
    let [ids, mask] = uploaded([(ids, shape), (mask, shape)], device)?;
    Ok((ids, mask))
}

/// Rows of one length.
struct Padded {
    ids: Vec<u32>,
    mask: Vec<u32>,
    shape: (usize, usize),
}

impl Padded {
    fn new(rows: &[&[u32]], pad: u32) -> Self {
        let longest = rows.iter().map(|row| row.len()).max().unwrap_or_default();
        let padding = |row: &[u32], value| std::iter::repeat_n(value, longest - row.len());
        let ids = rows.iter().flat_map(|row| row.iter().copied().chain(padding(row, pad))).collect();
        let mask = rows.iter().flat_map(|row| std::iter::repeat_n(1, row.len()).chain(padding(row, 0))).collect();
        Self { ids, mask, shape: (rows.len(), longest) }
    }
}

/// Matrices of these values and shapes, brought to `device` in one transfer.
fn uploaded<const N: usize>(parts: [(Vec<u32>, (usize, usize)); N], device: &Device) -> Result<[Tensor; N]> {
    let shapes = parts.each_ref().map(|(_, shape)| *shape);
    for (values, (rows, length)) in &parts {
        if values.len() != rows * length {
            let count = values.len();
            return Err(Error::Mismatch(format!("{count} ids are no {rows} rows of {length}")));
        }
    }
    let values = parts.map(|(values, _)| values).concat();
    let count = values.len();
    let all = transfer::upload(values, count, device)?;
    let mut first = 0;
    let mut part = |(rows, length): (usize, usize)| -> Result<Tensor> {
        let part = all.narrow(0, first, rows * length)?.reshape((rows, length))?;
        first += rows * length;
        Ok(part)
    };
    let mut parts = Vec::with_capacity(N);
    for shape in shapes {
        parts.push(part(shape)?);
    }
    let count = parts.len();
    parts.try_into().map_err(|_| Error::Mismatch(format!("{count} parts of a batch")))
}
