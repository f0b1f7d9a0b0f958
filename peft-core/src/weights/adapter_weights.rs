//! The weights of one forward pass, in the order of a plan.

use candle_core::Tensor;

use crate::{Error, ParamSpec, Plan, Result};

/// The weights of each target of a plan, in the order of the target's parameters.
#[derive(Debug, Clone, Default)]
pub struct AdapterWeights(Vec<Vec<Tensor>>);

impl AdapterWeights {
    /// Weights from those of each target.
    pub fn new(targets: Vec<Vec<Tensor>>) -> Self {
        Self(targets)
    }

    /// The weights of target number `target`; empty if there is no such target.
    pub fn of_target(&self, target: usize) -> &[Tensor] {
        self.0.get(target).map_or(&[], Vec::as_slice)
    }

    /// The weights of every target.
    pub fn iter(&self) -> impl Iterator<Item = &[Tensor]> {
        self.0.iter().map(Vec::as_slice)
    }

    /// The number of targets.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same weights, detached from the gradient graph.
    pub fn detach(&self) -> Self {
        Self(self.0.iter().map(|w| w.iter().map(Tensor::detach).collect()).collect())
    }

    /// Weights with a leading batch axis: row `b` uses those of `sets[rows[b]]`.
    ///
    /// # Errors
    /// If `sets` or `rows` is empty, a row names no set, or the sets differ in their targets.
    pub fn rows(sets: &[Self], rows: &[usize]) -> Result<Self> {
        let (Some(first), false) = (sets.first(), rows.is_empty()) else {
            return Err(Error::Mismatch("a batch needs at least one row and one set of weights".into()));
        };
        let pick = |target: usize, param: usize| -> Result<Tensor> {
            let row = |&r: &usize| {
                sets.get(r)
                    .and_then(|set| set.of_target(target).get(param))
                    .ok_or_else(|| Error::Mismatch(format!("set {r} has no weight {param} at target {target}")))
            };
            let tensors = rows.iter().map(row).collect::<Result<Vec<_>>>()?;
            Ok(Tensor::stack(&tensors, 0)?)
        };
        let target = |(e, w): (usize, &Vec<Tensor>)| (0..w.len()).map(|p| pick(e, p)).collect();
        first.0.iter().enumerate().map(target).collect::<Result<_>>().map(Self)
    }
}

impl AdapterWeights {
    /// The weights of row `row` of the batch, without the batch axis of those that have one.
    ///
    /// # Errors
    /// If there is no such row.
    pub fn of_row(&self, plan: &Plan, row: usize) -> Result<Self> {
        let one = |(param, weight): (&ParamSpec, &Tensor)| match weight.rank() > param.dims.len() {
            true => Ok(weight.get(row)?),
            false => Ok(weight.clone()),
        };
        let targets = plan.targets().iter().zip(&self.0);
        targets
            .map(|(target, weights)| target.params.iter().zip(weights).map(one).collect())
            .collect::<Result<_>>()
            .map(Self)
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
