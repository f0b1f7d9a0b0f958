//! Plain weights up to the stack that is read, generated ones after it.

use std::collections::BTreeSet;

use candle_core::Tensor;
use candle_nn::VarBuilder;
use peft_core::generators::plain_weights;
use peft_core::{
    AdapterWeights, Condition, GeneratorConfig, Needs, Plan, Result, RowTasks, Stack, Tasks, WeightGenerator,
};

use super::config::{HyperdecoderConfig, NAME};
use super::stack::StackGenerator;
use crate::head::Slot;
use crate::network::check_name;
use crate::sources::Sources;

#[typetag::serde(name = "hyperdecoder")]
impl GeneratorConfig for HyperdecoderConfig {
    fn build(&self, plan: &Plan, tasks: &Tasks, vb: VarBuilder<'_>) -> Result<Box<dyn WeightGenerator>> {
        Ok(Box::new(Hyperdecoder::new(self, plan, tasks, &vb)?))
    }
}

/// What [`HyperdecoderConfig`] builds.
#[derive(Debug)]
struct Hyperdecoder {
    /// The stack whose output is read.
    stack: Stack,
    tasks: Tasks,
    /// The plain weights of each target, which has none if they are generated.
    plain: AdapterWeights,
    stacks: Vec<StackGenerator>,
    sources: Sources,
}

impl Hyperdecoder {
    fn new(config: &HyperdecoderConfig, plan: &Plan, tasks: &Tasks, vb: &VarBuilder<'_>) -> Result<Self> {
        let features = config.features(plan)?;
        let before: BTreeSet<usize> = plan.before_end_of(&config.stack).collect();
        let plain = plan.targets().iter().enumerate().map(|(e, target)| match before.contains(&e) {
            true => plain_weights(target, vb),
            false => Ok(Vec::new()),
        });
        let plain = plain.collect::<Result<_>>().map(AdapterWeights::new)?;
        let generated = plan.targets().iter().enumerate().filter(|(e, _)| !before.contains(e));
        let generated: BTreeSet<&Stack> = generated.map(|(_, target)| &target.site.stack).collect();
        let generator = |stack: &Stack| {
            check_name(stack)?;
            StackGenerator::new(config, plan, (stack, features), &vb.pp("hyper").pp(stack))
        };
        let stacks = plan.sites().stacks().into_iter().filter(|stack| generated.contains(stack));
        Ok(Self {
            stack: config.stack.clone(),
            tasks: tasks.clone(),
            plain,
            stacks: stacks.map(generator).collect::<Result<_>>()?,
            sources: Sources::of(plan),
        })
    }

    fn plain(&self) -> impl Iterator<Item = (Slot, Tensor)> {
        self.plain.iter().enumerate().flat_map(|(target, weights)| {
            weights.iter().enumerate().map(move |(param, weight)| (Slot { target, param }, weight.clone()))
        })
    }

    /// Fails for a task that the model does not have.
    fn check(&self, tasks: RowTasks<'_>) -> Result<()> {
        let known = |task: usize| self.tasks.get(self.tasks.names(), task).map(drop);
        match tasks {
            RowTasks::All(task) => known(task),
            RowTasks::Each(tasks) => tasks.iter().try_for_each(|task| known(*task)),
        }
    }
}

impl WeightGenerator for Hyperdecoder {
    fn generate(&self, condition: &Condition) -> Result<AdapterWeights> {
        self.check(condition.tasks())?;
        let mut weights: Vec<(Slot, Tensor)> = self.plain().collect();
        if self.stacks.is_empty() {
            condition.tasks_only(NAME)?;
        } else {
            let z = condition.states(&self.stack)?.mean()?;
            for stack in &self.stacks {
                weights.extend(stack.generate(&z)?);
            }
        }
        self.sources.collect(weights)
    }

    fn generate_before(&self, condition: &Condition) -> Result<Option<AdapterWeights>> {
        self.check(condition.tasks())?;
        Ok(Some(self.plain.clone()))
    }

    fn needs(&self) -> Needs {
        match self.stacks.is_empty() {
            true => Needs::default(),
            false => Needs::default().with_states(self.stack.clone()),
        }
    }
}
