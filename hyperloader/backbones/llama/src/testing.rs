//! Small models and adapters for the tests of this crate.
#![allow(clippy::unwrap_used, reason = "tests")]

use candle_core::{DType, Device, Tensor};
use peft_adapter::{BottleneckConfig, LnTuningConfig, PrefixConfig, PrefixTuningConfig, PromptTuningConfig};
use peft_core::{
    ActiveAdapters, AdapterWeights, Condition, Ctx, GeneratorConfig, ParamStore, PeftConfig, Plan, StaticConfig, Tasks,
    normal,
};
use peft_lora::{Ia3Config, LoraConfig};

use crate::{Llama, LlamaConfig, LlamaInput, RopeScaling};

/// Llama, Llama with a longer context and a tied table, and Mistral.
pub(crate) fn configs() -> [LlamaConfig; 3] {
    let scaling = RopeScaling::Llama3 {
        factor: 4.,
        low_freq_factor: 1.,
        high_freq_factor: 4.,
        original_max_position_embeddings: 16,
    };
    [
        LlamaConfig::small(),
        LlamaConfig { rope_scaling: Some(scaling), tie_word_embeddings: true, ..LlamaConfig::small() },
        LlamaConfig { sliding_window: Some(3), head_dim: 8, ..LlamaConfig::small() },
    ]
}

/// A model with random weights.
pub(crate) fn build(config: &LlamaConfig) -> Llama {
    Llama::random(config, 7).unwrap()
}

/// LoRA on maps and the table, with what else acts on maps and norms.
pub(crate) fn changes_of_weights() -> Vec<Box<dyn PeftConfig>> {
    let maps = ["q_proj", "down_proj", "embed_tokens", "lm_head"];
    let without_head = ["q_proj", "down_proj", "embed_tokens"];
    vec![
        Box::new(LoraConfig::new(2).target_modules(maps)),
        Box::new(LoraConfig::new(2).target_modules(without_head)),
        Box::new(LoraConfig::new(2).use_dora(true).target_modules(["v_proj", "gate_proj"])),
        Box::new(Ia3Config::new().target_modules(["k_proj", "up_proj"]).feedforward_modules(["up_proj"])),
        Box::new(LoraConfig::new(1).target_modules(["o_proj"]).modules_to_save(["embed_tokens", "norm"])),
        Box::new(LnTuningConfig::new()),
    ]
}

/// Methods that are no change of a weight, but leave the number of positions as it is.
pub(crate) fn bottlenecks() -> Vec<Box<dyn PeftConfig>> {
    vec![Box::new(BottleneckConfig::new(4.)), Box::new(BottleneckConfig::par_bn())]
}

/// Methods that put positions in front of the text, or of keys and values.
pub(crate) fn fronts() -> Vec<Box<dyn PeftConfig>> {
    vec![
        Box::new(PromptTuningConfig::new(2)),
        Box::new(PrefixTuningConfig::new(2)),
        Box::new(PrefixConfig::new(3).flat(true)),
    ]
}

/// A method with random weights on `llama`.
pub(crate) fn adapter(llama: &Llama, method: &dyn PeftConfig, seed: u64) -> (Plan, AdapterWeights) {
    let plan = Plan::resolve(llama.sites(), &[method.boxed()]).unwrap();
    let (store, noise) = (ParamStore::new(seed, &Device::Cpu), ParamStore::new(seed + 1, &Device::Cpu));
    let generator = StaticConfig::default().build(&plan, &Tasks::new(["one"]), store.var_builder()).unwrap();
    generator.generate(&Condition::Task(0)).unwrap();
    for (name, var) in store.vars() {
        let noise = noise.var_builder().get_with_hints(var.dims(), &name, normal(0.2)).unwrap();
        var.set(&(var.as_tensor() + noise.detach()).unwrap()).unwrap();
    }
    let weights = generator.generate(&Condition::Task(0)).unwrap().detach();
    (plan, weights)
}

/// Whether a method of `plan` acts where `llama` has a site at all: an output projection that is tied has none.
pub(crate) fn fits(llama: &Llama, method: &dyn PeftConfig) -> bool {
    let head = llama.sites().find("lm_head").is_some();
    head || method.target_modules().is_none_or(|targets| !targets.matches_path("lm_head"))
}

/// The scores of all words.
pub(crate) fn logits(llama: &Llama, input: &LlamaInput, active: &ActiveAdapters<'_>) -> Tensor {
    let mut ctx = Ctx::eval();
    let hidden = llama.hidden(input, active, &mut ctx).unwrap();
    llama.logits(&hidden, active, &mut ctx).unwrap()
}

/// The last `count` columns of row `row`.
pub(crate) fn tail(x: &Tensor, row: usize, count: usize) -> Tensor {
    let x = x.narrow(0, row, 1).unwrap();
    x.narrow(1, x.dim(1).unwrap() - count, count).unwrap().contiguous().unwrap()
}

/// The largest difference.
pub(crate) fn gap(a: &Tensor, b: &Tensor) -> f64 {
    let gap = (a.to_dtype(DType::F64).unwrap() - b.to_dtype(DType::F64).unwrap()).unwrap();
    gap.abs().unwrap().max_all().unwrap().to_scalar().unwrap()
}

/// Rows of token ids on the CPU.
pub(crate) fn input(rows: &[&[u32]]) -> LlamaInput {
    LlamaInput::new(rows, &Device::Cpu).unwrap()
}
