//! Some rows of a batch.

use std::sync::{Arc, OnceLock};

use candle_core::{Device, Tensor};
use peft_kernels::transfer;

use crate::{Error, Result};

/// Some rows of a batch, in ascending order.
#[derive(Debug, Clone)]
pub(super) struct Rows {
    batch: usize,
    at: Vec<u32>,
    /// Made at the first use, for all sites and passes: each upload makes the host wait for the device.
    index: Arc<OnceLock<Index>>,
}

/// What puts rows apart and together, on the device of the batch.
#[derive(Debug, Clone)]
struct Index {
    /// The rows.
    gather: Tensor,
    /// For each row of the batch its place in the batch followed by these rows.
    scatter: Tensor,
}

impl Rows {
    fn new(batch: usize, at: Vec<u32>) -> Self {
        Self { batch, at, index: Arc::default() }
    }

    fn index(&self, device: &Device) -> Result<Index> {
        if let Some(known) = self.index.get().filter(|known| known.gather.device().same_device(device)) {
            return Ok(known.clone());
        }
        let mut scatter: Vec<u32> = Self::all(self.batch)?.at;
        for (place, &row) in (self.batch as u32..).zip(&self.at) {
            if let Some(source) = scatter.get_mut(row as usize) {
                *source = place;
            }
        }
        let upload = |values: Vec<u32>| {
            let count = values.len();
            transfer::upload(values, count, device)
        };
        let made = Index { gather: upload(self.at.clone())?, scatter: upload(scatter)? };
        // Another thread may have been faster, with the same.
        let _ = self.index.set(made.clone());
        Ok(made)
    }

    /// All rows of a batch of `batch`.
    pub(super) fn all(batch: usize) -> Result<Self> {
        let count =
            u32::try_from(batch).map_err(|_| Error::Mismatch(format!("a batch of {batch} rows is too long")))?;
        Ok(Self::new(batch, (0..count).collect()))
    }

    pub(super) fn len(&self) -> usize {
        self.at.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.at.is_empty()
    }

    /// Fails if these rows belong to a batch whose number of rows is not `batch`.
    pub(super) fn check(&self, batch: usize) -> Result<()> {
        if self.batch == batch {
            return Ok(());
        }
        Err(Error::Mismatch(format!(
            "the active adapters were chosen for {} rows, the batch has {batch}; call select_rows when rows are dropped or \
             repeated",
            self.batch
        )))
    }

    /// These rows of `x [batch, ..]`.
    pub(super) fn gather(&self, x: &Tensor) -> Result<Tensor> {
        self.check(x.dim(0)?)?;
        Ok(x.contiguous()?.index_select(&self.index(x.device())?.gather, 0)?)
    }

    /// `x [batch, ..]` with `mine` in these rows. Rows are copied, not added, so that the other rows stay equal to the bit.
    pub(super) fn scatter(&self, mine: &Tensor, x: &Tensor) -> Result<Tensor> {
        let both = Tensor::cat(&[x, mine], 0)?;
        Ok(both.index_select(&self.index(x.device())?.scatter, 0)?)
    }

    /// Those of these rows that are in `keep` (ascending), and their indices among these rows.
    pub(super) fn keep(&self, keep: &[u32]) -> (Vec<u32>, Self) {
        let kept = (0..).zip(&self.at).filter(|(_, row)| keep.binary_search(row).is_ok());
        let (places, at) = kept.map(|(place, &row)| (place, row)).unzip();
        (places, Self::new(self.batch, at))
    }

    /// These rows in the batch whose row `i` is row `index[i]` of this one, and the index of each among these rows.
    pub(super) fn select(&self, index: &[u32]) -> Result<(Vec<u32>, Self)> {
        if let Some(row) = index.iter().find(|&&row| row as usize >= self.batch) {
            return Err(Error::Mismatch(format!("row {row} was selected from a batch of {} rows", self.batch)));
        }
        let place = |row| self.at.binary_search(row).ok().map(|place| place as u32);
        let found = (0..).zip(index).filter_map(|(new, row)| place(row).map(|place| (place, new)));
        let (places, at) = found.unzip();
        Ok((places, Self::new(index.len(), at)))
    }
}
