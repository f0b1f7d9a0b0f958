//! `PeftModel::wrap` on an encoder that knows nothing of methods: every method that changes weights, static and generated.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use peft_adapter::{BottleneckConfig, LnTuningConfig, MamConfig, PrefixTuningConfig, PromptTuningConfig};
use peft_core::gradients::GradientCheck;
use peft_core::{
    ActiveAdapters, Backbone, Ctx, Error, GeneratorConfig, PeftConfig, PeftModel, PeftParts, StaticConfig, Tasks,
    Wrapped,
};
use peft_hyper::HyperConfig;
use peft_lora::files::{BaseModel, read_peft, write_peft};
use peft_lora::{Ia3Config, LoraBias, LoraConfig};
use peft_tests::encoder::{Batch, Encoder, batch, wrapped};
use peft_vera::VeraConfig;

use hyperloader::optim::{AdamW, AdamWConfig};

const TASKS: [&str; 2] = ["ner", "slots"];
const TARGETS: [&str; 2] = ["query", "value"];

fn lora() -> LoraConfig {
    LoraConfig::new(2).alpha(4.).target_modules(TARGETS)
}

/// Every method whose effect is a change of weights and biases, with its name.
fn methods() -> Vec<(&'static str, Box<dyn PeftConfig>)> {
    let ia3 = Ia3Config::new().target_modules(["key", "value", "output.dense"]).feedforward_modules(["output.dense"]);
    vec![
        ("LoRA", Box::new(lora())),
        ("LoRA everywhere", Box::new(LoraConfig::new(2).target_modules(peft_core::TargetModules::AllLinear))),
        ("rsLoRA", Box::new(lora().use_rslora(true))),
        ("DoRA", Box::new(lora().use_dora(true))),
        ("LoRA and a bias of its own", Box::new(lora().lora_bias(true))),
        ("LoRA and its maps' biases", Box::new(lora().bias(LoraBias::LoraOnly))),
        ("LoRA and all biases", Box::new(lora().bias(LoraBias::All))),
        ("LoRA and whole modules", Box::new(lora().modules_to_save(["classifier", "LayerNorm", "word_embeddings"]))),
        ("LoRA on a table", Box::new(LoraConfig::new(2).target_modules(["word_embeddings", "query"]))),
        ("IA3", Box::new(ia3.clone())),
        ("IA3 and a whole head", Box::new(ia3.modules_to_save(["classifier"]))),
        ("VeRA", Box::new(VeraConfig::new(4).target_modules(TARGETS))),
        ("layer-norm tuning", Box::new(LnTuningConfig::new())),
    ]
}

fn hypernetwork() -> HyperConfig {
    HyperConfig::new().embedding_dim(6).hidden_dim(8).conditioning_dim(6)
}

