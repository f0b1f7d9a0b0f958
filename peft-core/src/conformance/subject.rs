//! A method on a backbone, as the checks handle it.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};

use super::backbone::{ROWS, TestBackbone};
use crate::rng::{Stream, stream_of};
use crate::{
    ActiveAdapters, AdapterWeights, Condition, Ctx, GeneratorConfig, ParamStore, PeftConfig, Plan, Result, Tasks,
    WeightGenerator,
};

/// The largest difference of outputs that should be equal except for rounding.
pub(super) const TOLERANCE: f64 = 1e-5;
/// The seed of everything random here.
const SEED: u64 = 20;
/// The size of the noise that moves variables away from their initial values.
const NOISE: f64 = 0.03;

/// What is checked.
pub(super) struct Subject<'a> {
    pub(super) method: &'a dyn PeftConfig,
    pub(super) generator: &'a dyn GeneratorConfig,
    pub(super) backbone: &'a dyn TestBackbone,
    pub(super) plan: Plan,
}

/// Variables, and the generator that uses them.
pub(super) struct Built {
    pub(super) store: ParamStore,
    pub(super) generator: Box<dyn WeightGenerator>,
}

/// Every row of the batch.
pub(super) const ALL_ROWS: [usize; ROWS] = [0, 1, 2];
/// The task of each row in a mixed batch.
pub(super) const TASK_OF_ROW: [usize; ROWS] = [0, 1, 0];

impl<'a> Subject<'a> {
    pub(super) fn new(
        method: &'a dyn PeftConfig,
        generator: &'a dyn GeneratorConfig,
        backbone: &'a dyn TestBackbone,
    ) -> Result<Self> {
        let plan = Plan::resolve(backbone.sites(), &[method.boxed()])?;
        let subject = Self { method, generator, backbone, plan };
        subject.at_init()?;
        Ok(subject)
    }

    /// Before the first training step.
    pub(super) fn at_init(&self) -> Result<Built> {
        self.build(ParamStore::new(SEED, &Device::Cpu))
    }

    /// With every variable moved by seeded noise, so that no weight is zero or one by chance.
    pub(super) fn perturbed(&self) -> Result<Built> {
        let built = self.at_init()?;
        for (name, var) in built.store.vars() {
            let stream = Stream::new(SEED + 1, stream_of(&name));
            let noise: Vec<f32> = (0..var.elem_count() as u64).map(|i| (NOISE * stream.normal(i)) as f32).collect();
            var.set(&(var.as_tensor() + Tensor::from_vec(noise, var.shape(), var.device())?)?)?;
        }
        Ok(built)
    }

    /// With these values.
    pub(super) fn with(&self, values: BTreeMap<String, Tensor>) -> Result<Built> {
        let built = self.build(ParamStore::from_tensors(values, &Device::Cpu))?;
        built.store.check_all_used()?;
        Ok(built)
    }

    fn build(&self, store: ParamStore) -> Result<Built> {
        let tasks = Tasks::new(["one", "two"]);
        let generator = self.generator.build(&self.plan, &tasks, store.var_builder())?;
        Ok(Built { store, generator })
    }

    /// The weights of `rows` for the tasks of `condition`. What the generator needs to see of the rows is computed, or made up
    /// row by row.
    pub(super) fn weights(
        &self,
        built: &Built,
        condition: &Condition,
        rows: &[usize],
        ctx: &mut Ctx,
    ) -> Result<AdapterWeights> {
        let needs = built.generator.needs();
        let mut condition = condition.clone();
        for stack in &needs.states {
            condition = condition.with_states(self.backbone.states(stack, rows, ctx)?)?;
        }
        if let Some(features) = needs.vectors {
            let number = |&row: &usize| (0..features).map(move |i| (row * features + i) as u64);
            let stream = Stream::new(SEED + 2, stream_of("vectors"));
            let values: Vec<f32> = rows.iter().flat_map(number).map(|i| stream.normal(i) as f32).collect();
            condition = condition.with_vectors(Tensor::from_vec(values, (rows.len(), features), &Device::Cpu)?)?;
        }
        built.generator.generate(&condition)
    }

    /// The output for `rows` with the weights of `condition`.
    pub(super) fn run(&self, built: &Built, condition: &Condition, rows: &[usize], mut ctx: Ctx) -> Result<Tensor> {
        let weights = self.weights(built, condition, rows, &mut ctx)?;
        self.backbone.run(rows, &ActiveAdapters::new(&self.plan, &weights)?, &mut ctx)
    }

    /// The output of the bare backbone.
    pub(super) fn bare(&self) -> Result<Tensor> {
        self.backbone.run(&ALL_ROWS, &ActiveAdapters::none(), &mut Ctx::eval())
    }
}

/// The configuration with its data changed.
pub(super) fn changed(
    method: &dyn PeftConfig,
    change: impl FnOnce(&mut serde_json::Value),
) -> Result<Box<dyn PeftConfig>> {
    let error = |e: serde_json::Error| crate::Error::Mismatch(format!("{}: {e}", method.typetag_name()));
    let mut value = serde_json::to_value(method).map_err(error)?;
    change(&mut value);
    serde_json::from_value(value).map_err(error)
}

/// The largest difference of two outputs, in units of the larger one's largest value (at least 1).
pub(super) fn gap(one: &Tensor, other: &Tensor) -> Result<f64> {
    let largest = |t: &Tensor| -> Result<f64> { Ok(f64::from(t.abs()?.max_all()?.to_scalar::<f32>()?)) };
    Ok(largest(&(one - other)?)? / largest(one)?.max(largest(other)?).max(1.))
}

/// Whether two outputs are the same bit for bit.
pub(super) fn same(one: &Tensor, other: &Tensor) -> Result<bool> {
    let bits = |t: &Tensor| -> Result<Vec<u32>> {
        Ok(t.flatten_all()?.to_vec1::<f32>()?.into_iter().map(f32::to_bits).collect())
    };
    Ok(one.dims() == other.dims() && bits(one)? == bits(other)?)
}
