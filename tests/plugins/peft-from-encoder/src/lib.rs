#![doc = include_str!("../README.md")]

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use candle_core::Tensor;
use candle_nn::VarBuilder;
use candle_nn::init::{ONE, ZERO};
use peft_core::{
    AdapterWeights, Condition, Error, GeneratorConfig, Needs, ParamSpec, Plan, Result, Stack, Tasks, WeightGenerator,
    nonzero, normal, setters,
};
use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;

/// The name in configuration files, and of the weights.
const NAME: &str = "from_encoder";

/// Weights from the mean of the encoder's output over the tokens of each sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, SmartDefault)]
#[serde(default, deny_unknown_fields)]
pub struct FromEncoder {
    /// The width of what is read from the mean. Default 8.
    #[default(nonzero(8))]
    pub conditioning_dim: NonZeroUsize,
    /// The stack whose output is read. Default `encoder`.
    #[default(Stack::ENCODER)]
    pub stack: Stack,
}

setters! {
    FromEncoder {
        conditioning_dim => conditioning_dim: nonzero,
        stack => stack: Stack,
    }
}

impl FromEncoder {
    /// The default.
    pub fn new() -> Self {
        Self::default()
    }
}

#[typetag::serde(name = "from_encoder")]
impl GeneratorConfig for FromEncoder {
    fn build(&self, plan: &Plan, tasks: &Tasks, vb: VarBuilder<'_>) -> Result<Box<dyn WeightGenerator>> {
        let (vb, c) = (vb.pp(NAME), self.conditioning_dim.get());
        let features = plan.sites().width(&self.stack).ok_or_else(|| {
            let known: Vec<&str> = plan.sites().stacks().into_iter().map(Stack::as_str).collect();
            let reason =
                format!("is {:?}, expected a stack of this backbone: {}", self.stack.as_str(), known.join(", "));
            Error::invalid(NAME, "stack", reason)
        })?;
        let embedding = |task: &String| Ok(vb.pp("tasks").get_with_hints(c, task, ZERO)?);
        let mut generated = BTreeMap::new();
        let mut targets = Vec::new();
        for target in plan.targets() {
            let keys: Vec<String> = target.params.iter().map(|param| target.key(param)).collect();
            for (key, spec) in keys.iter().zip(&target.params) {
                // Sites may share a weight, and then its key.
                if !generated.contains_key(key) {
                    generated.insert(key.clone(), Generated::new(key, spec, c, &vb)?);
                }
            }
            targets.push(keys);
        }
        Ok(Box::new(FromEncoderWeights {
            stack: self.stack.clone(),
            project: vb.pp("project").get_with_hints(
                (c, features),
                "weight",
                normal((features as f64).sqrt().recip()),
            )?,
            embeddings: tasks.names().iter().map(embedding).collect::<Result<_>>()?,
            tasks: tasks.clone(),
            generated,
            targets,
        }))
    }
}

/// What [`FromEncoder`] builds.
#[derive(Debug)]
struct FromEncoderWeights {
    stack: Stack,
    /// `W: [c, d]`
    project: Tensor,
    /// `e: [c]` of each task.
    embeddings: Vec<Tensor>,
    tasks: Tasks,
    /// Every weight by its full name.
    generated: BTreeMap<String, Generated>,
    /// The names of the weights of each target of the plan.
    targets: Vec<Vec<String>>,
}

/// One weight.
#[derive(Debug)]
struct Generated {
    /// `θ₀`, in the weight's shape.
    start: Tensor,
    /// `g: [c]`
    gate: Tensor,
    /// `H: [elements, c]`, the same tensor for all weights of one name and shape.
    head: Tensor,
}

impl Generated {
    fn new(key: &str, spec: &ParamSpec, c: usize, vb: &VarBuilder<'_>) -> Result<Self> {
        let shape: Vec<String> = spec.dims.iter().map(ToString::to_string).collect();
        let head = vb.pp("heads").pp(format!("{}.{}", spec.name, shape.join("x")));
        let own = vb.pp("weights").pp(key);
        Ok(Self {
            start: own.get_with_hints(spec.dims.as_slice(), "start", spec.head.bias.unwrap_or(ZERO))?,
            gate: own.get_with_hints(c, "gate", ONE)?,
            head: head.get_with_hints((spec.num_parameters(), c), "weight", spec.head.weight)?,
        })
    }

    /// The weight for `z: [batch, c]`, with a leading batch axis.
    fn generate(&self, z: &Tensor) -> Result<Tensor> {
        let change = z.broadcast_mul(&self.gate)?.matmul(&self.head.t()?)?;
        let shape: Vec<usize> = [&[z.dim(0)?], self.start.dims()].concat();
        Ok(change.reshape(shape)?.broadcast_add(&self.start)?)
    }
}

impl WeightGenerator for FromEncoderWeights {
    fn needs(&self) -> Needs {
        Needs::default().with_states(self.stack.clone())
    }

    fn generate(&self, condition: &Condition) -> Result<AdapterWeights> {
        let states = condition.states(&self.stack)?;
        let tasks = condition.tasks().of_rows(states.rows())?;
        let embeddings =
            tasks.iter().map(|task| self.tasks.get(&self.embeddings, *task)).collect::<Result<Vec<_>>>()?;
        let z = (states.mean()?.matmul(&self.project.t()?)? + Tensor::stack(&embeddings, 0)?)?.tanh()?;
        let weights = self.generated.iter().map(|(key, weight)| Ok((key, weight.generate(&z)?)));
        let weights: BTreeMap<&String, Tensor> = weights.collect::<Result<_>>()?;
        let weight = |key: &String| {
            let missing = || Error::Mismatch(format!("{NAME}: no weight {key} was generated"));
            weights.get(key).cloned().ok_or_else(missing)
        };
        let target = |keys: &Vec<String>| keys.iter().map(weight).collect();
        self.targets.iter().map(target).collect::<Result<_>>().map(AdapterWeights::new)
    }
}
