//! One batch of a model: what the generator sees of it, its weights, and its loss.

use candle_core::Tensor;

use super::backbone::Backbone;
use super::batch_adapters::BatchAdapters;
use super::condition::IntoCondition;
use super::peft_model::{DEFAULT_ADAPTER, PeftModel};
use crate::{ActiveAdapters, AdapterWeights, Condition, Ctx, Needs, Plan, Result, Stack, States};

impl<B: Backbone> PeftModel<B> {
    /// What the generator of the [default adapter](DEFAULT_ADAPTER) needs to see of each batch; nothing while that adapter is not
    /// active.
    pub fn needs(&self) -> Needs {
        match self.active_names().any(|name| name == DEFAULT_ADAPTER) {
            true => self.generator.needs(),
            false => Needs::default(),
        }
    }

    /// What acts while the backbone computes what the generator needs to see: the active adapters, the
    /// [default one](DEFAULT_ADAPTER) with no more than its [weights from before](crate::WeightGenerator::generate_before).
    ///
    /// # Errors
    /// If an adapter's weights cannot be used.
    pub fn active_before_generation(&self, task: impl IntoCondition) -> Result<ActiveAdapters<'_>> {
        let before = self.generator.generate_before(&task.into_condition(self.tasks())?)?;
        self.before(self.plan(), before)
    }

    fn before<'a>(&'a self, plan: &'a Plan, weights: Option<AdapterWeights>) -> Result<ActiveAdapters<'a>> {
        let adapters = self.active_names().map(|name| match (name, &weights) {
            (DEFAULT_ADAPTER, Some(weights)) => ActiveAdapters::partial(plan, weights.clone()),
            (DEFAULT_ADAPTER, None) => Ok(ActiveAdapters::none()),
            (other, _) => self.loaded.get(other),
        });
        Ok(ActiveAdapters::stack(adapters.collect::<Result<Vec<_>>>()?))
    }

    /// The active adapters for `batch`, and the states of the backbone that were computed to generate their weights. If the
    /// generator needs none, this is [`active`](Self::active) and nothing is computed.
    ///
    /// The states are those of the backbone with what acts [before generation](Self::active_before_generation). They are part of
    /// the gradient graph, so a loss also trains the backbone through what the generator saw.
    ///
    /// # Errors
    /// As [`weights`](Self::weights) and [`Backbone::states`].
    pub fn prepare(&self, batch: &B::Batch, task: impl IntoCondition, ctx: &mut Ctx) -> Result<BatchAdapters<'_>> {
        let condition = task.into_condition(self.tasks())?;
        let missing = |stack: &&Stack| condition.find_states(stack).is_none();
        let needs = self.needs();
        let mut states = Vec::new();
        let plan = self.plan_for(ctx);
        for stack in needs.states.iter().filter(missing) {
            let before = self.before(plan, self.generator.generate_before(&condition)?)?;
            states.push(self.backbone().states(stack, batch, &before, ctx)?);
        }
        self.adapt(plan, condition, states)
    }

    /// Like [`prepare`](Self::prepare), with states that were computed before, with
    /// [`active_before_generation`](Self::active_before_generation).
    ///
    /// # Errors
    /// As [`weights`](Self::weights), and if the states are for another number of rows.
    pub fn prepare_from(&self, task: impl IntoCondition, states: Vec<States>) -> Result<BatchAdapters<'_>> {
        self.adapt(self.plan(), task.into_condition(self.tasks())?, states)
    }

    fn adapt<'a>(&'a self, plan: &'a Plan, condition: Condition, states: Vec<States>) -> Result<BatchAdapters<'a>> {
        let before = self.generator.generate_before(&condition)?.unwrap_or_default();
        let condition = states.iter().cloned().try_fold(condition, Condition::with_states)?;
        // States stay if everything that acts up to them acted when they were computed.
        let acted = |target: usize| !before.of_target(target).is_empty();
        let stays = |states: &States| plan.before_end_of(states.stack()).all(acted);
        let active = self.active_on(plan, &condition)?;
        Ok(BatchAdapters { active, states: states.into_iter().filter(stays).collect() })
    }

    /// The loss of one batch of a task, a scalar of the gradient graph.
    ///
    /// # Errors
    /// As [`Backbone::loss`] and [`prepare`](Self::prepare).
    pub fn loss(&self, batch: &B::Batch, task: impl IntoCondition, ctx: &mut Ctx) -> Result<Tensor> {
        let adapters = self.prepare(batch, task, ctx)?;
        self.backbone.loss_with(batch, &adapters, ctx)
    }
}
