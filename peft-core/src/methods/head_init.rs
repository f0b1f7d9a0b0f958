//! The initial values of a generator's output layer.

use candle_nn::Init;

use super::params::{ParamSpec, normal};
use crate::weights::moments;
use crate::{Error, Result};

/// The initial values of a generator's output layer for one kind of weight.
///
/// A generator computes `w = H c (+ b)` from a conditioning vector `c`. This struct has the initial values of `H` and `b`.
#[derive(Debug, Clone, Copy)]
pub struct HeadInit {
    /// The initial value of `H`, of shape `[elements of the weight, width of c]`.
    pub weight: Init,
    /// The initial value of `b`; `None`: the head has no bias.
    pub bias: Option<Init>,
}

impl HeadInit {
    /// A head whose first outputs look like the static weight's initial value `init`. A constant is generated exactly (`H` is
    /// zero, `b` is the constant), a random weight with a little noise added. What a method promises about its initial
    /// output therefore also holds with generated weights.
    pub fn from_static(init: Init) -> Self {
        let weight = match init {
            Init::Const(_) => candle_nn::init::ZERO,
            _ => normal(0.01),
        };
        Self { weight, bias: Some(init) }
    }

    /// A head of `spec` whose first outputs have the mean `μ` and the standard deviation `σ` of the static weight's initial value,
    /// for conditioning vectors with `Σ c² = energy`.
    ///
    /// The elements of `H` are independent, so each output has the variance `Var(H) · Σ c²` for any such `c`. Therefore `H` is
    /// normal with deviation `σ / √energy`, and `b` is `μ`. It is hyperfan-in (Chang, Flokas and Lipson 2020, *Principled Weight
    /// Initialization for Hypernetworks*, section 4) with the static weight's own variance in place of that of a fan-in rule. The
    /// head has a bias if [`spec.head`](ParamSpec::head) has one, so the number of parameters is the same.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if `μ` is not zero and the head has no bias that could hold it.
    pub fn matching(spec: &ParamSpec, energy: f64) -> Result<Self> {
        let (mean, std) = moments(spec.init, &spec.dims);
        if spec.head.bias.is_none() && mean != 0. {
            return Err(Error::Mismatch(format!(
                "a generated {} cannot start at the mean {mean} of the static one: the method gives its head no bias",
                spec.name
            )));
        }
        let weight = if std == 0. { candle_nn::init::ZERO } else { normal(std / energy.sqrt()) };
        Ok(Self { weight, bias: spec.head.bias.map(|_| Init::Const(mean)) })
    }
}
