//! Which weights a method needs at a site, and how they begin.

use std::borrow::Cow;

use candle_nn::Init;
use candle_nn::init::{FanInOut, NonLinearity, NormalOrUniform};

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

/// How a generator's output layer for one kind of weight begins.
///
/// A generator computes `w = H c (+ b)` from a conditioning vector `c`; this says how `H` and `b` start.
#[derive(Debug, Clone, Copy)]
pub struct HeadInit {
    /// The initial value of `H`, of shape `[elements of the weight, width of c]`.
    pub weight: Init,
    /// The initial value of `b`; `None`: the head has no bias.
    pub bias: Option<Init>,
}

impl HeadInit {
    /// The head that begins where the static weight would: a constant is generated exactly (`H` zero, `b` the
    /// constant), a random weight with small noise around it, so that promises about initialization carry over.
    pub fn from_static(init: Init) -> Self {
        let weight = match init {
            Init::Const(_) => candle_nn::init::ZERO,
            _ => normal(0.01),
        };
        Self { weight, bias: Some(init) }
    }
}

/// Whose weight it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The site's own; its name is relative to the site's path.
    Site,
    /// One for all sites that ask for it, by its whole name. They must ask for the same shape.
    Model,
}

/// One weight that a method needs at one site.
#[derive(Debug, Clone)]
pub struct ParamSpec {
    /// Its name, for example `lora_A.weight`.
    pub name: Cow<'static, str>,
    /// Its shape.
    pub dims: Vec<usize>,
    /// Its initial value where it is a variable of its own.
    pub init: Init,
    /// How a generator's head for it begins.
    pub head: HeadInit,
    /// Whether it belongs to the site, or to all sites that name it.
    pub scope: Scope,
}

impl ParamSpec {
    /// A weight whose generated form begins where the static one does ([`HeadInit::from_static`]).
    pub fn new(name: impl Into<Cow<'static, str>>, dims: impl Into<Vec<usize>>, init: Init) -> Self {
        Self { name: name.into(), dims: dims.into(), init, head: HeadInit::from_static(init), scope: Scope::Site }
    }

    /// The same weight with another initial head.
    pub fn with_head(mut self, weight: Init, bias: Option<Init>) -> Self {
        self.head = HeadInit { weight, bias };
        self
    }

    /// The same weight, one for all sites that name it ([`Scope::Model`]).
    pub fn shared(mut self) -> Self {
        self.scope = Scope::Model;
        self
    }

    /// The number of elements.
    pub fn num_parameters(&self) -> usize {
        self.dims.iter().product()
    }
}
