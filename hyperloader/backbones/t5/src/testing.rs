//! Small models and batches for the tests of this crate.
#![allow(clippy::unwrap_used, reason = "tests")]

use candle_core::{DType, Device, Tensor};
use peft_core::toy::Scale;
use peft_core::{
    ActiveAdapters, AdapterWeights, Condition, Ctx, GeneratorConfig, ParamStore, PeftConfig, Plan, StaticConfig,
    TargetModules, Tasks,
};

use super::{FeedForwardProj, T5, T5Config, Weights, shift_right};

/// Two blocks a stack, 60 words; the width of the heads together, 12, differs from that of the stream, 16.
pub(crate) fn tiny() -> T5Config {
    T5Config {
        vocab_size: 60,
        d_model: 16,
        d_kv: 4,
        d_ff: 24,
        num_layers: 2,
        num_decoder_layers: 2,
        num_heads: 3,
        relative_attention_num_buckets: 8,
        relative_attention_max_distance: 16,
        ..T5Config::default()
    }
}

/// The same as version 1.1.
pub(crate) fn tiny_gated() -> T5Config {
    T5Config { feed_forward_proj: FeedForwardProj::GatedGelu, tie_word_embeddings: false, ..tiny() }
}

/// A model with random weights.
pub(crate) fn build(config: &T5Config) -> T5 {
    T5::new(config, Weights::random(7).var_builder(DType::F32, &Device::Cpu)).unwrap()
}

/// Ids and mask of three sentences of 6, 4 and 5 tokens, and labels of up to 6.
pub(crate) fn batch() -> (Tensor, Tensor, Tensor) {
    let tensor = |rows: [[u32; 6]; 3]| Tensor::new(&rows, &Device::Cpu).unwrap();
    let ids = tensor([[7, 30, 12, 55, 8, 1], [40, 41, 9, 1, 0, 0], [22, 3, 3, 17, 1, 0]]);
    let mask = ids.ne(0u32).unwrap().to_dtype(DType::U32).unwrap();
    (ids, mask, tensor([[11, 5, 33, 2, 9, 1], [6, 48, 1, 0, 0, 0], [19, 20, 21, 22, 1, 0]]))
}

/// The sentences of the batch without their padding.
pub(crate) fn sentences() -> Vec<Vec<u32>> {
    let (ids, ..) = batch();
    let own = |ids: Vec<u32>| ids.into_iter().filter(|id| *id != 0).collect();
    ids.to_vec2().unwrap().into_iter().map(own).collect()
}

/// `max |a - b|`.
pub(crate) fn largest_difference(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.dims(), b.dims());
    (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar().unwrap()
}

/// One model of each kind.
pub(crate) fn configs() -> [T5Config; 3] {
    [tiny(), tiny_gated(), tiny().with_cross_attention_bias(true)]
}

/// A method at the sites `targets` with weights that differ from 1.
pub(crate) fn scaled(t5: &T5, targets: TargetModules) -> (Plan, AdapterWeights) {
    let methods: Vec<Box<dyn PeftConfig>> = vec![Box::new(Scale { target_modules: targets })];
    let plan = Plan::resolve(t5.sites(), &methods).unwrap();
    let store = ParamStore::new(0, &Device::Cpu);
    let generator = StaticConfig::default().build(&plan, &Tasks::new(["a"]), store.var_builder()).unwrap();
    for (i, (_, var)) in store.vars().into_iter().enumerate() {
        let ramp = Tensor::arange(0f32, var.elem_count() as f32, &Device::Cpu).unwrap();
        var.set(&ramp.affine(0.02, 0.7 + 0.01 * i as f64).unwrap()).unwrap();
    }
    let weights = generator.generate(&Condition::Task(0)).unwrap();
    (plan, weights)
}

/// Every site.
pub(crate) fn everywhere() -> TargetModules {
    serde_json::from_str(r#"".*""#).unwrap()
}

/// Linear maps and outputs of sub-layers: sites where no method lengthens the input or the keys.
pub(crate) fn linear_and_sub_layers() -> TargetModules {
    serde_json::from_str(r#"".*\\.(q|k|v|o|wi|wi_0|wi_1|wo|layer\\.[0-9])""#).unwrap()
}

/// The decoder's output for the batch.
pub(crate) fn hidden(t5: &T5, active: &ActiveAdapters<'_>, ctx: &mut Ctx) -> Tensor {
    let (ids, mask, labels) = batch();
    let encoded = t5.encode(&ids, &mask, active, ctx).unwrap();
    t5.decode(&shift_right(&labels, 0).unwrap(), &encoded, active, ctx).unwrap()
}
