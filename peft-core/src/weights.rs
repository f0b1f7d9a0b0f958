//! The weights of one forward pass, in the order of a plan.

use candle_core::Tensor;

use crate::{Error, Result};

/// For each target of a plan its weights, in the order of the target's parameters.
#[derive(Debug, Clone, Default)]
pub struct AdapterWeights(Vec<Vec<Tensor>>);

impl AdapterWeights {
    /// A weights from the weights of each target.
    pub fn new(entries: Vec<Vec<Tensor>>) -> Self {
        Self(entries)
    }

    /// The weights of target number `entry`; none if the weights has no such target.
    pub fn entry(&self, target: usize) -> &[Tensor] {
        self.0.get(target).map_or(&[], Vec::as_slice)
    }

    /// The weights of every target.
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

    /// One weights whose weights carry a leading batch axis: row `b` uses the weights of `banks[rows[b]]`.
    ///
    /// # Errors
    /// If a row names no weights, or the banks differ in their entries.
    pub fn rows(banks: &[Self], rows: &[usize]) -> Result<Self> {
        let (Some(first), false) = (banks.first(), rows.is_empty()) else {
            return Err(Error::Mismatch("a batch needs at least one row and one weights".into()));
        };
        let pick = |target: usize, param: usize| -> Result<Tensor> {
            let row = |&r: &usize| {
                banks
                    .get(r)
                    .and_then(|b| b.entry(target).get(param))
                    .ok_or_else(|| Error::Mismatch(format!("row {r} has no weight {param} at target {target}")))
            };
            let tensors = rows.iter().map(row).collect::<Result<Vec<_>>>()?;
            Ok(Tensor::stack(&tensors, 0)?)
        };
        let target = |(e, w): (usize, &Vec<Tensor>)| (0..w.len()).map(|p| pick(e, p)).collect();
        first.0.iter().enumerate().map(target).collect::<Result<_>>().map(Self)
    }
}

impl From<AdapterWeights> for std::borrow::Cow<'_, AdapterWeights> {
    fn from(weights: AdapterWeights) -> Self {
        Self::Owned(weights)
    }
}

impl<'a> From<&'a AdapterWeights> for std::borrow::Cow<'a, AdapterWeights> {
    fn from(weights: &'a AdapterWeights) -> Self {
        Self::Borrowed(weights)
    }
}
