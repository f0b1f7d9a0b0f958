//! Many variables updated as one vector: on a device each operation costs the same whether it is short or long.

use std::collections::BTreeMap;

use candle_core::{DType, Tensor};

use super::config::Unreached;
use super::moments::{Averages, Moments};
use super::optimizer::{AdamW, Parameter};
use super::update::Coefficients;
use crate::Result;
use crate::optim::Gradients;

/// Variables that have had equally many updates and learn at one rate, so that their updates have the same coefficients.
#[derive(Debug)]
pub(super) struct Group {
    /// Their numbers among the optimizer's, ascending.
    members: Vec<usize>,
    /// `m` of all of them, one after the other.
    first: Tensor,
    /// `v` of all of them.
    second: Tensor,
}

impl AdamW {
    /// One update of all variables, group by group.
    pub(super) fn apply_together(&mut self, gradients: &Gradients, lr: f64) -> Result<()> {
        let mut members: BTreeMap<(u64, u64), Vec<usize>> = BTreeMap::new();
        for (number, parameter) in self.parameters.iter().enumerate() {
            let reached = gradients.get(&parameter.name).is_some();
            let moves_on = self.config.unreached == Unreached::Dense && parameter.moments.is_some();
            if reached || moves_on {
                members.entry((parameter.steps(), parameter.lr_scale.to_bits())).or_default().push(number);
            }
        }
        let before = std::mem::take(&mut self.groups);
        for ((steps, lr_scale), members) in members {
            let known = before.iter().find(|group| group.members == members);
            let coefficients = Coefficients::new(&self.config, lr * f64::from_bits(lr_scale), steps + 1);
            let group = self.update_group(members, known, &coefficients, gradients)?;
            self.groups.push(group);
        }
        Ok(())
    }

    fn update_group(
        &mut self,
        members: Vec<usize>,
        known: Option<&Group>,
        coefficients: &Coefficients,
        gradients: &Gradients,
    ) -> Result<Group> {
        let own: Vec<&Parameter> = members.iter().filter_map(|number| self.parameters.get(*number)).collect();
        let values = joined(own.iter().map(|parameter| parameter.variable.as_detached_tensor().flatten_all()))?;
        let gradient = match gradients.buffer_of(own.iter().map(|parameter| parameter.name.as_str())) {
            Some(buffer) => buffer.clone(),
            None => joined(own.iter().map(|parameter| match gradients.get(&parameter.name) {
                Some(gradient) => gradient.flatten_all(),
                None => parameter.zeros(),
            }))?,
        };
        let (first, second) = match known {
            Some(group) => (group.first.clone(), group.second.clone()),
            None => {
                let averages = own.iter().map(|parameter| parameter.averages()).collect::<Result<Vec<_>>>()?;
                let side = |side: usize| joined(averages.iter().filter_map(|both| both.get(side).cloned().map(Ok)));
                (side(0)?, side(1)?)
            }
        };
        let [values, first, second] = coefficients.next([&values, &first, &second], &gradient)?;
        let mut from = 0;
        for number in &members {
            if let Some(parameter) = self.parameters.get_mut(*number) {
                let count = parameter.variable.elem_count();
                let part = |all: &Tensor| all.narrow(0, from, count);
                let value = part(&values)?.reshape(parameter.variable.shape())?;
                let averages = Averages::Device { first: part(&first)?, second: part(&second)? };
                let steps = parameter.steps() + 1;
                parameter.variable.set(&value)?;
                parameter.moments = Some(Moments { steps, averages });
                from += count;
            }
        }
        Ok(Group { members, first, second })
    }
}

impl Parameter {
    /// The number of its updates.
    fn steps(&self) -> u64 {
        self.moments.as_ref().map_or(0, |moments| moments.steps)
    }

    fn zeros(&self) -> candle_core::Result<Tensor> {
        Tensor::zeros(self.variable.elem_count(), DType::F32, self.variable.device())
    }

    /// `m` and `v` as vectors.
    fn averages(&self) -> Result<[Tensor; 2]> {
        match self.moments.as_ref().map(|moments| &moments.averages) {
            Some(Averages::Device { first, second }) => Ok([first.clone(), second.clone()]),
            Some(Averages::Host { .. }) | None => Ok([self.zeros()?, self.zeros()?]),
        }
    }
}

/// These vectors one after the other.
fn joined(parts: impl Iterator<Item = candle_core::Result<Tensor>>) -> Result<Tensor> {
    let parts = parts.collect::<candle_core::Result<Vec<_>>>()?;
    Ok(Tensor::cat(&parts, 0)?)
}
