//! `golden.json`, and the configuration that it amounts to.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use peft_adapter::BottleneckConfig;
use peft_core::{GeneratorConfig, PeftConfig, StaticConfig, TargetModules};
use peft_hyper::{HyperConfig, RoleGroup};
use peft_lora::LoraConfig;
use peft_t5::{FeedForwardProj, T5Config, Trainable};
use serde::Deserialize;

/// `golden.json`; per-batch results are read by key from `results`.
#[derive(Debug, Deserialize)]
pub struct Description {
    /// The backbone's shape.
    pub backbone: Backbone,
    /// Method and generator.
    pub peft: Peft,
    /// Own name to Hugging Face's or the authors'.
    pub names: BTreeMap<String, String>,
    /// Own names of what trains.
    pub trainable_names: Vec<String>,
    /// Elements of what trains.
    pub trainable: usize,
    /// Elements of all weights.
    pub total: usize,
    /// Own names of what the loss of batch 0 does not reach.
    pub no_gradient_at_all: Vec<String>,
    /// The task of each batch.
    pub tasks_of_batches: Vec<String>,
    /// The optimizer of the stepped weights.
    pub optimizer: Optimizer,
    /// Decoding.
    pub generation: Generation,
    /// Everything else, by key.
    #[serde(flatten)]
    pub results: BTreeMap<String, serde_json::Value>,
}

/// `backbone` of `golden.json`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the reference's own fields")]
pub struct Backbone {
    pub vocab: usize,
    pub d_model: usize,
    pub d_kv: usize,
    pub d_ff: usize,
    pub heads: usize,
    pub enc_layers: usize,
    pub dec_layers: usize,
    pub buckets: usize,
    pub max_distance: usize,
    pub eps: f64,
    pub gated: bool,
    pub tied: bool,
    pub cross_bias: bool,
    pub pad: u32,
    pub eos: u32,
    pub start: u32,
}

/// `peft` of `golden.json`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the reference's own fields")]
pub struct Peft {
    pub mode: String,
    pub tasks: Vec<String>,
    pub bottleneck: usize,
    pub rank: usize,
    pub alpha: f64,
    pub d_task: usize,
    pub d_hidden: usize,
    pub d_cond: usize,
    pub pre_norm: bool,
    pub post_norm: bool,
    pub adapter_eps: f64,
    pub cond_eps: f64,
    pub train_norms: bool,
}

/// `optimizer` of `golden.json`.
#[derive(Debug, Deserialize)]
#[allow(missing_docs, reason = "the reference's own fields")]
pub struct Optimizer {
    pub lr: f64,
    pub betas: (f64, f64),
    pub eps: f64,
    pub weight_decay: f64,
    pub max_grad_norm: f64,
}

/// `generation` of `golden.json`.
#[derive(Debug, Deserialize)]
#[allow(missing_docs, reason = "the reference's own fields")]
pub struct Generation {
    pub max_length: NonZeroUsize,
    pub num_beams: NonZeroUsize,
    pub length_penalty: f64,
    pub early_stopping: bool,
}

impl Backbone {
    /// The shape as our backbone takes it. The goldens are made without dropout.
    pub fn config(&self) -> T5Config {
        T5Config {
            vocab_size: self.vocab,
            d_model: self.d_model,
            d_kv: self.d_kv,
            d_ff: self.d_ff,
            num_layers: self.enc_layers,
            num_decoder_layers: self.dec_layers,
            num_heads: self.heads,
            relative_attention_num_buckets: self.buckets,
            relative_attention_max_distance: self.max_distance,
            dropout_rate: 0.,
            layer_norm_epsilon: self.eps,
            feed_forward_proj: if self.gated { FeedForwardProj::GatedGelu } else { FeedForwardProj::Relu },
            tie_word_embeddings: self.tied,
            pad_token_id: self.pad,
            eos_token_id: self.eos,
            decoder_start_token_id: self.start,
            cross_attention_bias: self.cross_bias,
        }
    }
}

impl Peft {
    fn has_hypernetwork(&self) -> bool {
        matches!(self.mode.as_str(), "hyperloader" | "hyperformer" | "hyperlora")
    }

    /// The methods of the mode.
    pub fn methods(&self) -> Vec<Box<dyn PeftConfig>> {
        let lora = || -> Box<dyn PeftConfig> {
            Box::new(LoraConfig {
                r: NonZeroUsize::new(self.rank).expect("a rank of at least 1"),
                lora_alpha: self.alpha,
                target_modules: TargetModules::suffixes(["q", "v"]),
                ..LoraConfig::default()
            })
        };
        let adapter = || -> Box<dyn PeftConfig> {
            Box::new(BottleneckConfig {
                bottleneck_size: NonZeroUsize::new(self.bottleneck),
                ln_before: self.pre_norm,
                ln_after: self.post_norm,
                layer_norm_eps: self.adapter_eps,
                ..BottleneckConfig::default()
            })
        };
        match self.mode.as_str() {
            "full" => vec![],
            "lora" | "hyperlora" => vec![lora()],
            "adapter" | "hyperformer" => vec![adapter()],
            "hyperloader" => vec![adapter(), lora()],
            other => panic!("golden.json: unknown mode {other:?}"),
        }
    }

    /// The generator of the mode.
    pub fn generator(&self) -> Box<dyn GeneratorConfig> {
        if !self.has_hypernetwork() {
            let shared = ["ln_before", "ln_after"].map(str::to_owned).to_vec();
            return Box::new(StaticConfig { per_task: self.mode == "adapter", shared });
        }
        let rows: &[&str] = match self.mode.as_str() {
            "hyperformer" => &["ffn", "self"],
            _ => &["ffn", "self", "self.q", "self.v", "cross.q", "cross.v"],
        };
        let width = |n| NonZeroUsize::new(n).expect("a width of at least 1");
        Box::new(HyperConfig {
            embedding_dim: width(self.d_task),
            hidden_dim: width(self.d_hidden),
            conditioning_dim: width(self.d_cond),
            layer_norm_eps: self.cond_eps,
            positions: Some(rows.iter().map(|row| RoleGroup::from(*row)).collect()),
            ..HyperConfig::default()
        })
    }

    /// What of the backbone trains in the mode.
    pub fn trainable(&self) -> Trainable {
        match (self.mode.as_str(), self.train_norms) {
            ("full", _) => Trainable::All,
            (_, true) => Trainable::Norms,
            (_, false) => Trainable::None,
        }
    }

    /// Whether the mode's results depend on the task.
    pub fn is_conditional(&self) -> bool {
        self.has_hypernetwork() || self.mode == "adapter"
    }
}
