//! The weights of one forward pass, in the order of a plan.

use candle_core::Tensor;

use crate::{Error, Result};

/// For each entry of a plan its weights, in the order of the entry's parameters.
#[derive(Debug, Clone, Default)]
pub struct WeightBank(Vec<Vec<Tensor>>);

impl WeightBank {
    /// A bank from the weights of each entry.
    pub fn new(entries: Vec<Vec<Tensor>>) -> Self {
        Self(entries)
    }

    /// The weights of entry number `entry`; none if the bank has no such entry.
    pub fn entry(&self, entry: usize) -> &[Tensor] {
        self.0.get(entry).map_or(&[], Vec::as_slice)
    }

    /// The weights of every entry.
    pub fn iter(&self) -> impl Iterator<Item = &[Tensor]> {
        self.0.iter().map(Vec::as_slice)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same weights cut off from the graph that generated them.
    pub fn detach(&self) -> Self {
        Self(self.0.iter().map(|w| w.iter().map(Tensor::detach).collect()).collect())
    }

    /// One bank whose weights carry a leading batch axis: row `b` uses the weights of `banks[rows[b]]`.
    ///
    /// # Errors
    /// If a row names no bank, or the banks differ in their entries.
    pub fn rows(banks: &[Self], rows: &[usize]) -> Result<Self> {
        let (Some(first), false) = (banks.first(), rows.is_empty()) else {
            return Err(Error::Mismatch("a batch needs at least one row and one bank".into()));
        };
        let pick = |entry: usize, param: usize| -> Result<Tensor> {
            let row = |&r: &usize| {
                banks
                    .get(r)
                    .and_then(|b| b.entry(entry).get(param))
                    .ok_or_else(|| Error::Mismatch(format!("row {r} has no weight {param} at entry {entry}")))
            };
            let tensors = rows.iter().map(row).collect::<Result<Vec<_>>>()?;
            Ok(Tensor::stack(&tensors, 0)?)
        };
        let entry = |(e, w): (usize, &Vec<Tensor>)| (0..w.len()).map(|p| pick(e, p)).collect();
        first.0.iter().enumerate().map(entry).collect::<Result<_>>().map(Self)
    }
}

impl From<WeightBank> for std::borrow::Cow<'_, WeightBank> {
    fn from(bank: WeightBank) -> Self {
        Self::Owned(bank)
    }
}

impl<'a> From<&'a WeightBank> for std::borrow::Cow<'a, WeightBank> {
    fn from(bank: &'a WeightBank) -> Self {
        Self::Borrowed(bank)
    }
}
