//! AdamW for code that is generic over candle's optimizers.

use candle_core::backprop::GradStore;
use candle_core::{Error, Result, Var, bail};
use candle_nn::Optimizer;

use super::config::AdamWConfig;
use super::optimizer::AdamW;

/// Variables are named by their numbers: `0`, `1`, and so on. LoRA+ needs real names, so that
/// [`loraplus_lr_ratio`](AdamWConfig::loraplus_lr_ratio) is an error here. Steps use the rate of [`AdamWConfig::learning_rate`] until
/// [`set_learning_rate`](Optimizer::set_learning_rate) changes it.
///
/// ```
/// # use candle_core::{Device, Var};
/// use candle_nn::Optimizer;
/// use hyperloader::optim::{AdamW, AdamWConfig};
///
/// fn descend<O: Optimizer>(weight: &Var, config: O::Config) -> candle_core::Result<()> {
///     let mut optimizer = O::new(vec![weight.clone()], config)?;
///     optimizer.backward_step(&weight.sqr()?.sum_all()?)
/// }
///
/// let weight = Var::new(&[1f32], &Device::Cpu)?;
/// descend::<AdamW>(&weight, AdamWConfig::new().learning_rate(0.1))?;
/// assert!((weight.to_vec1::<f32>()?[0] - 0.9).abs() < 1e-6);
/// # Ok::<(), candle_core::Error>(())
/// ```
impl Optimizer for AdamW {
    type Config = AdamWConfig;

    fn new(vars: Vec<Var>, config: AdamWConfig) -> Result<Self> {
        if config.loraplus_lr_ratio.is_some() {
            bail!(
                "AdamW: loraplus_lr_ratio needs the names of the variables; call AdamW::new with pairs of name and variable"
            );
        }
        let named = vars.into_iter().enumerate().map(|(number, var)| (number.to_string(), var));
        Self::new(named.collect(), config).map_err(Error::wrap)
    }

    fn step(&mut self, grads: &GradStore) -> Result<()> {
        self.apply_gradients(&self.gradients(grads), self.config.learning_rate).map_err(Error::wrap)
    }

    fn learning_rate(&self) -> f64 {
        self.config.learning_rate
    }

    fn set_learning_rate(&mut self, lr: f64) {
        self.config.learning_rate = lr;
    }
}
