//! From generated weights to those of every target.

use candle_core::Tensor;
use peft_core::{AdapterWeights, Error, ParamSpec, Plan, Result, Scope, TargetedModule};

use crate::head::Slot;

/// For each weight of each target: the target and the index of the weight that is generated for it. It is the weight itself, unless
/// sites share it.
#[derive(Debug)]
pub(crate) struct Sources(Vec<Vec<(usize, usize)>>);

impl Sources {
    pub(crate) fn of(plan: &Plan) -> Self {
        let target = |(e, target): (usize, &TargetedModule)| {
            (0..target.params.len()).map(|param| first_use(plan, e, param)).collect()
        };
        Self(plan.targets().iter().enumerate().map(target).collect())
    }

    /// The weights of all targets from those that were `generated`.
    pub(crate) fn collect(&self, generated: impl IntoIterator<Item = (Slot, Tensor)>) -> Result<AdapterWeights> {
        let mut made: Vec<Vec<Option<Tensor>>> = self.0.iter().map(|e| vec![None; e.len()]).collect();
        for (slot, weight) in generated {
            if let Some(place) = made.get_mut(slot.target).and_then(|e| e.get_mut(slot.param)) {
                *place = Some(weight);
            }
        }
        let weight = |&(e, p): &(usize, usize)| made.get(e).and_then(|target| target.get(p).cloned().flatten());
        let target = |places: &Vec<(usize, usize)>| places.iter().map(weight).collect::<Option<Vec<_>>>();
        let weights = self.0.iter().map(target).collect::<Option<Vec<_>>>();
        weights
            .map(AdapterWeights::new)
            .ok_or_else(|| Error::Mismatch("the hypernetwork has no head for a weight of the plan".into()))
    }
}

/// The target and index where weight `p` of target `e` is first asked for. It differs from `(e, p)` only if sites share the
/// weight.
pub(crate) fn first_use(plan: &Plan, e: usize, p: usize) -> (usize, usize) {
    let Some(spec) = plan.targets().get(e).and_then(|target| target.params.get(p)) else {
        return (e, p);
    };
    if spec.scope == Scope::Site {
        return (e, p);
    }
    let place = |(e, target): (usize, &TargetedModule)| {
        let same = |other: &ParamSpec| other.scope == Scope::Model && other.name == spec.name;
        target.params.iter().position(same).map(|p| (e, p))
    };
    plan.targets().iter().enumerate().find_map(place).unwrap_or((e, p))
}