fn generators() -> [(&'static str, Box<dyn GeneratorConfig>); 3] {
    [
        ("static", Box::new(StaticConfig::new())),
        ("static per task", Box::new(StaticConfig::new().per_task(true))),
        ("hypernetwork", Box::new(hypernetwork())),
    ]
}

fn build(method: Box<dyn PeftConfig>, generator: Box<dyn GeneratorConfig>) -> PeftModel<Wrapped<Encoder, Batch>> {
    let parts = PeftParts { methods: vec![method], generator, tasks: Tasks::new(TASKS) };
    PeftModel::builder(wrapped().unwrap()).parts(parts).seed(5).build().unwrap()
}

fn all() -> impl Iterator<Item = (String, PeftModel<Wrapped<Encoder, Batch>>)> {
    methods().into_iter().flat_map(|(method, config)| {
        generators().map(move |(name, generator)| (format!("{method}, {name}"), build(config.clone(), generator)))
    })
}

fn scalar(tensor: &Tensor) -> f32 {
    tensor.to_scalar().unwrap()
}

fn gap(a: &Tensor, b: &Tensor) -> f32 {
    scalar(&(a - b).unwrap().abs().unwrap().max_all().unwrap())
}

fn bits(tensors: &BTreeMap<String, Tensor>) -> Vec<(String, Vec<u32>)> {
    let bits = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().map(f32::to_bits).collect();
    tensors.iter().map(|(name, tensor)| (name.clone(), bits(tensor))).collect()
}

/// Some steps on both tasks, which give the same words other tags. Returns the sum of their losses for each step.
fn train(model: &PeftModel<Wrapped<Encoder, Batch>>, steps: u64) -> Vec<f32> {
    let one = batch().unwrap();
    let other = (one.0.clone(), Tensor::new(&[[1u32, 2, 0, 1, 1], [2, 0, 0, 2, 1]], &Device::Cpu).unwrap());
    let mut optimizer = AdamW::new(model.vars(), AdamWConfig::default()).unwrap();
    let mut step = |step| {
        let tasks = [(0, &one), (1, &other)];
        let losses = tasks.map(|(task, batch)| model.loss(batch, task, &mut Ctx::train(3, step)).unwrap());
        let sum = (&losses[0] + &losses[1]).unwrap();
        optimizer.backward_step(&sum, 5e-3).unwrap();
        scalar(&sum)
    };
    (0..steps).map(&mut step).collect()
}

#[test]
fn every_method_trains_and_the_models_own_weights_stay() {
    for (name, model) in all() {
        let before = bits(&model.backbone().parameters().unwrap());
        let start = bits(&model.store().tensors());
        let losses = train(&model, 20);
        let (first, last) = (losses[0], losses[losses.len() - 1]);
        println!("{name}: {first} to {last}");
        assert!(last < 0.999 * first, "{name}: {first} to {last}");
        assert_eq!(bits(&model.backbone().parameters().unwrap()), before, "{name}");
        let moved = bits(&model.store().tensors());
        for (before, after) in start.iter().zip(&moved) {
            assert_ne!(before, after, "{name}: it does not train");
        }
    }
}

#[test]
fn gradients_are_right_on_exactly_the_variables_of_the_method() {
    for (name, model) in all() {
        let report = model.gradient_report(&GradientCheck::quick(), &batch().unwrap()).unwrap();
        assert!(report.is_right(), "{name}: {report}");
        assert!(report.frozen.is_empty(), "{name}: {:?}", report.frozen);
    }
    let model = build(Box::new(lora()), Box::new(StaticConfig::new()));
    let report = model.gradient_report(&GradientCheck::default(), &batch().unwrap()).unwrap();
    let names: Vec<&str> = report.variables.iter().map(|variable| variable.name.as_str()).collect();
    assert_eq!(names.len(), 2 * 2 * 2, "two layers, two maps, two factors: {names:?}");
    assert!(names.iter().all(|name| name.ends_with("lora_A.weight") || name.ends_with("lora_B.weight")), "{names:?}");
    assert!(report.is_right() && report.largest_error() < 2e-3, "{report}");
}

#[test]
fn merged_is_unmerged_and_both_differ_from_the_model() {
    let (ids, _) = batch().unwrap();
    let bare = wrapped().unwrap().build(&ActiveAdapters::none()).unwrap().forward(&ids).unwrap();
    for (name, model) in all() {
        train(&model, 3);
        for task in TASKS {
            let apart = model.adapted(task).unwrap().forward(&ids).unwrap();
            let merged = model.merge_and_unload(task).unwrap();
            assert!(merged.refused.is_empty(), "{name}: {:?}", merged.refused);
            let together = merged.model.build(&ActiveAdapters::none()).unwrap().forward(&ids).unwrap();
            assert!(gap(&apart, &together) < 1e-5, "{name}: {}", gap(&apart, &together));
            assert!(gap(&apart, &bare) > 1e-3, "{name}: it does nothing");
        }
    }
}

#[test]
fn methods_begin_where_the_model_is() {
    let (ids, _) = batch().unwrap();
    let bare = wrapped().unwrap().build(&ActiveAdapters::none()).unwrap().forward(&ids).unwrap();
    for (name, model) in all() {
        let adapted = model.adapted("ner").unwrap().forward(&ids).unwrap();
        assert!(gap(&adapted, &bare) < 2e-6, "{name}: {}", gap(&adapted, &bare));
    }
}

#[test]
fn a_hypernetwork_makes_two_tasks_of_one_model() {
    let model = build(Box::new(lora()), Box::new(hypernetwork()));
    let losses = train(&model, 40);
    assert!(losses[39] < 0.7 * losses[0], "{losses:?}");
    let (ids, _) = batch().unwrap();
    let [ner, slots] = TASKS.map(|task| model.adapted(task).unwrap().forward(&ids).unwrap());
    assert!(gap(&ner, &slots) > 0.1, "{}", gap(&ner, &slots));
    assert!(model.vars().iter().any(|(name, _)| name == "hyper.encoder.layer.layer_embed"), "{:?}", model.vars());
}

#[test]
fn the_whole_model_trains_too() {
    let model = PeftModel::builder(wrapped().unwrap()).train_backbone(|_| true).build().unwrap();
    let losses =
        train(&PeftModel::builder(wrapped().unwrap()).train_backbone(|_| true).tasks(TASKS).build().unwrap(), 5);
    assert!(losses[4] < losses[0], "{losses:?}");
    assert!(model.check_gradients(&batch().unwrap()).unwrap().is_right());
    let count = model.trainable_parameters().unwrap();
    assert_eq!(count.trainable, count.all);
}

#[test]
fn an_adapter_goes_to_python_and_comes_back() {
    let (ids, _) = batch().unwrap();
    let everything = lora().bias(LoraBias::All).lora_bias(true).modules_to_save(["classifier"]);
    let ia3 = Ia3Config::new().target_modules(["value", "key"]).feedforward_modules(Vec::<String>::new());
    let methods: [Box<dyn PeftConfig>; 3] =
        [Box::new(everything), Box::new(lora().use_dora(true)), Box::new(ia3.modules_to_save(["classifier"]))];
    for method in methods {
        let model = build(method, Box::new(StaticConfig::new()));
        train(&model, 2);
        let own = model.backbone().parameters().unwrap();
        let base = BaseModel::new(model.backbone().sites()).tensors(&own);
        let folder = tempfile::tempdir().unwrap();
        write_peft(folder.path(), &model.to_checkpoint("ner").unwrap(), &base).unwrap();
        let config = std::fs::read_to_string(folder.path().join("adapter_config.json")).unwrap();
        assert!(config.contains("\"task_type\": null"), "{config}");

        let adapter = read_peft(folder.path(), &base).unwrap();
        let (plan, weights) = adapter.build(base.sites, &Device::Cpu).unwrap();
        let again = model.backbone().build(&ActiveAdapters::new(&plan, &weights).unwrap()).unwrap();
        let gap = gap(&again.forward(&ids).unwrap(), &model.adapted("ner").unwrap().forward(&ids).unwrap());
        assert!(gap < 1e-5, "{gap}");
    }
}

#[test]
fn methods_on_activations_are_refused_with_the_reason_and_the_alternative() {
    let methods: [Box<dyn PeftConfig>; 4] = [
        Box::new(BottleneckConfig::par_bn()),
        Box::new(PrefixTuningConfig::new(3)),
        Box::new(PromptTuningConfig::new(3)),
        // LoRA is one of its parts, and would act.
        Box::new(MamConfig::default()),
    ];
    for method in methods {
        let name = method.typetag_name();
        let error = PeftModel::builder(wrapped().unwrap()).methods([method]).build().unwrap_err();
        assert!(matches!(error, Error::ActsOnActivations { .. }), "{name}: {error}");
        let text = error.to_string();
        assert!(text.contains("acts on activations") && text.contains("a backbone that calls its sites"), "{text}");
    }
    let dropping = build(Box::new(lora().dropout(0.1)), Box::new(StaticConfig::new()));
    let error = dropping.loss(&batch().unwrap(), "ner", &mut Ctx::train(1, 0)).unwrap_err().to_string();
    assert!(error.contains("probability 0.1") && error.contains("set its dropout to 0"), "{error}");
    let gated = build(Box::new(lora().use_gating(true)), Box::new(StaticConfig::new()));
    let error = gated.loss(&batch().unwrap(), "ner", &mut Ctx::train(1, 0)).unwrap_err().to_string();
    assert!(error.contains("it has no weight delta"), "{error}");
}
