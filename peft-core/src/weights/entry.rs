//! A tensor of a store: a variable, or a frozen value.

use candle_core::{DType, Tensor, Var};

use crate::{Error, Result};

/// A tensor of a [`ParamStore`](crate::ParamStore).
#[derive(Debug, Clone)]
pub(super) enum Entry {
    /// It trains.
    Variable(Var),
    /// It does not.
    Frozen(Tensor),
}

impl Entry {
    /// The variable, if it is one.
    pub(super) fn variable(&self) -> Option<&Var> {
        match self {
            Self::Variable(var) => Some(var),
            Self::Frozen(_) => None,
        }
    }

    /// The present value.
    pub(super) fn tensor(&self) -> &Tensor {
        match self {
            Self::Variable(var) => var.as_tensor(),
            Self::Frozen(tensor) => tensor,
        }
    }

    /// Refuses `value`, which has the right shape, if this is frozen and holds another one.
    pub(super) fn require_loadable(&self, name: &str, value: &Tensor) -> Result<()> {
        match self {
            Self::Frozen(own) if bits(own)? != bits(value)? => {
                Err(Error::Mismatch(format!("{name} is frozen, and the values to load hold another value of it")))
            }
            _ => Ok(()),
        }
    }

    /// Takes `value` if this is a variable.
    pub(super) fn load(&self, value: &Tensor) -> Result<()> {
        match self {
            Self::Variable(var) => Ok(var.set(&value.to_dtype(var.dtype())?.to_device(var.device())?.contiguous()?)?),
            Self::Frozen(_) => Ok(()),
        }
    }
}

fn bits(tensor: &Tensor) -> Result<Vec<u32>> {
    let values = tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
    Ok(values.into_iter().map(f32::to_bits).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use candle_core::Device;

    use crate::{Error, ParamStore};

    use super::*;

    fn tensor(values: &[f32]) -> Tensor {
        Tensor::new(values, &Device::Cpu).unwrap()
    }

    /// A store with the variable `new` and the frozen tensor `old`, both asked for.
    fn store() -> ParamStore {
        let given = [("new".to_owned(), tensor(&[1., 2.]))].into();
        let store = ParamStore::with_frozen(given, [("old".to_owned(), tensor(&[3.]))].into(), &Device::Cpu);
        store.var_builder().get(2, "new").unwrap();
        store.var_builder().get(1, "old").unwrap();
        store
    }

    #[test]
    fn what_is_frozen_is_no_variable_and_is_saved() {
        let store = store();
        assert_eq!(store.vars().into_iter().map(|(name, _)| name).collect::<Vec<_>>(), ["new"]);
        assert_eq!(store.num_parameters(), 2);
        assert_eq!(store.tensors().into_keys().collect::<Vec<_>>(), ["new", "old"]);
        store.check_all_used().unwrap();
        let loss = (store.var_builder().get(1, "old").unwrap().sqr().unwrap()).sum_all().unwrap();
        assert!(!loss.track_op(), "no gradient reaches a frozen tensor");
    }

    #[test]
    fn loading_keeps_what_is_frozen_and_refuses_another_value_of_it() {
        let store = store();
        let values = |old: f32| [("new".to_owned(), tensor(&[5., 6.])), ("old".to_owned(), tensor(&[old]))].into();
        let error = store.load(&values(4.)).unwrap_err();
        assert!(matches!(&error, Error::Mismatch(reason) if reason.starts_with("old is frozen")), "{error}");
        assert_eq!(store.tensors()["new"].to_vec1::<f32>().unwrap(), [1., 2.], "nothing was written");
        store.load(&values(3.)).unwrap();
        assert_eq!(store.tensors()["new"].to_vec1::<f32>().unwrap(), [5., 6.]);
    }

    #[test]
    fn what_is_frozen_must_be_used_and_have_its_shape() {
        let store = ParamStore::with_frozen([].into(), [("old".to_owned(), tensor(&[3.]))].into(), &Device::Cpu);
        assert!(matches!(store.check_all_used(), Err(Error::UnknownKeys { keys }) if keys == ["old"]));
        assert!(store.var_builder().get(2, "old").is_err());
        assert!(store.var_builder().get(1, "other").is_err(), "neither given nor frozen");
    }
}
