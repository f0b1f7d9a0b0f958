//! A small Llama of random weights as the conformance kit runs backbones.

use candle_core::{Device, Tensor};
use peft_core::conformance::{ROWS, TestBackbone};
use peft_core::{ActiveAdapters, Backbone, Ctx, Result, Site, Sites};
use peft_llama::{Llama, LlamaConfig, LlamaInput};

/// The names of Llama's modules in the words of `tests/matrix.toml`, which are T5's.
const NAMES: [(&str, &str); 9] = [
    ("q_proj", "q"),
    ("k_proj", "k"),
    ("v_proj", "v"),
    ("o_proj", "o"),
    ("gate_proj", "wi_0"),
    ("up_proj", "wi_1"),
    ("down_proj", "wo"),
    ("input_layernorm", "input_layer_norm"),
    ("post_attention_layernorm", "post_attention_layer_norm"),
];

/// A Llama with grouped heads and an output projection of its own, with a batch of texts of different lengths.
#[derive(Debug)]
pub struct LlamaBackbone {
    llama: Llama,
    /// The model's sites under the names of the matrix. Their numbers are the same.
    sites: Sites,
    input: LlamaInput,
}

impl LlamaBackbone {
    /// Two blocks of 16 features.
    ///
    /// # Panics
    /// Never: the shape is a valid one.
    pub fn new() -> Self {
        let llama = Llama::random(&LlamaConfig::small(), 5).expect("a Llama");
        let rows: [&[u32]; ROWS] = [&[5, 9, 12, 7, 1], &[8, 20, 1], &[11, 6, 21, 1]];
        Self { sites: renamed(llama.sites()), llama, input: LlamaInput::new(&rows, &Device::Cpu).expect("a batch") }
    }
}

impl Default for LlamaBackbone {
    fn default() -> Self {
        Self::new()
    }
}

/// Llama's sites under the names of the matrix.
pub fn renamed(sites: &Sites) -> Sites {
    let mut renamed = Sites::default();
    for site in sites {
        let (module, name) = site.path.rsplit_once('.').unwrap_or(("", &site.path));
        let path = match NAMES.iter().find(|(ours, _)| *ours == name) {
            Some((_, theirs)) => format!("{module}.{theirs}"),
            None => site.path.clone(),
        };
        renamed.add(Site { path, ..site.clone() });
    }
    renamed
}

impl TestBackbone for LlamaBackbone {
    fn sites(&self) -> &Sites {
        &self.sites
    }

    fn run(&self, rows: &[usize], active: &ActiveAdapters<'_>, ctx: &mut Ctx) -> Result<Tensor> {
        let rows: Vec<u32> = rows.iter().map(|row| *row as u32).collect();
        let rows = Tensor::new(rows.as_slice(), &Device::Cpu)?;
        let pick = |t: &Tensor| t.index_select(&rows, 0);
        let input = LlamaInput::from_tensors(pick(&self.input.ids)?, pick(&self.input.mask)?)?;
        let hidden = self.llama.hidden(&input, active, ctx)?;
        // Without what methods put in front.
        let (all, length) = (hidden.dim(1)?, self.input.ids.dim(1)?);
        self.llama.logits(&hidden.narrow(1, all - length, length)?.contiguous()?, active, ctx)
    }

    fn merge(&self, active: &ActiveAdapters<'_>) -> Result<(Box<dyn TestBackbone>, usize)> {
        let llama = self.llama.merge_and_unload(active)?.model;
        let (before, after) = (self.llama.parameters()?, llama.parameters()?);
        let mut sites = 0;
        for (name, tensor) in &before {
            let changed = after.get(name).map(|merged| (merged - tensor)?.abs()?.max_all()?.to_scalar::<f32>());
            sites += usize::from(changed.transpose()?.is_some_and(|gap| gap > 0.));
        }
        Ok((Box::new(Self { llama, sites: self.sites.clone(), input: self.input.clone() }), sites))
    }
}
