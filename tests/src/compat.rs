//! Adapter folders that Python's libraries wrote, with a backbone and what it computes with the adapter.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use peft_core::{ActiveAdapters, Ctx};
use peft_t5::decode::{GenerationConfig, Source, greedy};
use peft_t5::{T5, T5Config, Weights};

use crate::golden::{committed, folders_with};

/// The largest difference of a logit, in units of the logits.
pub const TOLERANCE: f32 = 5e-5;

/// One folder: an adapter, the T5 in `base/`, inputs and outputs.
#[derive(Debug)]
pub struct CompatGolden {
    /// The last part of its path.
    pub name: String,
    /// The folder.
    pub path: PathBuf,
    /// Its `adapter_config.json`.
    pub config: serde_json::Value,
    /// The backbone.
    pub t5: T5,
    io: HashMap<String, Tensor>,
}

/// The folders whose configuration is `wanted`: those of `$PEFT_COMPAT_GOLDENS`, or else the committed ones, of which there are at
/// least `least`.
///
/// # Panics
/// If a folder is damaged, or if there are fewer: the test would show less than it says.
pub fn compat_goldens(least: usize, wanted: impl Fn(&serde_json::Value) -> bool) -> Vec<CompatGolden> {
    let (root, least) = match std::env::var_os("PEFT_COMPAT_GOLDENS") {
        Some(root) => (PathBuf::from(root), 1),
        None => (committed(""), least),
    };
    let paths = folders_with(&root, "adapter_config.json");
    let wanted = paths.iter().map(|path| (path, config(path))).filter(|(_, config)| wanted(config));
    let found: Vec<CompatGolden> = wanted.map(|(path, config)| CompatGolden::open(path, config)).collect();
    assert!(found.len() >= least, "{}: {} folders of this kind, expected {least}", root.display(), found.len());
    found
}

fn config(path: &Path) -> serde_json::Value {
    let text = std::fs::read_to_string(path.join("adapter_config.json")).expect("adapter_config.json");
    serde_json::from_str(&text).expect("JSON")
}

impl CompatGolden {
    fn open(path: &Path, config: serde_json::Value) -> Self {
        let base = path.join("base");
        let shape = T5Config::read(base.join("config.json")).expect("base/config.json");
        let weights = Weights::open(&base).expect("base/model.safetensors");
        Self {
            name: path.file_name().expect("a folder's name").to_string_lossy().into_owned(),
            path: path.to_path_buf(),
            config,
            t5: T5::new(&shape, weights.var_builder(DType::F32, &Device::Cpu)).expect("the backbone"),
            io: candle_core::safetensors::load(path.join("io.safetensors"), &Device::Cpu).expect("io.safetensors"),
        }
    }

    /// The backbone's parameters by name.
    pub fn base(&self) -> BTreeMap<String, Tensor> {
        self.t5.tensors().unwrap()
    }

    fn ids(&self, name: &str) -> Tensor {
        self.io[name].to_dtype(DType::U32).expect("token ids")
    }

    /// Logits and greedy tokens of `t5` with `active` against the folder's.
    ///
    /// # Panics
    /// If they differ.
    pub fn check(&self, t5: &T5, active: &ActiveAdapters<'_>) {
        let (ids, mask, decoder_ids) =
            (self.ids("input_ids"), self.ids("attention_mask"), self.ids("decoder_input_ids"));
        let mut ctx = Ctx::eval();
        let encoded = t5.encode(&ids, &mask, active, &mut ctx).expect("encode");
        let hidden = t5.decode(&decoder_ids, &encoded, active, &mut ctx).expect("decode");
        let logits = t5.logits(&hidden, active, &mut ctx).expect("logits");
        let gap =
            (logits - &self.io["logits"]).and_then(|d| d.abs()?.max_all()?.to_scalar::<f32>()).expect("as many logits");
        assert!(gap <= TOLERANCE, "{}: a logit differs by {gap}", self.name);

        let expected: Vec<Vec<u32>> = self.ids("greedy").to_vec2().expect("rows");
        let length = NonZeroUsize::new(expected[0].len()).expect("tokens");
        let config = GenerationConfig { max_length: length, ..GenerationConfig::default() };
        let written = greedy(&Source::new(t5, &encoded, active), &config).expect("greedy");
        for (row, (written, expected)) in written.iter().zip(&expected).enumerate() {
            let padded: Vec<u32> = written.iter().copied().chain(std::iter::repeat(0)).take(expected.len()).collect();
            assert_eq!(&padded, expected, "{}: greedy tokens of row {row}", self.name);
        }
        println!("{:36} largest difference of a logit {gap:.1e}, greedy tokens equal", self.name);
    }
}
