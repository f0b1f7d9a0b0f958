//! The optimizer: which variables, and one step over all of them.

use std::collections::{BTreeSet, HashMap};

use candle_core::backprop::GradStore;
use candle_core::{DType, Tensor, Var};
use peft_core::goes_device_way;
use peft_kernels::Kernels;

use super::config::{AdamWConfig, Unreached};
use super::group::Group;
use super::moments::{Averages, Moments};
use super::update::Coefficients;
use crate::optim::Gradients;
use crate::{Error, Result};

/// AdamW (Loshchilov and Hutter, <https://arxiv.org/abs/1711.05101>) over named f32 variables, in the flavors of
/// [`AdamWFlavor`](super::AdamWFlavor).
///
/// Updates happen in place, in the order in which the variables were given. The result is bitwise the same for any
/// number of threads, and [`Self::state`] followed by [`Self::load_state`] continues bitwise.
///
/// On a GPU the state stays there, and variables that have had equally many updates are updated together: a step is a dozen operations on
/// one long vector, and three copies for each variable. The variables must then be on one device.
///
/// [`Self::backward_step`] is the short way from a loss to an update; [`Self::apply_gradients`] takes gradients that were
/// accumulated or clipped. Both take the learning rate of the step. The trait [`candle_nn::Optimizer`] works too: its
/// methods use the rate that [`AdamWConfig::learning_rate`] or
/// [`set_learning_rate`](candle_nn::Optimizer::set_learning_rate) gives. Where the trait is in scope, write
/// `Optimizer::backward_step(&mut optimizer, &loss)` for its one-argument form.
///
/// ```
/// # use hyperloader::optim::{AdamW, AdamWConfig};
/// # use candle_core::{Device, Var};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let weight = Var::new(&[1f32], &Device::Cpu)?;
/// let mut optimizer = AdamW::new(vec![("weight".to_owned(), weight.clone())], AdamWConfig::default())?;
/// let loss = (weight.as_tensor() * 2.0)?.sum_all()?;
/// optimizer.backward_step(&loss, 0.1)?;
/// // The first step of Adam is the learning rate against the sign of the gradient.
/// assert!((weight.to_vec1::<f32>()?[0] - 0.9).abs() < 1e-6);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct AdamW {
    pub(super) config: AdamWConfig,
    pub(super) parameters: Vec<Parameter>,
    /// Whether variables are updated together, by candle's operations.
    pub(super) grouped: bool,
    /// The groups of the last step.
    pub(super) groups: Vec<Group>,
}

/// One variable and its state.
#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) variable: Var,
    pub(super) lr_scale: f64,
    /// `None` until the first gradient.
    pub(super) moments: Option<Moments>,
}

impl AdamW {
    /// An optimizer of `variables`, without any state yet.
    ///
    /// # Errors
    /// [`Error::Config`] if a hyperparameter is out of range; [`Error::Training`] if two entries share a name or a
    /// variable, or if a variable is not f32 (keep it in f32 and cast where it is used: small updates vanish in
    /// half precision).
    pub fn new(variables: Vec<(String, Var)>, config: AdamWConfig) -> Result<Self> {
        config.validate()?;
        let mut names = BTreeSet::new();
        let mut owners = HashMap::new();
        for (name, variable) in &variables {
            if !names.insert(name) {
                return Err(Error::Training(format!("optimizer: two variables are named {name}")));
            }
            if let Some(other) = owners.insert(variable.id(), name) {
                return Err(Error::Training(format!("optimizer: {other} and {name} are one variable; give it once")));
            }
            if variable.dtype() != DType::F32 {
                return Err(Error::Training(format!(
                    "optimizer: {name} is {:?}; trainable variables must be F32 (cast them where they are used)",
                    variable.dtype()
                )));
            }
        }
        let parameter = |(name, variable)| Parameter { name, variable, lr_scale: 1.0, moments: None };
        let grouped = variables.iter().any(|(_, variable)| goes_device_way(variable.device(), Kernels::default()));
        let parameters = variables.into_iter().map(parameter).collect();
        let mut optimizer = Self { config, parameters, grouped, groups: Vec::new() };
        if let Some(ratio) = config.loraplus_lr_ratio {
            optimizer.set_lr_scale(ratio, |name| name.split('.').any(|part| part == "lora_B"));
        }
        Ok(optimizer)
    }

