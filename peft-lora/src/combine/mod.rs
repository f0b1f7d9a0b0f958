//! One LoRA adapter from several: `add_weighted_adapter`.
//!
//! - `options`: the options.
//! - `source`: `A`, `B` and the scale of each adapter at each site.
//! - `arithmetic`: weighted sums, TIES, DARE and magnitude pruning.
//! - `svd`: the best low-rank factors of a sum.

mod arithmetic;
mod options;
mod source;
mod svd;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use candle_core::Tensor;
use peft_core::{AdapterCheckpoint, Adapters, Error, PEFT_PREFIX, Result, TargetModules};

use crate::LoraConfig;

use arithmetic::Arithmetic;
use source::{At, Factors, Source};

pub use arithmetic::MajoritySignMethod;
pub use options::{Combination, CombinationType};

/// Adds the adapter `name`, a combination of the LoRA adapters `parts`, each with its factor (a negative factor subtracts). The
/// other adapters stay as they are. The rules are those of Hugging Face `peft`; see [`CombinationType`].
///
/// The result is a [`LoraConfig`] with `lora_alpha = r`, so its scale is 1. It acts at every site at which one of the parts
/// acts. A single part is always combined linearly.
///
/// ```
/// use std::collections::BTreeMap;
/// use candle_core::{DType, Device, Tensor};
/// use peft_core::toy::toy_sites;
/// use peft_core::{AdapterCheckpoint, Adapters, PeftConfig};
/// use peft_lora::{Combination, CombinationType, LoraConfig, add_weighted_adapter};
///
/// let sites = toy_sites(1, 2);
/// let mut adapters = Adapters::new(&sites);
/// for (name, value) in [("home", 1f32), ("media", 2.)] {
///     let config = LoraConfig::new(1).alpha(3.);
///     let mut weights = BTreeMap::new();
///     for site in ["q", "v"] {
///         let key = |part| format!("base_model.model.layers.0.{site}.lora_{part}.weight");
///         weights.insert(key("A"), Tensor::full(value, (1, 2), &Device::Cpu)?);
///         weights.insert(key("B"), Tensor::full(1f32, (2, 1), &Device::Cpu)?);
///     }
///     let methods: Vec<Box<dyn PeftConfig>> = vec![Box::new(config)];
///     adapters.load_adapter(name, &AdapterCheckpoint { methods, weights }, &Device::Cpu)?;
/// }
///
/// let options = Combination::new(CombinationType::Cat);
/// add_weighted_adapter(&mut adapters, "both", &[("home", 0.5), ("media", -1.)], &options)?;
/// let (q, w) = (sites.find("layers.0.q").ok_or("no such site")?, Tensor::zeros((2, 2), DType::F32, &Device::Cpu)?);
/// let delta = adapters.get("both")?.merge(q, &w)?.weight().ok_or("LoRA merges")?;
/// assert_eq!(delta.to_vec2::<f32>()?, [[-4.5; 2]; 2]); // 3 (0.5 · 1 - 1 · 2)
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Error::Mismatch`] if `name` is taken, an adapter is unknown or is no plain LoRA, or ranks differ where they must not;
/// [`Error::InvalidConfig`] if an option is missing or out of range.
pub fn add_weighted_adapter(
    into: &mut Adapters,
    name: &str,
    parts: &[(&str, f64)],
    options: &Combination,
) -> Result<()> {
    if into.names().any(|known| known == name) {
        return Err(Error::Mismatch(format!("adapter {name:?}: there is one of that name already")));
    }
    let combined = combine(into, parts, options)?;
    let device = combined.weights.values().next().map_or(candle_core::Device::Cpu, |weight| weight.device().clone());
    into.load_adapter(name, &combined, &device)
}

/// The same combination as a value of its own: what [`add_weighted_adapter`] adds.
///
/// # Errors
/// As [`add_weighted_adapter`].
pub fn combine(from: &Adapters, parts: &[(&str, f64)], options: &Combination) -> Result<AdapterCheckpoint> {
    if parts.is_empty() {
        return Err(Error::Mismatch("add_weighted_adapter: no adapters were given; at least one is needed".into()));
    }
    let kind = if parts.len() == 1 { CombinationType::Linear } else { options.combination_type };
    let arithmetic = options.arithmetic(kind)?;
    let sources = parts.iter().map(|(name, factor)| Source::new(from, name, *factor));
    let sources = sources.collect::<Result<Vec<_>>>()?;

    let most = |at: &[At<'_>]| at.iter().map(At::rank).max().unwrap_or(1);
    let places: Vec<(&str, Vec<At<'_>>)> = source::by_site(from.sites(), &sources);
    let svd_rank = match options.svd_rank {
        Some(rank) => rank.get(),
        None => places.iter().map(|(_, at)| most(at)).max().unwrap_or(1),
    };
    let mut factors = Vec::with_capacity(places.len());
    for (path, at) in &places {
        let combined = match (kind, &arithmetic) {
            (CombinationType::Cat, _) => concatenated(at)?,
            (CombinationType::Svd, _) => svd::of_product(&concatenated(at)?, svd_rank)?,
            (_, Some(arithmetic)) if kind.is_svd() => svd::of_changes(path, at, arithmetic, svd_rank)?,
            (_, arithmetic) => elementwise(path, at, arithmetic.as_ref().unwrap_or(&Arithmetic::Sum))?,
        };
        factors.push((*path, combined));
    }
    as_adapter(&factors)
}

/// `A` and `B` stacked, so that `B A` is the weighted sum of all changes.
fn concatenated(at: &[At<'_>]) -> Result<Factors> {
    let a = at.iter().map(|x| Ok((&x.lora.a * (x.weight * x.lora.scaling))?)).collect::<Result<Vec<_>>>()?;
    let b: Vec<&Tensor> = at.iter().map(|x| &x.lora.b).collect();
    Ok(Factors { a: Tensor::cat(&a, 0)?, b: Tensor::cat(&b, 1)? })
}

/// `A` and `B` separately, each with the root of the factor. Only `A` gets the sign, so that it counts once.
fn elementwise(path: &str, at: &[At<'_>], arithmetic: &Arithmetic) -> Result<Factors> {
    if let Some(other) = at.iter().find(|x| Some(x.rank()) != at.first().map(At::rank)) {
        let ranks: Vec<String> = at.iter().map(|x| format!("{} of {:?}", x.rank(), x.name)).collect();
        return Err(Error::Mismatch(format!(
            "{path}: this combination_type needs adapters of one rank r, found {}; use \"cat\" or \"svd\" ({:?} differs)",
            ranks.join(", "),
            other.name
        )));
    }
    let root = |x: &At<'_>| (x.weight * x.lora.scaling).abs().sqrt();
    let sign = |x: &At<'_>| if x.weight * x.lora.scaling >= 0. { 1. } else { -1. };
    let combine = |part: &str, tensor: fn(&source::Lora) -> &Tensor, factor: &dyn Fn(&At<'_>) -> f64| {
        let terms: Vec<_> = at.iter().map(|x| x.term(path, part, tensor(&x.lora), factor(x))).collect();
        arithmetic.combine(&terms)
    };
    Ok(Factors {
        a: combine("lora_A", |lora| &lora.a, &|x| root(x) * sign(x))?,
        b: combine("lora_B", |lora| &lora.b, &root)?,
    })
}

/// The factors at all sites as one adapter of the largest rank. Smaller ones are padded with zeros.
fn as_adapter(factors: &[(&str, Factors)]) -> Result<AdapterCheckpoint> {
    let rank = factors.iter().map(|(_, f)| f.rank()).max().and_then(NonZeroUsize::new);
    let rank = rank.ok_or_else(|| Error::Mismatch("add_weighted_adapter: the adapters act at no site".into()))?;
    let mut weights = BTreeMap::new();
    for (path, Factors { a, b }) in factors {
        let missing = |have: usize| rank.get() - have;
        let (a, b) = (a.pad_with_zeros(0, 0, missing(a.dim(0)?))?, b.pad_with_zeros(1, 0, missing(b.dim(1)?))?);
        weights.insert(format!("{PEFT_PREFIX}.{path}.{}", source::A), a);
        weights.insert(format!("{PEFT_PREFIX}.{path}.{}", source::B), b);
    }
    let targets = TargetModules::suffixes(factors.iter().map(|(path, _)| *path));
    let config = LoraConfig::new(rank.get()).alpha(rank.get() as f64).target_modules(targets);
    Ok(AdapterCheckpoint { methods: vec![Box::new(config)], weights })
}
