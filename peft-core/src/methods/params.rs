//! The weights that a method needs at a site, and their initial values.

use std::borrow::Cow;

use candle_nn::Init;
use candle_nn::init::{FanInOut, NonLinearity, NormalOrUniform};

use super::head_init::HeadInit;

/// `kaiming_uniform(a = √5)`: uniform in ±1/√fan_in, the initial value of PyTorch's `Linear` and of LoRA's A.
pub const KAIMING_UNIFORM: Init = Init::Kaiming {
    dist: NormalOrUniform::Uniform,
    fan: FanInOut::FanIn,
    // gain · √(3 / fan_in) = 1 / √fan_in
    non_linearity: NonLinearity::ExplicitGain(0.577_350_269_189_625_8),
};

/// Normal with mean 0 and standard deviation `stdev`.
pub const fn normal(stdev: f64) -> Init {
    Init::Randn { mean: 0., stdev }
}

/// Whether sites share a weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Each site has its own. The name is relative to the site's path.
    Site,
    /// All sites that ask for this name share one weight. They must ask for the same shape.
    Model,
}

/// One weight that a method needs at one site.
#[derive(Debug, Clone)]
pub struct ParamSpec {
    /// Its name, for example `lora_A.weight`.
    pub name: Cow<'static, str>,
    /// Its shape.
    pub dims: Vec<usize>,
    /// Its initial value as a plain variable.
    pub init: Init,
    /// The initial value of a generator's head for it.
    pub head: HeadInit,
    /// Whether sites share it.
    pub scope: Scope,
}

impl ParamSpec {
    /// A weight of one site. Generated, it starts where the static one does ([`HeadInit::from_static`]).
    pub fn new(name: impl Into<Cow<'static, str>>, dims: impl Into<Vec<usize>>, init: Init) -> Self {
        Self { name: name.into(), dims: dims.into(), init, head: HeadInit::from_static(init), scope: Scope::Site }
    }

    /// Sets the initial value of a generator's head.
    pub fn with_head(mut self, weight: Init, bias: Option<Init>) -> Self {
        self.head = HeadInit { weight, bias };
        self
    }

    /// Lets all sites that name it share the weight ([`Scope::Model`]).
    pub fn shared(mut self) -> Self {
        self.scope = Scope::Model;
        self
    }

    /// The number of elements.
    pub fn num_parameters(&self) -> usize {
        self.dims.iter().product()
    }
}
