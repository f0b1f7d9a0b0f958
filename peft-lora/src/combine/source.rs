//! `A`, `B` and the scale of each adapter at each site.

use candle_core::{DType, Tensor};
use peft_core::{Adapters, Error, Result, Sites, TargetedModule};

use super::arithmetic::Term;

/// The names of the weights of a plain LoRA.
pub(super) const A: &str = "lora_A.weight";
pub(super) const B: &str = "lora_B.weight";

/// Two factors of a change `B A`: `A: [r, d_in]`, `B: [d_out, r]`.
#[derive(Debug)]
pub(super) struct Factors {
    pub(super) a: Tensor,
    pub(super) b: Tensor,
}

impl Factors {
    pub(super) fn rank(&self) -> usize {
        self.a.dims().first().copied().unwrap_or(0)
    }
}

/// A LoRA at one site: `ΔW = scaling · B A`.
#[derive(Debug, Clone)]
pub(super) struct Lora {
    pub(super) a: Tensor,
    pub(super) b: Tensor,
    pub(super) scaling: f64,
}

/// One adapter of the combination.
#[derive(Debug)]
pub(super) struct Source<'a> {
    name: &'a str,
    weight: f64,
    /// By the path of the site.
    at: Vec<(&'a str, Lora)>,
}

impl<'a> Source<'a> {
    pub(super) fn new(adapters: &'a Adapters, name: &'a str, weight: f64) -> Result<Self> {
        let (plan, weights) = adapters.parts(name)?;
        let lora = |(target, weights): (&'a TargetedModule, &[Tensor])| {
            Ok((target.site.path.as_str(), lora(name, target, weights)?))
        };
        let at = plan.targets().iter().zip(weights.iter()).map(lora).collect::<Result<_>>()?;
        Ok(Self { name, weight, at })
    }
}

/// An adapter at one of its sites.
#[derive(Debug)]
pub(super) struct At<'a> {
    pub(super) name: &'a str,
    pub(super) weight: f64,
    pub(super) lora: Lora,
}

impl At<'_> {
    pub(super) fn rank(&self) -> usize {
        self.lora.a.dims().first().copied().unwrap_or(0)
    }

    /// `tensor`, which is the part `part` of this adapter at `path`, with a factor.
    pub(super) fn term<'t>(&self, path: &str, part: &str, tensor: &'t Tensor, factor: f64) -> Term<'t> {
        Term { tensor, factor, name: format!("{}.{path}.{part}", self.name) }
    }
}

/// For each site where one of `sources` acts: its path, and the adapters that act there.
pub(super) fn by_site<'a>(sites: &'a Sites, sources: &[Source<'a>]) -> Vec<(&'a str, Vec<At<'a>>)> {
    let here = |path: &str| -> Vec<At<'a>> {
        let one = |source: &Source<'a>| {
            let (_, lora) = source.at.iter().find(|(at, _)| *at == path)?;
            Some(At { name: source.name, weight: source.weight, lora: lora.clone() })
        };
        sources.iter().filter_map(one).collect()
    };
    let all = sites.iter().map(|site| (site.path.as_str(), here(&site.path)));
    all.filter(|(_, at)| !at.is_empty()).collect()
}

/// The LoRA of one target, in f32 and detached from the gradient graph.
fn lora(name: &str, target: &TargetedModule, weights: &[Tensor]) -> Result<Lora> {
    let names: Vec<&str> = target.params.iter().map(|param| param.name.as_ref()).collect();
    let refuse = |reason: String| {
        let (method, path) = (target.peft_type, &target.site.path);
        Error::Mismatch(format!("adapter {name:?}: {method} at {path} {reason}"))
    };
    let ([A, B], [a, b]) = (names.as_slice(), weights) else {
        let names = names.join(", ");
        return Err(refuse(format!("has the weights {names}; only plain LoRA ({A}, {B}) can be combined")));
    };
    if a.rank() != 2 || b.rank() != 2 {
        return Err(refuse("has weights that differ by row of a batch; generate them for one task".to_owned()));
    }
    let scaling =
        scaling(target, a, b)?.ok_or_else(|| refuse("has no weight delta, so it cannot be combined".to_owned()))?;
    let plain = |weight: &Tensor| Ok::<_, Error>(weight.detach().to_dtype(DType::F32)?);
    Ok(Lora { a: plain(a)?, b: plain(b)?, scaling })
}

/// `s` of `ΔW = s B A`. The method itself is asked, so that rules such as rsLoRA's are not repeated here: `s` is the first
/// element of `ΔW` if the first elements of `A` and `B` are one and all others are zero.
fn scaling(target: &TargetedModule, a: &Tensor, b: &Tensor) -> Result<Option<f64>> {
    let unit = |like: &Tensor| -> Result<Tensor> {
        let mut values = vec![0f32; like.elem_count()];
        values.iter_mut().take(1).for_each(|first| *first = 1.);
        Ok(Tensor::from_vec(values, like.shape(), like.device())?)
    };
    let base = Tensor::zeros((b.dim(0)?, a.dim(1)?), DType::F32, a.device())?;
    let delta = target.module.delta(&[unit(a)?, unit(b)?], &base)?;
    delta.map(|delta| Ok(f64::from(delta.flatten_all()?.get(0)?.to_dtype(DType::F32)?.to_scalar::<f32>()?))).transpose()
}
