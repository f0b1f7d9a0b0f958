//! From configuration alone: any method with any source of weights, on one backbone.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

use candle_core::{DType, Device, Tensor};
use hyperloader::config::Config;
use hyperloader::train::check_gradients;
use peft_core::PeftModel;
use peft_core::{Condition, Ctx, ParamStore, PeftParts, Tasks};
use peft_kernels::SmoothedCrossEntropy;
use peft_t5::decode::{GenerationConfig, Source, generate};
use peft_t5::{T5, T5Batch, T5Config, Weights, preset};
use peft_tests::sentences::{batch, shift};

const LORA: &str = "[[peft]]\npeft_type = \"LORA\"\nr = 3\nlora_alpha = 12\n";
const ADAPTER: &str = "[[peft]]\npeft_type = \"BOTTLENECK\"\nreduction_factor = 4\n";
const HYPER: &str =
    "[generator]\ngenerator = \"hypernetwork\"\nembedding_dim = 5\nhidden_dim = 7\nconditioning_dim = 6\n";
const PER_TASK: &str = "[generator]\ngenerator = \"static\"\nper_task = true\nshared = [\"ln_after\"]\n";

/// Everything that the paper compares, as (name, configuration).
fn combinations() -> Vec<(&'static str, String)> {
    vec![
        ("HyperLoader", format!("{LORA}{ADAPTER}{HYPER}")),
        ("HyperFormer++", format!("{ADAPTER}{HYPER}")),
        ("LoRA-only hypernetwork", format!("{LORA}{HYPER}")),
        ("static LoRA", LORA.to_owned()),
        ("static per-task adapters", format!("{ADAPTER}{PER_TASK}")),
        ("static LoRA and adapters", format!("{LORA}{ADAPTER}")),
        ("full fine-tuning", "[model]\ntrainable = \"all\"\n".to_owned()),
    ]
}

fn shape() -> T5Config {
    let mut shape = preset("t5-small").expect("a built-in shape");
    (shape.vocab_size, shape.d_model, shape.d_kv, shape.d_ff) = (40, 16, 4, 24);
    (shape.num_heads, shape.num_layers, shape.num_decoder_layers) = (4, 2, 2);
    shape
}

struct Built {
    model: PeftModel<T5>,
    store: ParamStore,
}

/// The model of a configuration, its variables moved away from initial zeros.
fn build(text: &str) -> Built {
    let config = Config::from_toml(text).unwrap_or_else(|e| panic!("{text}{e}"));
    let store = ParamStore::new(3, &Device::Cpu);
    let shape = shape();
    let tasks = Tasks::new(["one", "two", "three"]);
    let parts = PeftParts { methods: config.peft, generator: config.generator, tasks };
    let weights = Weights::random(1).trainable(config.model.trainable, &store).var_builder(DType::F32, &Device::Cpu);
    let t5 = T5::new(&shape, weights).unwrap();
    let model = PeftModel::new(t5, parts, &store, store.var_builder()).unwrap();
    shift(store.vars(), 0.05);
    Built { model, store }
}

fn row(batch: &T5Batch, n: usize) -> T5Batch {
    let cut = |t: &Tensor| t.narrow(0, n, 1).unwrap();
    T5Batch { source: cut(&batch.source), mask: cut(&batch.mask), labels: cut(&batch.labels), label_tokens: 0 }
}

fn logits(model: &PeftModel<T5>, batch: &T5Batch, condition: &Condition) -> Tensor {
    let active = model.active(condition).unwrap();
    let encoded = model.backbone().encode(&batch.source, &batch.mask, &active, &mut Ctx::eval()).unwrap();
    let hidden = model.backbone().decode(&batch.labels, &encoded, &active, &mut Ctx::eval()).unwrap();
    model.backbone().logits(&hidden, &active, &mut Ctx::eval()).unwrap()
}

fn gap(a: &Tensor, b: &Tensor) -> f32 {
    (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar().unwrap()
}

#[test]
fn every_variable_learns_and_every_frozen_tensor_stays() {
    for (name, text) in combinations() {
        let Built { model, store } = build(&text);
        let loss = |task| {
            let options = SmoothedCrossEntropy { label_smoothing: 0.1, ..SmoothedCrossEntropy::default() };
            let active = model.active(task).unwrap();
            model.backbone().smoothed_loss(&batch(), &options, &active, &mut Ctx::eval()).unwrap()
        };
        let variables: Vec<String> = store.vars().into_iter().map(|(name, _)| name).collect();
        let frozen: Vec<_> =
            model.backbone().parameters().unwrap().into_iter().filter(|(n, _)| !variables.contains(n)).collect();
        check_gradients(&store, &[loss(0), loss(1), loss(2)], &frozen).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
}

#[test]
fn a_batch_of_mixed_tasks_equals_separate_batches() {
    for (name, text) in combinations() {
        let model = build(&text).model;
        let batch = batch();
        let mixed = logits(&model, &batch, &Condition::Rows(vec![2, 0, 2]));
        for (n, task) in [2, 0, 2].into_iter().enumerate() {
            let apart = logits(&model, &row(&batch, n), &Condition::Task(task));
            let gap = gap(&mixed.narrow(0, n, 1).unwrap(), &apart);
            assert!(gap < 1e-5, "{name}, row {n}: {gap}");
        }
    }
}

#[test]
fn tasks_differ_where_the_weights_are_conditional() {
    for (name, text) in combinations() {
        let model = build(&text).model;
        let differs =
            gap(&logits(&model, &batch(), &Condition::Task(0)), &logits(&model, &batch(), &Condition::Task(1))) > 1e-4;
        let conditional = text.contains("hypernetwork") || text.contains("per_task");
        assert_eq!(differs, conditional, "{name}");
    }
}

#[test]
fn a_merged_model_writes_the_same_tokens() {
    for (name, text) in combinations() {
        let model = build(&text).model;
        let active = model.active(1).unwrap().detach();
        let merged = model.backbone().merge(&active).unwrap();
        let batch = batch();
        let write = |t5: &peft_t5::T5| {
            let encoded = t5.encode(&batch.source, &batch.mask, &active, &mut Ctx::eval()).unwrap();
            generate(&Source::new(t5, &encoded, &active), &GenerationConfig::default()).unwrap()
        };
        assert_eq!(write(&merged), write(model.backbone()), "{name}");
    }
}
