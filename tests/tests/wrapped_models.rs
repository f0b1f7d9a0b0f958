//! Models of candle-transformers, wrapped, with adapters of Python's `peft`: they compute what Python does, apart and merged.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Module, Result, Tensor};
use candle_nn::{LayerNorm, Linear, VarBuilder, layer_norm_no_bias, linear, linear_no_bias};
use candle_transformers::models::{bert, distilbert, llama, mistral, modernbert, qwen2};
use hyperloader::model::SavePretrained;
use libtest_mimic::{Arguments, Trial};
use peft_core::{ActiveAdapters, Backbone, Error, ParamStore, PeftModel, Wrapped};
use peft_lora::LoraConfig;
use peft_tests::compat::TOLERANCE;
use peft_tests::golden::trial;
use serde::de::DeserializeOwned;

const CPU: &Device = &Device::Cpu;

fn main() {
    let mut trials = Vec::new();
    macro_rules! folders {
        ($check:ident: $($name:literal),+ $(,)?) => {
            $(trials.push(trial($name, [concat!("goldens_backbones/", $name)], |[folder]| $check(&folder)));)+
        };
    }
    folders!(bert: "bert_lora", "bert_lora_all_linear", "bert_dora", "bert_ia3", "bert_ln_tuning");
    folders!(distilbert: "distilbert_lora", "distilbert_ia3");
    folders!(modernbert: "modernbert_lora", "modernbert_ia3");
    folders!(llama: "llama_lora", "llama_dora", "llama_ia3", "llama_ln_tuning", "llama_lora_embedding", "llama_lora_head");
    folders!(mistral: "mistral_lora", "mistral_dora", "mistral_ia3");
    folders!(qwen2: "qwen2_lora", "qwen2_dora", "qwen2_ia3", "qwen2_lora_bias", "qwen2_lora_bias_all");
    folders!(refused_on_llama: "llama_prefix", "llama_prompt");
    trials.push(trial("gradients_of_bert", ["goldens_backbones/bert_lora"], |[folder]| gradients_of_bert(&folder)));
    trials.push(Trial::test("where_the_sites_of_bert_are", || {
        where_the_sites_of_bert_are();
        Ok(())
    }));
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// A folder with an adapter, the model in `base/`, inputs and outputs.
struct Folder {
    path: PathBuf,
    io: HashMap<String, Tensor>,
}

impl Folder {
    fn open(path: &Path) -> Self {
        let io = candle_core::safetensors::load(path.join("io.safetensors"), CPU).unwrap();
        Self { path: path.to_path_buf(), io }
    }

    fn ids(&self, name: &str) -> Tensor {
        self.io[name].to_dtype(DType::U32).unwrap()
    }

    /// The model's configuration, with `more` fields that candle asks for.
    fn config<T: DeserializeOwned>(&self, more: &[(&str, &str)]) -> T {
        let text = std::fs::read_to_string(self.path.join("base/config.json")).unwrap();
        let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
        for (to, from) in more {
            value[*to] = value[*from].clone();
        }
        serde_json::from_value(value).unwrap()
    }

    /// How far the bare model, the model with the adapter, and the merged one are from Python's. `gap` compares logits; it gets a new
    /// model as often as it wants, because some keep what they have seen.
    fn check<M>(
        &self,
        build: impl Fn(VarBuilder<'_>) -> Result<M> + Send + Sync + 'static,
        gap: impl Fn(&dyn Fn() -> M, &Tensor) -> f32,
    ) {
        let wrapped = Wrapped::new(self.path.join("base"), build).unwrap();
        let model = PeftModel::load_pretrained(wrapped.clone(), &self.path).unwrap();
        let merged = model.merge_and_unload("default").unwrap();
        assert!(merged.refused.is_empty(), "{:?}", merged.refused);
        let none = ActiveAdapters::none();
        let models: [(&str, &dyn Fn() -> M); 3] = [
            ("base_logits", &|| wrapped.build(&none).unwrap()),
            ("logits", &|| model.adapted("default").unwrap()),
            ("merged_logits", &|| merged.model.build(&none).unwrap()),
        ];
        let name = self.path.file_name().unwrap().to_string_lossy();
        for (what, new) in models {
            let gap = gap(new, &self.io[what]);
            assert!(gap <= TOLERANCE, "{name}: {what} differ by {gap}");
            println!("{name:24} {what:16} largest difference {gap:.1e}");
        }
    }

    /// [`check`](Self::check) for a model that gives the logits of all tokens. Padding is not compared.
    fn check_encoder<M>(
        &self,
        build: impl Fn(VarBuilder<'_>) -> Result<M> + Send + Sync + 'static,
        forward: impl Fn(&M, &Tensor, &Tensor) -> Result<Tensor>,
    ) {
        let (ids, mask) = (self.ids("input_ids"), self.ids("attention_mask"));
        let text = mask.to_dtype(DType::F32).unwrap().unsqueeze(2).unwrap();
        self.check(build, |new, expected| {
            let found = forward(&new(), &ids, &mask).unwrap();
            gap(&found.broadcast_mul(&text).unwrap(), &expected.broadcast_mul(&text).unwrap())
        });
    }

    /// [`check`](Self::check) for a model that gives the logits of the last token: those of each beginning of the first text, up to
    /// `longest`.
    fn check_decoder<M>(
        &self,
        longest: usize,
        build: impl Fn(VarBuilder<'_>) -> Result<M> + Send + Sync + 'static,
        forward: impl Fn(M, &Tensor) -> Result<Tensor>,
    ) {
        let ids = self.ids("input_ids");
        self.check(build, |new, expected| {
            let longest = longest.min(ids.dim(1).unwrap());
            let at = |length: usize| {
                let beginning = ids.narrow(0, 0, 1).unwrap().narrow(1, 0, length).unwrap();
                let found = forward(new(), &beginning).unwrap().flatten_all().unwrap();
                gap(&found, &expected.get(0).unwrap().get(length - 1).unwrap())
            };
            (1..=longest).map(at).fold(0., f32::max)
        });
    }
}

fn gap(a: &Tensor, b: &Tensor) -> f32 {
    (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar().unwrap()
}

/// The labels of token classification.
const LABELS: usize = 5;

type Bert = (bert::BertModel, Linear);

fn build_bert(config: bert::Config) -> impl Fn(VarBuilder<'_>) -> Result<Bert> + Send + Sync {
    move |vb| {
        let head = linear(config.hidden_size, LABELS, vb.pp("classifier"))?;
        Ok((bert::BertModel::load(vb.pp("bert"), &config)?, head))
    }
}

fn bert(folder: &Path) {
    let folder = Folder::open(folder);
    let types = folder.ids("token_type_ids");
    folder.check_encoder(build_bert(folder.config(&[])), move |(bert, head), ids, mask| {
        head.forward(&bert.forward(ids, &types, Some(mask))?)
    });
}

/// Candle's DistilBERT takes the approximation of GELU by tanh where Python takes GELU, so its logits differ by 1e-3 with and without an
/// adapter. What is compared is the adapter in the weights with the adapter merged.
fn distilbert(folder: &Path) {
    let folder = Folder::open(folder);
    let config: distilbert::Config = folder.config(&[]);
    let build = move |vb: VarBuilder<'_>| {
        let head = linear(config.dim, LABELS, vb.pp("classifier"))?;
        Ok((distilbert::DistilBertModel::load(vb.pp("distilbert"), &config)?, head))
    };
    let model =
        PeftModel::load_pretrained(Wrapped::new(folder.path.join("base"), build).unwrap(), &folder.path).unwrap();
    let merged = model.merge_and_unload("default").unwrap();
    assert!(merged.refused.is_empty(), "{:?}", merged.refused);
    let (ids, mask) = (folder.ids("input_ids"), folder.ids("attention_mask"));
    let (batch, length) = mask.dims2().unwrap();
    // Here 1 means that a token is hidden, for each head and query.
    let hidden = mask.eq(0u32).unwrap().reshape((batch, 1, 1, length)).unwrap();
    let text = mask.to_dtype(DType::F32).unwrap().unsqueeze(2).unwrap();
    let none = ActiveAdapters::none();
    let models = [model.adapted("default"), merged.model.build(&none), model.backbone().build(&none)];
    let [apart, merged, bare] = models.map(|built| {
        let (model, head) = built.unwrap();
        head.forward(&model.forward(&ids, &hidden).unwrap()).unwrap().broadcast_mul(&text).unwrap()
    });
    assert!(gap(&apart, &merged) <= TOLERANCE, "{}", gap(&apart, &merged));
    let (effect, expected) = (gap(&apart, &bare), gap(&folder.io["logits"], &folder.io["base_logits"]));
    assert!((effect / expected - 1.).abs() < 0.01, "the adapter moves a logit by {effect}, in Python by {expected}");
}

fn modernbert(folder: &Path) {
    let folder = Folder::open(folder);
    let config: modernbert::Config = folder.config(&[("layer_norm_eps", "norm_eps")]);
    let build = move |vb: VarBuilder<'_>| {
        let (width, eps) = (config.hidden_size, config.layer_norm_eps);
        let dense = linear_no_bias(width, width, vb.pp("head.dense"))?;
        let norm: LayerNorm = layer_norm_no_bias(width, eps, vb.pp("head.norm"))?;
        let head = linear(width, LABELS, vb.pp("classifier"))?;
        Ok((modernbert::ModernBert::load(vb, &config)?, dense, norm, head))
    };
    folder.check_encoder(build, |(model, dense, norm, head), ids, mask| {
        head.forward(&norm.forward(&dense.forward(&model.forward(ids, mask)?)?.gelu_erf()?)?)
    });
}

fn build_llama(config: llama::Config) -> impl Fn(VarBuilder<'_>) -> Result<llama::Llama> + Send + Sync {
    move |vb| llama::Llama::load(vb, &config)
}

fn llama_config(folder: &Folder) -> llama::Config {
    folder.config::<llama::LlamaConfig>(&[]).into_config(false)
}

fn llama(folder: &Path) {
    let folder = Folder::open(folder);
    let config = llama_config(&folder);
    folder.check_decoder(usize::MAX, build_llama(config.clone()), move |model, ids| {
        model.forward(ids, 0, &mut llama::Cache::new(false, DType::F32, &config, CPU)?)
    });
}

fn mistral(folder: &Path) {
    let folder = Folder::open(folder);
    let config: mistral::Config = folder.config(&[]);
    // Candle's Mistral sees one token more than its window, so longer texts differ from Python's.
    let window = config.sliding_window.unwrap();
    let build = move |vb: VarBuilder<'_>| mistral::Model::new(&config, vb);
    folder.check_decoder(window, build, |mut model, ids| model.forward(ids, 0));
}

fn qwen2(folder: &Path) {
    let folder = Folder::open(folder);
    // Candle asks for a window even if none is used.
    let config: qwen2::Config = folder.config(&[("sliding_window", "max_position_embeddings")]);
    let build = move |vb: VarBuilder<'_>| qwen2::ModelForCausalLM::new(&config, vb);
    folder.check_decoder(usize::MAX, build, |mut model, ids| model.forward(ids, 0));
}

fn refused_on_llama(folder: &Path) {
    let opened = Folder::open(folder);
    let wrapped = Wrapped::new(folder.join("base"), build_llama(llama_config(&opened))).unwrap();
    let error = PeftModel::load_pretrained(wrapped, folder).unwrap_err().to_string();
    assert!(error.contains("acts on activations") && error.contains("calls its sites"), "{error}");
}

/// Candle-nn's layer norm cuts the gradient. Training such a model is stopped before it begins.
fn gradients_of_bert(folder: &Path) {
    let folder = Folder::open(folder);
    let (types, mask) = (folder.ids("token_type_ids"), folder.ids("attention_mask"));
    let wrapped = Wrapped::new(folder.path.join("base"), build_bert(folder.config(&[]))).unwrap();
    let wrapped = wrapped.loss(move |(bert, head): Bert, ids: &Tensor, _| {
        head.forward(&bert.forward(ids, &types, Some(&mask))?)?.sqr()?.mean_all()
    });
    let model = PeftModel::builder(wrapped).method(LoraConfig::new(2).target_modules(["query"])).build().unwrap();
    let error = model.check_gradients(&folder.ids("input_ids")).unwrap_err();
    assert!(matches!(error, Error::Gradients(_)), "{error}");
    let text = error.to_string();
    assert!(text.contains("query.lora_B.weight") && text.contains("layer_norm"), "{text}");
}

fn where_the_sites_of_bert_are() {
    let config = bert::Config {
        vocab_size: 9,
        hidden_size: 8,
        num_hidden_layers: 2,
        num_attention_heads: 2,
        intermediate_size: 6,
        max_position_embeddings: 5,
        ..bert::Config::default()
    };
    let weights = ParamStore::new(1, CPU).var_builder();
    let wrapped = Wrapped::new(weights, build_bert(config)).unwrap();
    let sites = wrapped.sites();
    let query = sites.iter().find(|site| site.path == "bert.encoder.layer.1.attention.self.query").unwrap();
    assert_eq!(
        (query.stack.as_str(), query.layer, query.role.as_str()),
        ("bert.encoder.layer", 1, "attention.self.query")
    );
    assert!(query.bias);
    let stacks: Vec<&str> = sites.stacks().iter().map(|stack| stack.as_str()).collect();
    assert_eq!(stacks, ["outside", "bert.encoder.layer"]);
}
