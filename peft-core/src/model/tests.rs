#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};

use super::*;
use crate::toy::{Scale, ToyBackbone};
use crate::{ActiveAdapters, AdapterCheckpoint, Condition, Ctx};

fn scale() -> Scale {
    Scale::new(["q"])
}

fn model() -> PeftModel<ToyBackbone> {
    PeftModel::builder(ToyBackbone::new(2).unwrap()).method(scale()).tasks(["a", "b"]).seed(3).build().unwrap()
}

fn batch() -> Tensor {
    Tensor::ones((1, 1, 2), DType::F32, &Device::Cpu).unwrap()
}

fn loss(model: &PeftModel<ToyBackbone>, task: impl IntoCondition) -> f32 {
    model.loss(&batch(), task, &mut Ctx::eval()).unwrap().to_scalar().unwrap()
}

fn by(factor: f32) -> AdapterCheckpoint {
    let name = "base_model.model.layers.0.q.scale".to_owned();
    let weights = [(name, Tensor::new(&[factor, factor], &Device::Cpu).unwrap())].into();
    AdapterCheckpoint { methods: vec![Box::new(scale())], weights }
}

#[test]
fn parameters_are_counted_as_peft_counts_them() {
    let count = model().trainable_parameters().unwrap();
    assert_eq!((count.trainable, count.all), (2, 2 + 4));
    let trained = PeftModel::builder(ToyBackbone::new(2).unwrap()).train_backbone(|_| true).build().unwrap();
    let count = trained.trainable_parameters().unwrap();
    assert_eq!((count.trainable, count.all), (4, 4));
}

#[test]
fn a_task_is_named_numbered_or_a_condition() {
    let model = model();
    assert_eq!(loss(&model, "b"), 4.);
    assert_eq!(loss(&model, 1), loss(&model, Condition::Task(1)));
    assert!(model.weights("c").unwrap_err().to_string().contains("known: a, b"));
    assert!(model.weights(2).unwrap_err().to_string().contains("number 2"));
}

#[test]
fn adapters_are_chosen_stacked_and_switched_off() {
    let mut model = model();
    model.load_adapter("triple", &by(3.)).unwrap();
    assert_eq!(loss(&model, "a"), 4.);
    model.set_adapter(&["default", "triple"]).unwrap();
    assert_eq!(loss(&model, "a"), 36.);
    let unknown = model.set_adapter(&["tripel"]).unwrap_err().to_string();
    assert_eq!(unknown, "unknown adapter \"tripel\"; did you mean \"triple\"? known: default, triple");
    assert!(model.set_adapter(&["triple", "triple"]).unwrap_err().to_string().contains("twice"));
    assert_eq!(loss(&model, "a"), 36.);
    model.disable_adapter();
    assert_eq!(loss(&model, "a"), 4.);
    model.enable_adapter();
    assert_eq!(loss(&model, "a"), 36.);
    assert!(model.load_adapter("default", &by(1.)).is_err());
}

#[test]
fn a_merged_model_computes_the_same_without_its_adapters() {
    let mut model = model();
    model.load_adapter("triple", &by(3.)).unwrap();
    model.set_adapter(&["triple"]).unwrap();
    let merged = model.merge_and_unload("a").unwrap();
    assert!(merged.refused.is_empty());
    let y = merged.model.forward(&batch(), &ActiveAdapters::none(), &mut Ctx::eval()).unwrap();
    assert_eq!(y.flatten_all().unwrap().to_vec1::<f32>().unwrap(), [6., 6.]);
}

#[test]
fn a_checkpoint_of_a_task_loads_again() {
    let model = model();
    for (_, var) in model.vars() {
        var.set(&Tensor::new(&[5f32, 5.], &Device::Cpu).unwrap()).unwrap();
    }
    let checkpoint = model.to_checkpoint("a").unwrap();
    let again = PeftModel::builder(ToyBackbone::new(2).unwrap()).method(scale()).weights(checkpoint.weights).build();
    assert_eq!(loss(&again.unwrap(), 0), 100.);
    assert!(model.to_checkpoint(Condition::Rows(vec![0, 1])).is_err());
}

#[test]
fn given_weights_must_fit_exactly() {
    let build = |weights| PeftModel::builder(ToyBackbone::new(2).unwrap()).method(scale()).weights(weights).build();
    let mut weights = by(1.).weights;
    weights.insert("more".into(), batch());
    assert!(build(weights).unwrap_err().to_string().contains("more"));
    assert!(build(BTreeMap::new()).unwrap_err().to_string().contains("scale"));
}
