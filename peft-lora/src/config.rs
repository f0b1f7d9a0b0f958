//! The configuration of LoRA and its relatives.

use std::num::NonZeroUsize;

use peft_core::{
    Error, PathPattern, PeftConfig, PeftModule, Result, Site, SiteKind, TargetModules, check_dropout, nonzero, setters,
};
use serde::{Deserialize, Serialize};

use crate::bias::{BiasDelta, Biases};
use crate::dora::Dora;
use crate::embedding::LoraEmbedding;
use crate::full::WeightDelta;
use crate::lora::Lora;
use crate::{LoraBias, LoraInit, Patterns};

/// The name in configuration files.
const PEFT_TYPE: &str = "LORA";

/// LoRA (Hu et al. 2021, *LoRA: Low-Rank Adaptation of Large Language Models*, arXiv 2106.09685, section 4.1).
///
/// `y = x Wᵀ + s · dropout(x) Aᵀ Bᵀ` with `A: [r, d_in]`, `B: [d_out, r]` and `s = lora_alpha / r`.
/// `A` starts Kaiming-uniform (±1/√d_in) and `B` at zero, so the model's output is unchanged before the first step. Generated
/// weights come from heads without bias; the head of `B` starts at zero (arXiv 2407.01411, section 3; its code sets
/// `r = lora_alpha = 8`).
///
/// At an embedding table, `y = E[ids] + s · (A[:, ids])ᵀ Bᵀ` with `A: [r, rows]`, `B: [dim, r]`; there `A` starts at zero and `B` normal,
/// and nothing is dropped, as in `peft`.
///
/// - **rsLoRA** (`use_rslora`; Kalajdzievski 2023, arXiv 2312.03732): `s = lora_alpha / √r`.
/// - **DoRA** (`use_dora`; Liu et al. 2024, arXiv 2402.09353): `y = x (m ⊙ (W + s B A) / ‖W + s B A‖)ᵀ` row by row, with
///   the magnitudes `m = ‖W‖ + δ`. The learned weight is `δ: [d_out]`, which starts at zero, so that a generator need not
///   know `W`. (`peft` files hold `m`.) Put DoRA before other methods at the same site: it rescales the backbone's output.
/// - **LoRA+** (Hayou et al. 2024, arXiv 2402.12354) is an option of the optimizer: `loraplus_lr_ratio`.
///
/// Field names and meanings are those of Hugging Face `peft`.
///
/// ```
/// use peft_core::PeftConfig;
/// use peft_lora::LoraConfig;
///
/// let config = LoraConfig::new(4).alpha(8.).target_modules(["q", "v"]).use_rslora(true);
/// // The same from a file:
/// let config: Box<dyn PeftConfig> = serde_json::from_str(
///     r#"{"peft_type": "LORA", "r": 4, "target_modules": "all-linear", "rank_pattern": {"wo": 8}, "use_rslora": true}"#,
/// )?;
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoraConfig {
    /// The rank. Default 8.
    pub r: NonZeroUsize,
    /// The scale's numerator `α`. Default 8.
    pub lora_alpha: f64,
    /// The probability with which an element of the low-rank branch's input is dropped in training. Default 0.
    pub lora_dropout: f64,
    /// The linear maps and embedding tables to change. Default `["q", "v"]`, which is `peft`'s for T5.
    pub target_modules: TargetModules,
    /// Linear maps to leave unchanged although `target_modules` names them. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclude_modules: Option<TargetModules>,
    /// The layers to change, by their number; an empty list means all. Default: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layers_to_transform: Option<Vec<usize>>,
    /// Where the number of the layer is in a path: regular expressions for the component before it. The first match in the
    /// path counts. Default: none; the backbone gives the layer of a site. For T5 that is the first number in the path.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub layers_pattern: Vec<String>,
    /// Other ranks for some modules.
    #[serde(skip_serializing_if = "Patterns::is_empty")]
    pub rank_pattern: Patterns<NonZeroUsize>,
    /// Other numerators `α` for some modules.
    #[serde(skip_serializing_if = "Patterns::is_empty")]
    pub alpha_pattern: Patterns<f64>,
    /// The initial values of `A` and `B`. Default `true`: `A` Kaiming-uniform, `B` zero.
    pub init_lora_weights: LoraInit,
    /// rsLoRA's scale `α / √r`. Default: no.
    pub use_rslora: bool,
    /// DoRA. Default: no.
    pub use_dora: bool,
    /// A learned gate on the low-rank branch: the mean over tokens of `sigmoid(x w_gᵀ + b_g)`, one number per sentence (UniPELT,
    /// Mao et al. 2022, arXiv 2110.07577; AdapterHub's field). A gated branch cannot be merged. Default: no.
    pub use_gating: bool,
    /// Which biases of the backbone train: none, those of the modules with LoRA, or all. (`peft` files hold `b + Δb`.) Default: none.
    #[serde(skip_serializing_if = "LoraBias::is_none")]
    pub bias: LoraBias,
    /// A bias of the low-rank branch: `y = x Wᵀ + s (x Aᵀ Bᵀ + b')` with `b': [d_out]`, which starts at zero. It can be merged where the
    /// linear map has a bias. Default: no.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub lora_bias: bool,
    /// Modules to train completely, by the end of their path (`lm_head`, `layer_norm`, `embed_tokens`): `y = x (W + ΔW)ᵀ + b + Δb`, where `ΔW` and
    /// `Δb` start at zero. (`peft` files hold `W + ΔW` and `b + Δb`.) Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub modules_to_save: Vec<String>,
}

