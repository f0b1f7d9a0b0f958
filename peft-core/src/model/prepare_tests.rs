//! Generators that see more than a task.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};

use super::*;
use crate::toy::{Scale, ToyBackbone};
use crate::{
    ActiveAdapters, AdapterCheckpoint, AdapterWeights, Condition, Ctx, Error, GeneratorConfig, Needs, ParamStore, Plan,
    Result, Sites, Stack, States, Tasks, WeightGenerator,
};

const VISION: Stack = Stack::new("vision");

/// Its batch is what its only stack for generators puts out. It counts how often that is asked for.
#[derive(Debug, Clone)]
struct Seen {
    toy: ToyBackbone,
    asked: Arc<AtomicUsize>,
}

impl Backbone for Seen {
    type Batch = Tensor;

    fn sites(&self) -> &Sites {
        self.toy.sites()
    }

    fn device(&self) -> &Device {
        self.toy.device()
    }

    fn parameters(&self) -> Result<BTreeMap<String, Tensor>> {
        self.toy.parameters()
    }

    fn train(self, covers: &dyn Fn(&str) -> bool, store: &ParamStore) -> Result<Self> {
        Ok(Self { toy: self.toy.train(covers, store)?, ..self })
    }

    fn loss(&self, batch: &Tensor, active: &ActiveAdapters<'_>, ctx: &mut Ctx) -> Result<Tensor> {
        self.toy.loss(batch, active, ctx)
    }

    fn gives_states(&self, stack: &Stack) -> bool {
        *stack == VISION
    }

    fn states(&self, stack: &Stack, batch: &Tensor, _: &ActiveAdapters<'_>, _: &mut Ctx) -> Result<States> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let (rows, length, _) = batch.dims3()?;
        States::new(stack.clone(), batch.clone(), Tensor::ones((rows, length), DType::U32, &Device::Cpu)?)
    }

    fn merge_and_unload(&self, active: &ActiveAdapters<'_>) -> Result<Merged<Self>> {
        let Merged { model: toy, refused } = self.toy.merge_and_unload(active)?;
        Ok(Merged { model: Self { toy, ..self.clone() }, refused })
    }
}

/// Every weight is what the generator sees: the mean of a stack's output, or the vector.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Copy {
    Mean(Stack),
    Vector(usize),
}

#[typetag::serde(name = "test_copy")]
impl GeneratorConfig for Copy {
    fn build(&self, plan: &Plan, _: &Tasks, _: VarBuilder<'_>) -> Result<Box<dyn WeightGenerator>> {
        Ok(Box::new(Copier { copied: self.clone(), targets: plan.targets().len() }))
    }
}

#[derive(Debug)]
struct Copier {
    copied: Copy,
    targets: usize,
}

impl WeightGenerator for Copier {
    fn generate(&self, condition: &Condition) -> Result<AdapterWeights> {
        let weight = match &self.copied {
            Copy::Mean(stack) => condition.states(stack)?.mean()?,
            Copy::Vector(_) => condition.vectors()?.clone(),
        };
        Ok(AdapterWeights::new(vec![vec![weight]; self.targets]))
    }

    fn needs(&self) -> Needs {
        match &self.copied {
            Copy::Mean(stack) => Needs::default().with_states(stack.clone()),
            Copy::Vector(features) => Needs::default().with_vectors(*features),
        }
    }
}

fn backbone() -> Seen {
    Seen { toy: ToyBackbone::new(2).unwrap(), asked: Arc::default() }
}

fn builder() -> PeftModelBuilder<Seen> {
    PeftModel::builder(backbone()).method(Scale::new(["q"])).tasks(["a", "b"])
}

fn copy(copied: Copy) -> PeftModel<Seen> {
    builder().generator(copied).build().unwrap()
}

fn asked(model: &PeftModel<Seen>) -> usize {
    model.backbone().asked.load(Ordering::Relaxed)
}

fn batch() -> Tensor {
    Tensor::new(&[[[1f32, 2.]], [[3., 1.]]], &Device::Cpu).unwrap()
}

