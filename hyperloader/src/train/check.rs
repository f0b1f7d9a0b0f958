//! The gradient check before the first step.

use std::collections::BTreeSet;

use candle_core::Tensor;
use peft_core::ParamStore;

use crate::{Error, Result};

/// Shows that every variable of `store` receives a gradient from one of `losses`, and that no tensor of `frozen` does.
///
/// An operation without a backward pass cuts gradients silently, and part of the model would then not train. A gradient may
/// be zero (that of LoRA's A is, as long as B is zero), but it must exist.
///
/// # Errors
/// [`Error::Training`] naming the variables without a gradient, or the first frozen tensor with one.
pub fn check_gradients(store: &ParamStore, losses: &[Tensor], frozen: &[(String, Tensor)]) -> Result<()> {
    let vars = store.vars();
    let mut missing: BTreeSet<&str> = vars.iter().map(|(name, _)| name.as_str()).collect();
    for loss in losses {
        let gradients = loss.backward()?;
        missing.retain(|name| {
            let var = vars.iter().find(|(n, _)| n == name);
            var.is_some_and(|(_, var)| gradients.get(var.as_tensor()).is_none())
        });
        if let Some((name, _)) = frozen.iter().find(|(_, t)| t.track_op() || gradients.get(t).is_some()) {
            return Err(Error::Training(format!(
                "gradient check before step 1: {name} is frozen, yet receives a gradient"
            )));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().take(8).copied().collect();
    Err(Error::Training(format!(
        "gradient check before step 1: {} of {} trainable variables receive no gradient: {}{}",
        missing.len(),
        vars.len(),
        names.join(", "),
        if missing.len() > names.len() { ", …" } else { "" }
    )))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use candle_core::Device;
    use candle_nn::init::ONE;

    fn store() -> (ParamStore, Tensor, Tensor) {
        let store = ParamStore::new(0, &Device::Cpu);
        let a = store.var_builder().get_with_hints(2, "a", ONE).unwrap();
        let b = store.var_builder().get_with_hints(2, "b", ONE).unwrap();
        (store, a, b)
    }

    #[test]
    fn several_losses_may_reach_the_variables_together() {
        let (store, a, b) = store();
        let losses = [a.sum_all().unwrap(), b.sqr().unwrap().sum_all().unwrap()];
        assert!(check_gradients(&store, &losses, &[]).is_ok());
    }

    #[test]
    fn a_variable_cut_off_is_named() {
        let (store, a, b) = store();
        let loss = (a + b.detach()).unwrap().sum_all().unwrap();
        let message = check_gradients(&store, &[loss], &[]).unwrap_err().to_string();
        assert_eq!(message, "gradient check before step 1: 1 of 2 trainable variables receive no gradient: b");
    }

    #[test]
    fn a_frozen_tensor_in_the_graph_is_named() {
        let (store, a, b) = store();
        let loss = (&a * &b).unwrap().sum_all().unwrap();
        let message = check_gradients(&store, &[loss], &[("w".into(), b)]).unwrap_err().to_string();
        assert_eq!(message, "gradient check before step 1: w is frozen, yet receives a gradient");
    }
}
