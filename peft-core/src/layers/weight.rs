//! One parameter of a backbone.

use std::borrow::Cow;

use candle_core::{DType, Tensor};
use peft_kernels as ops;

use super::run::Run;
use crate::{ActiveAdapters, Error, Merge, ParamStore, Result, SiteId, SiteInput};

/// One parameter of a backbone. A frozen matrix may be held in `bf16`, or in [eight bits](ops::quantize); what is computed is `f32`
/// then.
#[derive(Debug, Clone)]
pub struct Weight {
    /// Its name in checkpoints.
    pub name: String,
    /// Its value: a variable if it trains.
    pub value: Tensor,
    /// The site where methods act on it; `None` if there is none, or if methods were merged into the value.
    pub site: Option<SiteId>,
}

impl Weight {
    /// The value that methods compute with: `f32` if it is held in `bf16` or eight bits.
    ///
    /// # Errors
    /// As the device's.
    pub fn wide(&self) -> Result<Tensor> {
        match self.value.dtype() {
            DType::BF16 => Ok(self.value.to_dtype(DType::F32)?),
            DType::U8 => Ok(ops::dequantize(&self.value)?),
            _ => Ok(self.value.clone()),
        }
    }

    /// Whether a method acts at the site.
    pub fn is_target(&self, active: &ActiveAdapters<'_>) -> bool {
        self.site.is_some_and(|site| !active.is_idle(site))
    }

    /// What the methods at the site make of `output`, which this weight made of `input`.
    ///
    /// # Errors
    /// As the methods' own.
    pub fn apply(&self, input: &Tensor, output: Tensor, run: &mut Run<'_>) -> Result<Tensor> {
        match self.site {
            Some(site) => run.active.apply(site, SiteInput::new(input, output).base(&self.value), run.ctx),
            None => Ok(output),
        }
    }

    /// Makes the value a variable of `store`: `f32` if it was `bf16`.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if it has eight bits, which cannot train; as [`ParamStore::get_or_insert_with`].
    pub fn train(&mut self, store: &ParamStore) -> Result<()> {
        let dtype = match self.value.dtype() {
            DType::U8 => return Err(Error::Mismatch(format!("{} has eight bits, which cannot train", self.name))),
            DType::BF16 => DType::F32,
            dtype => dtype,
        };
        let value = store.get_or_insert_with(&self.name, self.value.shape(), || Ok(self.value.detach()))?;
        // Gradients pass through a cast to the variable. Without a cast this is the variable itself.
        self.value = value.to_dtype(dtype)?;
        Ok(())
    }

    /// The value that the methods at the site meet, if they act: what has eight bits is no matrix to them.
    pub(super) fn met(&self, active: &ActiveAdapters<'_>) -> Result<Cow<'_, Tensor>> {
        match self.value.dtype() == DType::U8 && self.is_target(active) {
            true => Ok(Cow::Owned(self.wide()?)),
            false => Ok(Cow::Borrowed(&self.value)),
        }
    }

    /// Takes a merged value in the type of the present one, at which methods act only if there is a `site`. Returns the reason if there
    /// is no such value.
    pub(super) fn replace(&mut self, outcome: Merge, site: Option<SiteId>) -> Result<Option<String>> {
        match outcome {
            Merge::Weight(value) => (self.value, self.site) = (self.narrow(value)?, site),
            Merge::Refused(reason) => return Ok(Some(reason)),
        }
        Ok(None)
    }

    /// `value` in the type of the present one.
    fn narrow(&self, value: Tensor) -> Result<Tensor> {
        match self.value.dtype() {
            DType::U8 => Ok(ops::quantize(&value.detach())?),
            dtype => Ok(value.to_dtype(dtype)?),
        }
    }
}
