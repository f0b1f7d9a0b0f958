//! The whole hypernetwork: task embeddings and one network per stack.

use candle_core::Tensor;
use candle_nn::VarBuilder;
use peft_core::{
    AdapterWeights, Condition, Error, GeneratorConfig, Plan, Result, Stack, Tasks, WeightGenerator, generate_rows,
    normal,
};

use crate::HyperConfig;
use crate::stack::{StackNetwork, first_use};

#[typetag::serde(name = "hypernetwork")]
impl GeneratorConfig for HyperConfig {
    fn build(&self, plan: &Plan, tasks: &Tasks, vb: VarBuilder<'_>) -> Result<Box<dyn WeightGenerator>> {
        Ok(Box::new(HyperNetwork::new(self, plan, tasks, vb.pp("hyper"))?))
    }
}

/// What [`HyperConfig`] builds.
#[derive(Debug)]
pub(crate) struct HyperNetwork {
    tasks: Tasks,
    embeddings: Vec<Tensor>,
    stacks: Vec<StackNetwork>,
    /// For each weight of each target: the target and the index of the weight that is generated for it. It is the weight itself,
    /// unless sites share it.
    sources: Vec<Vec<(usize, usize)>>,
}

impl HyperNetwork {
    pub(crate) fn new(config: &HyperConfig, plan: &Plan, tasks: &Tasks, vb: VarBuilder<'_>) -> Result<Self> {
        let roles = config.rows(plan)?;
        let dim = config.embedding_dim.get();
        let embedding = |task: &String| Ok(vb.pp("tasks").get_with_hints(dim, task, normal(1.))?);
        let used = |stack: &Stack| plan.targets().iter().any(|e| e.site.stack == *stack);
        let network = |stack: Stack| StackNetwork::new(config, plan, stack, &roles, &vb.pp(stack));
        Ok(Self {
            embeddings: tasks.names().iter().map(embedding).collect::<Result<_>>()?,
            stacks: [Stack::Encoder, Stack::Decoder].into_iter().filter(used).map(network).collect::<Result<_>>()?,
            tasks: tasks.clone(),
            sources: plan
                .targets()
                .iter()
                .enumerate()
                .map(|(e, target)| sources(plan, e, target.params.len()))
                .collect(),
        })
    }

    fn generate_one(&self, task: usize) -> Result<AdapterWeights> {
        let embedding = self.tasks.get(&self.embeddings, task)?;
        let mut made: Vec<Vec<Option<Tensor>>> = self.sources.iter().map(|e| vec![None; e.len()]).collect();
        for stack in &self.stacks {
            for (slot, weight) in stack.generate(embedding)? {
                if let Some(place) = made.get_mut(slot.target).and_then(|e| e.get_mut(slot.param)) {
                    *place = Some(weight);
                }
            }
        }
        let weight = |&(e, p): &(usize, usize)| made.get(e).and_then(|target| target.get(p).cloned().flatten());
        let target = |places: &Vec<(usize, usize)>| places.iter().map(weight).collect::<Option<Vec<_>>>();
        let weights = self.sources.iter().map(target).collect::<Option<Vec<_>>>();
        weights
            .map(AdapterWeights::new)
            .ok_or_else(|| Error::Mismatch("the hypernetwork has no head for a weight of the plan".into()))
    }
}

fn sources(plan: &Plan, target: usize, params: usize) -> Vec<(usize, usize)> {
    (0..params).map(|param| first_use(plan, target, param)).collect()
}

impl WeightGenerator for HyperNetwork {
    fn generate(&self, condition: &Condition) -> Result<AdapterWeights> {
        match condition {
            Condition::Task(task) => self.generate_one(*task),
            Condition::Rows(rows) => generate_rows(rows, |task| self.generate_one(task)),
        }
    }
}
