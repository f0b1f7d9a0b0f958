//! Adapter folders of Python's `peft` on decoders, with a backbone and what it computes with the adapter.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use peft_core::{ActiveAdapters, Backbone, Ctx};
use peft_llama::{GenerateOptions, Llama, LlamaInput, Positions, generate};

use crate::compat::TOLERANCE;
use crate::golden::{committed, folders_with, require};

/// How many folders are committed.
const COMMITTED: usize = 6;
/// How many folders of `../shared` there are.
const SHARED: usize = 15;

/// One folder: an adapter, the decoder in `base/`, inputs and outputs.
#[derive(Debug)]
pub struct DecoderGolden {
    /// The last part of its path.
    pub name: String,
    /// The folder.
    pub path: PathBuf,
    /// Its `adapter_config.json`.
    pub config: serde_json::Value,
    /// The backbone.
    pub llama: Llama,
    io: HashMap<String, Tensor>,
}

/// The committed folders of Llama and Mistral, and those of `../shared/goldens_backbones` if that folder exists.
///
/// # Panics
/// If a folder is damaged, or if there are fewer than there should be: the test would show less than it says.
pub fn decoder_goldens() -> Vec<DecoderGolden> {
    let of = |root: &Path, least: usize| {
        let mut found = folders_with(root, "adapter_config.json");
        let family = |path: &PathBuf, family: &str| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&format!("{family}_")))
        };
        found.retain(|path| family(path, "llama") || family(path, "mistral"));
        assert!(found.len() >= least, "{}: {} folders of decoders, expected {least}", root.display(), found.len());
        found
    };
    let mut found = of(&committed("decoders"), COMMITTED);
    if let Some(shared) = require("goldens_backbones") {
        found.extend(of(&shared, SHARED));
    }
    found.iter().map(|path| DecoderGolden::open(path)).collect()
}

impl DecoderGolden {
    fn open(path: &Path) -> Self {
        let config = std::fs::read_to_string(path.join("adapter_config.json")).expect("adapter_config.json");
        Self {
            name: path.file_name().expect("a folder's name").to_string_lossy().into_owned(),
            path: path.to_path_buf(),
            config: serde_json::from_str(&config).expect("JSON"),
            llama: Llama::from_folder(path.join("base"), DType::F32, &Device::Cpu).expect("the backbone"),
            io: candle_core::safetensors::load(path.join("io.safetensors"), &Device::Cpu).expect("io.safetensors"),
        }
    }

    /// Whether the folder has what the merged model computes: `peft` merges no prompts and no prefixes.
    pub fn merges(&self) -> bool {
        self.io.contains_key("merged_logits")
    }

    /// The backbone's parameters by name.
    ///
    /// # Panics
    /// Never.
    pub fn base(&self) -> std::collections::BTreeMap<String, Tensor> {
        self.llama.parameters().expect("parameters")
    }

    fn ids(&self, name: &str) -> Tensor {
        self.io[name].to_dtype(DType::U32).expect("token ids")
    }

    fn input(&self, side: &str) -> LlamaInput {
        let (ids, mask) = (self.ids(&format!("{side}input_ids")), self.ids(&format!("{side}attention_mask")));
        LlamaInput::from_tensors(ids, mask).expect("a batch").with_positions(Positions::Columns)
    }

    /// The largest difference of a logit of `llama` from the folder's `logits`, padding left out.
    ///
    /// # Panics
    /// If shapes differ, or the model fails.
    pub fn gap(&self, llama: &Llama, active: &ActiveAdapters<'_>, (side, logits): (&str, &str)) -> f32 {
        let (input, mut ctx) = (self.input(side), Ctx::eval());
        let hidden = llama.hidden(&input, active, &mut ctx).expect("the backbone");
        let found = llama.logits(&hidden, active, &mut ctx).expect("logits");
        let expected = &self.io[logits];
        assert_eq!(found.dims(), expected.dims(), "{}: {logits}", self.name);
        // Prompts come before the padding, and count.
        let front = found.dim(1).expect("a length") - input.ids.dim(1).expect("a length");
        let mask = input.mask.to_dtype(DType::F32).expect("a mask");
        let ones = Tensor::ones((mask.dim(0).expect("rows"), front), DType::F32, &Device::Cpu).expect("ones");
        let mask = Tensor::cat(&[&ones, &mask], 1).and_then(|mask| mask.unsqueeze(2)).expect("a mask");
        let gap = (found - expected).and_then(|d| d.abs()?.broadcast_mul(&mask)?.max_all()?.to_scalar());
        gap.expect("as many logits")
    }

    /// Logits of `llama` against the folder's: for texts padded on the left, and on the right too unless the folder lacks it.
    ///
    /// # Panics
    /// If one differs by more than the tolerance.
    pub fn check_logits(&self, llama: &Llama, active: &ActiveAdapters<'_>, sides: &[(&str, &str)]) {
        for side in sides {
            let gap = self.gap(llama, active, *side);
            println!("{:24} {:16} largest difference of a logit {gap:.1e}", self.name, side.1);
            assert!(gap <= TOLERANCE, "{}: {}: a logit differs by {gap}", self.name, side.1);
        }
    }

    /// Greedy tokens of `llama` against the folder's `tokens`.
    ///
    /// # Panics
    /// If one differs.
    pub fn check_greedy(&self, llama: &Llama, active: &ActiveAdapters<'_>, tokens: &str) {
        let expected: Vec<Vec<u32>> = self.ids(tokens).to_vec2().expect("rows");
        // After prompt tuning, `generate` of transformers counts padding.
        let prompt = self.config["peft_type"] == "PROMPT_TUNING" && tokens == "greedy";
        let positions = if prompt { Positions::Columns } else { Positions::Tokens };
        let options = GenerateOptions::new(expected[0].len());
        let written = generate(llama, &self.input("").with_positions(positions), &options, active).expect("tokens");
        for (row, (written, expected)) in written.iter().zip(&expected).enumerate() {
            let padded: Vec<u32> = written.iter().copied().chain(std::iter::repeat(0)).take(expected.len()).collect();
            assert_eq!(&padded, expected, "{}: {tokens} of row {row}", self.name);
        }
    }
}