impl Default for LoraConfig {
    fn default() -> Self {
        Self {
            r: nonzero(8),
            lora_alpha: 8.,
            lora_dropout: 0.,
            target_modules: TargetModules::suffixes(["q", "v"]),
            exclude_modules: None,
            layers_to_transform: None,
            layers_pattern: Vec::new(),
            rank_pattern: Patterns::default(),
            alpha_pattern: Patterns::default(),
            init_lora_weights: LoraInit::default(),
            use_rslora: false,
            use_dora: false,
            use_gating: false,
            bias: LoraBias::None,
            lora_bias: false,
            modules_to_save: Vec::new(),
        }
    }
}

impl LoraConfig {
    /// LoRA of rank `r` with the defaults of the other fields. A rank of 0 counts as 1.
    pub fn new(r: usize) -> Self {
        Self { r: nonzero(r), ..Self::default() }
    }

    /// Sets the field `layers_to_transform`.
    #[must_use]
    pub fn layers_to_transform(self, layers: impl IntoIterator<Item = usize>) -> Self {
        Self { layers_to_transform: Some(layers.into_iter().collect()), ..self }
    }

    fn wants(&self, site: &Site) -> Result<bool> {
        let excluded = self.exclude_modules.as_ref().is_some_and(|modules| modules.matches_path(&site.path));
        Ok(!excluded && self.target_modules.matches(site) && self.wants_layer(site)?)
    }

    fn wants_layer(&self, site: &Site) -> Result<bool> {
        let Some(layers) = &self.layers_to_transform else {
            return Ok(true);
        };
        if layers.is_empty() {
            return Ok(true);
        }
        if self.layers_pattern.is_empty() {
            return Ok(layers.contains(&site.layer));
        }
        for pattern in &self.layers_pattern {
            let before = PathPattern::before_number(pattern)
                .map_err(|reason| Error::invalid(PEFT_TYPE, "layers_pattern", reason))?;
            if let Some(number) = before.number(&site.path) {
                return Ok(layers.contains(&number));
            }
        }
        Ok(false)
    }

    /// The rank at `site`, and the scale.
    fn rank(&self, site: &Site) -> (usize, f64) {
        let r = self.rank_pattern.get(&site.path).unwrap_or(self.r).get();
        let alpha = self.alpha_pattern.get(&site.path).unwrap_or(self.lora_alpha);
        (r, if self.use_rslora { alpha / (r as f64).sqrt() } else { alpha / r as f64 })
    }

    fn embedding(&self, site: &Site, [rows, dim]: [usize; 2]) -> Result<Option<Box<dyn PeftModule>>> {
        let options = [("use_dora", self.use_dora), ("use_gating", self.use_gating), ("lora_bias", self.lora_bias)];
        if let Some((field, _)) = options.into_iter().find(|(_, on)| *on) {
            let reason = format!("is not supported at {}, an embedding table", site.path);
            return Err(Error::invalid(PEFT_TYPE, field, reason));
        }
        let (r, scaling) = self.rank(site);
        Ok(Some(Box::new(LoraEmbedding { r, rows, dim, scaling, init: self.init_lora_weights })))
    }

    fn lora(&self, site: &Site, d_in: usize, d_out: usize) -> Lora {
        let (r, scaling) = self.rank(site);
        let biases = Biases { branch: self.lora_bias, base: site.bias && !self.bias.is_none(), has_base: site.bias };
        Lora {
            r,
            d_in,
            d_out,
            scaling,
            dropout: self.lora_dropout,
            init: self.init_lora_weights,
            gated: self.use_gating,
            biases,
        }
    }
}

setters! {
    LoraConfig {
        alpha => lora_alpha: f64,
        dropout => lora_dropout: f64,
        target_modules => target_modules: TargetModules,
        exclude_modules => exclude_modules: TargetModules,
        rank_pattern => rank_pattern: Patterns<NonZeroUsize>,
        alpha_pattern => alpha_pattern: Patterns<f64>,
        init_lora_weights => init_lora_weights: LoraInit,
        use_rslora => use_rslora: bool,
        use_dora => use_dora: bool,
        use_gating => use_gating: bool,
        bias => bias: LoraBias,
        lora_bias => lora_bias: bool,
        modules_to_save => modules_to_save: [String],
    }
}

#[typetag::serde(name = "LORA")]
impl PeftConfig for LoraConfig {
    fn module(&self, site: &Site) -> Result<Option<Box<dyn PeftModule>>> {
        if let Some(saved) = WeightDelta::saved(&self.modules_to_save, site) {
            return Ok(Some(Box::new(saved)));
        }
        if !self.wants(site)? {
            let bias = BiasDelta::at(site).filter(|_| self.bias == LoraBias::All);
            return Ok(bias.map(|bias| Box::new(bias) as Box<dyn PeftModule>));
        }
        let (d_in, d_out) = match site.kind {
            SiteKind::Linear { d_in, d_out } => (d_in, d_out),
            SiteKind::Embedding { rows, dim } => return self.embedding(site, [rows, dim]),
            _ => {
                let reason = format!("names {}, which is neither a linear map nor an embedding table", site.path);
                return Err(Error::invalid(PEFT_TYPE, "target_modules", reason));
            }
        };
        check_dropout(PEFT_TYPE, "lora_dropout", self.lora_dropout)?;
        let other = [("use_gating", self.use_gating), ("lora_bias", self.lora_bias)];
        if let Some((field, _)) = other.into_iter().find(|(_, on)| *on && self.use_dora) {
            return Err(Error::invalid(PEFT_TYPE, field, "cannot be combined with use_dora"));
        }
        let lora = self.lora(site, d_in, d_out);
        Ok(Some(if self.use_dora { Box::new(Dora::new(lora)) } else { Box::new(lora) }))
    }

    fn identity_at_init(&self) -> bool {
        self.init_lora_weights != LoraInit::Random
    }

    fn target_modules(&self) -> Option<&TargetModules> {
        Some(&self.target_modules)
    }
}