/// The mean of `(2 x s)²`.
fn loss(model: &PeftModel<Seen>, task: impl IntoCondition) -> Result<f32> {
    Ok(model.loss(&batch(), task, &mut Ctx::eval())?.to_scalar()?)
}

#[test]
fn the_backbone_computes_what_the_generator_needs_and_nothing_else() {
    let plain = builder().build().unwrap();
    assert_eq!((loss(&plain, "a").unwrap(), asked(&plain)), (15., 0));

    // Each row is scaled by its own mean.
    let mut model = copy(Copy::Mean(VISION));
    assert_eq!((loss(&model, "a").unwrap(), asked(&model)), ((4. * (1. + 16. + 81. + 1.)) / 4., 1));
    model.disable_adapter();
    assert_eq!((loss(&model, "a").unwrap(), asked(&model)), (15., 1));
    assert!(model.needs().is_empty());
    model.enable_adapter();

    let name = "base_model.model.layers.0.q.scale".to_owned();
    let weights = [(name, Tensor::new(&[2f32, 2.], &Device::Cpu).unwrap())].into();
    model.load_adapter("double", &AdapterCheckpoint { methods: vec![Box::new(Scale::new(["q"]))], weights }).unwrap();
    model.set_adapter(&["double"]).unwrap();
    assert_eq!((loss(&model, "a").unwrap(), asked(&model)), (60., 1));
}

#[test]
fn states_that_the_caller_has_are_not_computed_again() {
    let model = copy(Copy::Mean(VISION));
    let ones = Tensor::ones((2, 1, 2), DType::F32, &Device::Cpu).unwrap();
    let mask = Tensor::ones((2, 1), DType::U32, &Device::Cpu).unwrap();
    let condition = Condition::Task(0).with_states(States::new(VISION, ones, mask).unwrap()).unwrap();
    assert_eq!((loss(&model, condition).unwrap(), asked(&model)), (15., 0));
}

#[test]
fn the_caller_gives_vectors_one_for_all_rows_or_one_for_each() {
    let model = copy(Copy::Vector(2));
    let vectors = |vectors: Tensor| Condition::Task(0).with_vectors(vectors).unwrap();
    let all = vectors(Tensor::new(&[2f32, 2.], &Device::Cpu).unwrap());
    assert_eq!(loss(&model, all.clone()).unwrap(), 60.);
    let each = vectors(Tensor::new(&[[2f32, 2.], [0., 0.]], &Device::Cpu).unwrap());
    assert_eq!(loss(&model, each).unwrap(), 20.);
    // Weights that are the same for all rows can be merged.
    assert!(model.merge_and_unload(all).unwrap().refused.is_empty());

    assert!(loss(&model, "a").unwrap_err().to_string().contains("Condition::with_vectors"));
    let wrong = loss(&model, vectors(Tensor::ones(3, DType::F32, &Device::Cpu).unwrap())).unwrap_err().to_string();
    assert_eq!(wrong, "the generator needs vectors of 2 features, the condition holds some of shape [3]");
}

#[test]
fn what_the_backbone_does_not_give_is_refused_when_the_model_is_built() {
    let error = builder().generator(Copy::Mean(Stack::DECODER)).build().unwrap_err().to_string();
    assert_eq!(
        error,
        "the generator \"test_copy\" makes weights from the output of the stack decoder, which this backbone does not give to \
         generators; it gives that of no stack"
    );
}

#[test]
fn a_task_alone_is_not_enough_and_what_nobody_reads_is_refused() {
    let model = copy(Copy::Mean(VISION));
    for error in [model.weights("a").unwrap_err(), model.to_checkpoint("a").unwrap_err()] {
        assert!(matches!(&error, Error::Mismatch(message) if message.contains("the stack vision")), "{error}");
    }
    let states = States::new(VISION, batch(), Tensor::ones((2, 1), DType::U32, &Device::Cpu).unwrap()).unwrap();
    let ignored = loss(&builder().build().unwrap(), Condition::Task(0).with_states(states).unwrap());
    assert!(ignored.unwrap_err().to_string().starts_with("the generator static makes weights from tasks alone"));
}