    /// The same optimizer, before its first step, whose update runs as `kernels` ask for: on the CPU, those of a GPU make it update
    /// variables together, as a GPU does.
    #[must_use]
    pub fn with_kernels(mut self, kernels: Kernels) -> Self {
        self.grouped |= goes_device_way(&candle_core::Device::Cpu, kernels);
        self
    }

    /// The hyperparameters.
    #[must_use]
    pub fn config(&self) -> &AdamWConfig {
        &self.config
    }

    /// From now on multiplies the learning rate of every variable whose name `matches` by `factor`, instead of 1 or an
    /// earlier factor. Returns the number of these variables. LoRA+ ([`AdamWConfig::loraplus_lr_ratio`]) is such a factor
    /// for the `lora_B` matrices.
    pub fn set_lr_scale(&mut self, factor: f64, matches: impl Fn(&str) -> bool) -> usize {
        let group = self.parameters.iter_mut().filter(|parameter| matches(&parameter.name));
        group.map(|parameter| parameter.lr_scale = factor).count()
    }

    /// The gradients of `loss` with respect to all variables, and one update with them and learning rate `lr`.
    ///
    /// # Errors
    /// As [`Self::apply_gradients`].
    pub fn backward_step(&mut self, loss: &Tensor, lr: f64) -> Result<()> {
        self.apply_gradients(&self.gradients(&loss.backward()?), lr)
    }

    /// One update with learning rate `lr`. [`AdamWConfig::unreached`] says what happens to a variable without a gradient;
    /// a variable that never had a gradient is never changed.
    ///
    /// # Errors
    /// [`Error::Training`], before anything is changed, if a gradient belongs to no variable or has another shape or
    /// type than its variable; tensor errors.
    pub fn apply_gradients(&mut self, gradients: &Gradients, lr: f64) -> Result<()> {
        self.check(gradients)?;
        if self.grouped {
            return self.apply_together(gradients, lr);
        }
        for parameter in &mut self.parameters {
            let gradient = match (gradients.get(&parameter.name), self.config.unreached) {
                (Some(gradient), _) => gradient.clone(),
                (None, Unreached::Dense) if parameter.moments.is_some() => parameter.variable.zeros_like()?,
                (None, _) => continue,
            };
            parameter.update(&self.config, lr, &gradient)?;
        }
        Ok(())
    }

    /// The gradients of this optimizer's variables.
    pub(super) fn gradients(&self, store: &GradStore) -> Gradients {
        let found = self.parameters.iter().filter_map(|parameter| {
            let gradient = store.get(parameter.variable.as_tensor())?;
            Some((parameter.name.clone(), gradient.detach()))
        });
        found.collect()
    }

    /// Checks that every gradient fits a variable of this optimizer.
    fn check(&self, gradients: &Gradients) -> Result<()> {
        let variables: HashMap<&str, &Var> =
            self.parameters.iter().map(|parameter| (parameter.name.as_str(), &parameter.variable)).collect();
        for (name, gradient) in gradients.iter() {
            let Some(variable) = variables.get(name) else {
                return Err(Error::Training(format!(
                    "optimizer: there is a gradient for {name}, which is not one of its {} variables",
                    variables.len()
                )));
            };
            if gradient.shape() != variable.shape() || gradient.dtype() != variable.dtype() {
                return Err(Error::Training(format!(
                    "optimizer: the gradient of {name} is {:?} {:?}, the variable {:?} {:?}",
                    gradient.dtype(),
                    gradient.dims(),
                    variable.dtype(),
                    variable.dims()
                )));
            }
        }
        Ok(())
    }
}

impl Parameter {
    fn update(&mut self, config: &AdamWConfig, lr: f64, gradient: &Tensor) -> Result<()> {
        let moments = self.moments.get_or_insert_with(|| Moments::zeros(&self.variable));
        let Averages::Host { first, second } = &mut moments.averages else {
            return Err(Error::Internal(format!("optimizer: the averages of {} are on a device", self.name)));
        };
        moments.steps += 1;
        let coefficients = Coefficients::new(config, lr * self.lr_scale, moments.steps);
        coefficients.apply(&self.variable, [first, second], gradient)
    }
}
