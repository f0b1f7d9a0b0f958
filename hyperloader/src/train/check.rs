//! The gradient checks before the first step: gradients exist where they should and nowhere else, and they are right.

use std::collections::BTreeSet;

use candle_core::Tensor;
use peft_core::ParamStore;
use peft_core::gradients::{GradientCheck, GradientReport};

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

/// Shows that the gradients of the variables of `store` are the derivatives of the sum of the losses that `losses` computes, by finite
/// differences ([`GradientCheck::quick`]).
///
/// That gradients exist ([`check_gradients`]) does not show this: where a residual connection leads around an operation without a
/// backward pass, they exist and are wrong.
///
/// # Errors
/// [`peft_core::Error::Gradients`] naming variables and operations; as `losses`.
pub fn compare_gradients(
    store: &ParamStore,
    mut losses: impl FnMut() -> Result<Vec<Tensor>>,
) -> Result<GradientReport> {
    let mut sum = || -> Result<Tensor, Wrapped> {
        let sum = losses()?.into_iter().map(Ok).reduce(|sum, loss| sum? + loss?);
        let none = || Error::Internal("the objective has no loss to check gradients with".into());
        Ok(sum.transpose().map_err(Error::Candle)?.ok_or_else(none)?)
    };
    Ok(GradientCheck::quick().run(&store.vars(), &mut sum)?.into_result()?)
}

/// An error of a loss on its way through `peft-core`.
struct Wrapped(Error);

impl From<Error> for Wrapped {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<Wrapped> for peft_core::Error {
    fn from(Wrapped(error): Wrapped) -> Self {
        match error {
            Error::Peft(error) => error,
            Error::Candle(error) => Self::Candle(error),
            other => Self::Candle(candle_core::Error::wrap(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use candle_core::Device;
    use candle_nn::init::ONE;
    use peft_core::gradients::Verdict;

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
    fn a_gradient_that_arrives_but_is_wrong_is_named() {
        let (store, a, b) = store();
        let right = compare_gradients(&store, || Ok(vec![a.sqr()?.sum_all()?, b.sqr()?.sum_all()?])).unwrap();
        assert_eq!(right.count(Verdict::Right), 2);
        let cut = || Ok(vec![a.sqr()?.sum_all()?, (&b * b.detach())?.sum_all()?]);
        assert!(check_gradients(&store, &cut().unwrap(), &[]).is_ok(), "every variable has a gradient");
        let message = compare_gradients(&store, cut).unwrap_err().to_string();
        assert!(message.starts_with("gradient check: gradients of 2 variables: 1 right"), "{message}");
        assert!(message.contains("\nwrong: b (expected"), "{message}");
    }

    #[test]
    fn an_error_of_the_loss_keeps_its_message() {
        let (store, ..) = store();
        let error = compare_gradients(&store, || Err(Error::Training("no sentence".into()))).unwrap_err();
        assert!(error.to_string().contains("no sentence"), "{error}");
    }

    #[test]
    fn a_frozen_tensor_in_the_graph_is_named() {
        let (store, a, b) = store();
        let loss = (&a * &b).unwrap().sum_all().unwrap();
        let message = check_gradients(&store, &[loss], &[("w".into(), b)]).unwrap_err().to_string();
        assert_eq!(message, "gradient check before step 1: w is frozen, yet receives a gradient");
    }
}
