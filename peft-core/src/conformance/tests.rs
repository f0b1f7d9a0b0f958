//! A good method passes the checks. Each flaw of a bad one is found.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::{Outcome, Report, Toy, check};
use crate::toy::Scale;
use crate::{
    Ctx, ParamSpec, PeftConfig, PeftModule, Result, Site, SiteCall, SiteKind, StaticConfig, TargetModules, normal, rows,
};
use peft_kernels as ops;

fn report(method: &dyn PeftConfig) -> Report {
    let generator = StaticConfig::new().per_task(true);
    check(method, &generator, &Toy::new(3).unwrap()).unwrap()
}

#[test]
fn a_good_method_passes() {
    for targets in
        [TargetModules::AllLinear, TargetModules::suffixes(["embed_tokens", "k", "layer_norm", "SelfAttention"])]
    {
        let report = report(&Scale { target_modules: targets });
        assert_eq!(report.clone().into_result().map_err(|e| e.to_string()), Ok(()), "{report}");
    }
}

/// What is wrong with a method that adds `s · x Wₐᵀ` to linear maps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Flaw {
    None,
    WrongDelta,
    NoBatchAxis,
    DropoutAlways,
    UnusedWeight,
    NoIdentity,
    RowsSeeEachOther,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Flawed {
    flaw: Flaw,
    target_modules: TargetModules,
}

#[derive(Debug)]
struct FlawedModule {
    flaw: Flaw,
    dims: [usize; 2],
}

#[typetag::serde(name = "TEST_FLAWED")]
impl PeftConfig for Flawed {
    fn module(&self, site: &Site) -> Result<Option<Box<dyn PeftModule>>> {
        let SiteKind::Linear { d_in, d_out } = site.kind else { return Ok(None) };
        let module = FlawedModule { flaw: self.flaw, dims: [d_out, d_in] };
        Ok(self.target_modules.matches(site).then(|| Box::new(module) as Box<dyn PeftModule>))
    }

    fn identity_at_init(&self) -> bool {
        true
    }

    fn target_modules(&self) -> Option<&TargetModules> {
        Some(&self.target_modules)
    }
}

impl PeftModule for FlawedModule {
    fn params(&self) -> Vec<ParamSpec> {
        let init = if self.flaw == Flaw::NoIdentity { normal(0.5) } else { candle_nn::init::ZERO };
        vec![ParamSpec::new("a", self.dims, init), ParamSpec::new("b", [self.dims[0]], candle_nn::init::ZERO)]
    }

    fn apply(&self, call: &SiteCall<'_>, ctx: &mut Ctx) -> Result<Tensor> {
        let [a, b] = call.take()?;
        let first = |t: &Tensor, rank| if t.rank() > rank { t.get(0) } else { Ok(t.clone()) };
        let (a, b) = match self.flaw {
            Flaw::NoBatchAxis => (first(a, 2)?, first(b, 1)?),
            _ => (a.clone(), b.clone()),
        };
        let x = match self.flaw {
            Flaw::DropoutAlways => Ctx::train(std::process::id().into(), next()).dropout(call.input, 0.5)?,
            Flaw::RowsSeeEachOther => call.input.broadcast_add(&call.input.mean_keepdim(0)?)?,
            _ => call.input.clone(),
        };
        let y = (call.output + ops::linear(&x, &a, ctx.kernels())?)?;
        Ok(if self.flaw == Flaw::UnusedWeight { y } else { y.broadcast_add(&rows::vector(&b)?)? })
    }

    fn delta(&self, weights: &[Tensor], _: &Tensor) -> Result<Option<Tensor>> {
        // A weight cannot hold the bias, so only a wrong method claims to have a ΔW.
        Ok((self.flaw == Flaw::WrongDelta).then(|| weights[0].clone()))
    }
}

fn next() -> u64 {
    static CALLS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    CALLS.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

fn failures(flaw: Flaw) -> Vec<&'static str> {
    let report = report(&Flawed { flaw, target_modules: TargetModules::suffixes(["q", "v", "wo"]) });
    let failed = report.outcomes.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Failed(_)));
    failed.map(|(name, _)| *name).collect()
}

#[test]
fn each_flaw_fails_its_check() {
    assert_eq!(failures(Flaw::None), [""; 0]);
    assert_eq!(failures(Flaw::WrongDelta), ["merged = unmerged"]);
    assert_eq!(failures(Flaw::NoBatchAxis), ["gradients on its weights", "mixed = separate batches"]);
    assert!(failures(Flaw::DropoutAlways).contains(&"dropout in training alone"));
    assert_eq!(failures(Flaw::UnusedWeight), ["gradients on its weights"]);
    assert_eq!(failures(Flaw::NoIdentity), ["identity at initialization"]);
    assert_eq!(failures(Flaw::RowsSeeEachOther), ["mixed = separate batches", "every row counts alone"]);
}
