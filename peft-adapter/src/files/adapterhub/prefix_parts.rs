//! AdapterHub joins the prefixes of all attentions of one kind into one weight; this crate has one weight for each.

use std::collections::BTreeMap;

use candle_core::Tensor;
use peft_core::{ParamSpec, Plan, Result, TargetedModule};

use super::names::name;
use crate::prefix::Location;

/// Whether `param` is a weight of a prefix.
pub(super) fn is_part(target: &TargetedModule, param: &ParamSpec) -> bool {
    Location::of(&target.site).is_some() && param.name.starts_with("prefix")
}

/// One weight of this crate as a part of one of the file.
#[derive(Debug)]
pub(super) struct Part {
    /// Its name in this crate.
    pub(super) ours: String,
    dims: Vec<usize>,
    /// The name of the whole in the file.
    pub(super) key: String,
    /// The axis along which the parts are joined.
    pub(super) axis: usize,
    number: usize,
    /// Of how many parts the whole is joined.
    pub(super) of: usize,
    /// Whether the file holds the whole as a vector.
    flat: bool,
}

impl Part {
    fn whole_dims(&self) -> Vec<usize> {
        let scaled = |(axis, &dim): (usize, &usize)| if axis == self.axis { dim * self.of } else { dim };
        self.dims.iter().enumerate().map(scaled).collect()
    }

    /// The shape of the whole in the file.
    pub(super) fn file_dims(&self) -> Vec<usize> {
        if self.flat { vec![self.whole_dims().iter().product()] } else { self.whole_dims() }
    }

    /// This part of `whole`.
    pub(super) fn of_whole(&self, whole: &Tensor) -> Result<Tensor> {
        let size = self.dims.get(self.axis).copied().unwrap_or(1);
        Ok(whole.reshape(self.whole_dims())?.narrow(self.axis, self.number * size, size)?.contiguous()?)
    }
}

/// The weights of all prefixes of `plan`.
pub(super) fn parts(plan: &Plan, adapter: &str) -> Vec<Part> {
    let mut attentions: BTreeMap<Location, usize> = BTreeMap::new();
    let mut numbered = Vec::new();
    for target in plan.targets() {
        let has_one = target.params.iter().any(|param| is_part(target, param));
        if let Some(location) = Location::of(&target.site).filter(|_| has_one) {
            let count = attentions.entry(location).or_default();
            numbered.push((target, location, *count));
            *count += 1;
        }
    }
    let of_entry = |(target, location, number): (&TargetedModule, Location, usize)| -> Vec<Part> {
        let of = attentions.get(&location).copied().unwrap_or(1);
        let params = target.params.iter().filter(|param| is_part(target, param));
        params.map(|param| part(target, param, location, (number, of), adapter)).collect()
    };
    numbered.into_iter().flat_map(of_entry).collect()
}

/// The weight `param` of one attention, which is number `number` of the `of` attentions of its kind.
fn part(
    target: &TargetedModule,
    param: &ParamSpec,
    location: Location,
    (number, of): (usize, usize),
    adapter: &str,
) -> Part {
    let group = format!("prefix_tuning.prefix_tunings.{adapter}.{}", location.name());
    let gate = format!("{}.prefix_tuning.prefix_gates.{adapter}", target.site.path);
    let (module, weight) = param.name.rsplit_once('.').unwrap_or(("", &param.name));
    let whole = |key: String| (key, 0, (0, 1));
    let (key, axis, (number, of)) = match module.rsplit('.').next() {
        Some("wte") => whole(format!("{group}.wte.{weight}")),
        Some("down") => whole(format!("{group}.control_trans.0.{weight}")),
        Some("gate") => whole(format!("{gate}.{weight}")),
        Some("up") => (format!("{group}.control_trans.2.{weight}"), 0, (number, of)),
        _ => (format!("{group}.control_trans"), 1, (number, of)),
    };
    Part { ours: name(target, param), dims: param.dims.clone(), key, axis, number, of, flat: axis == 1 }
}
