//! The optimizer's state as named tensors, so that a run can stop and continue.

use std::collections::{BTreeMap, BTreeSet};

use candle_core::{DType, Device, Tensor};
use peft_kernels::transfer;

use super::moments::Moments;
use super::optimizer::{AdamW, Parameter};
use crate::{Error, Result};

const STEP: &str = "step";
const FIRST: &str = "exp_avg";
const SECOND: &str = "exp_avg_sq";

impl AdamW {
    /// Everything that the next step depends on besides the variables, under torch's names:
    /// `<variable>.step` (an i64 scalar: updates so far) for every variable and, if that is not 0,
    /// `<variable>.exp_avg` and `<variable>.exp_avg_sq` (f32, of the variable's shape).
    ///
    /// # Errors
    /// Tensor errors.
    pub fn state(&self) -> Result<BTreeMap<String, Tensor>> {
        let mut state = BTreeMap::new();
        for parameter in &self.parameters {
            let steps = parameter.moments.as_ref().map_or(0, |moments| moments.steps);
            state.insert(parameter.key(STEP), transfer::upload(vec![steps as i64], (), &Device::Cpu)?);
            if let Some(moments) = &parameter.moments {
                let (first, second) = moments.tensors(&parameter.variable)?;
                state.insert(parameter.key(FIRST), first);
                state.insert(parameter.key(SECOND), second);
            }
        }
        Ok(state)
    }

    /// Restores a state of [`Self::state`]; the next step is then bitwise the same as without the interruption.
    ///
    /// # Errors
    /// [`Error::Training`], before anything is changed, naming the first key that is missing, that belongs to no
    /// variable, or whose shape or type differs (with both shapes).
    pub fn load_state(&mut self, state: &BTreeMap<String, Tensor>) -> Result<()> {
        let mut unused: BTreeSet<&str> = state.keys().map(String::as_str).collect();
        let mut restored = Vec::with_capacity(self.parameters.len());
        for parameter in &self.parameters {
            restored.push(parameter.read(state, &mut unused, self.grouped)?);
        }
        if let Some(key) = unused.first() {
            return Err(Error::Training(format!(
                "optimizer state: unknown key {key} (and {} more); the state belongs to another set of variables",
                unused.len() - 1
            )));
        }
        self.groups.clear();
        for (parameter, moments) in self.parameters.iter_mut().zip(restored) {
            parameter.moments = moments;
        }
        Ok(())
    }
}

impl Parameter {
    fn key(&self, what: &str) -> String {
        format!("{}.{what}", self.name)
    }

    /// The moments of this parameter in `state`; the keys that were read are removed from `unused`.
    fn read(
        &self,
        state: &BTreeMap<String, Tensor>,
        unused: &mut BTreeSet<&str>,
        grouped: bool,
    ) -> Result<Option<Moments>> {
        let mut take = |what: &str, dtype: DType, dims: &[usize]| {
            let key = self.key(what);
            unused.remove(key.as_str());
            let tensor =
                state.get(&key).ok_or_else(|| Error::Training(format!("optimizer state: key {key} is missing")))?;
            if tensor.dtype() == dtype && tensor.dims() == dims {
                return Ok(tensor);
            }
            Err(Error::Training(format!(
                "optimizer state: {key} is {:?} {:?}; expected {dtype:?} {dims:?}",
                tensor.dtype(),
                tensor.dims()
            )))
        };
        let steps = transfer::download_scalar::<i64>(take(STEP, DType::I64, &[])?)?;
        let steps = u64::try_from(steps)
            .map_err(|_| Error::Training(format!("optimizer state: {} is {steps}", self.key(STEP))))?;
        if steps == 0 {
            return Ok(None);
        }
        let first = take(FIRST, DType::F32, self.variable.dims())?;
        let second = take(SECOND, DType::F32, self.variable.dims())?;
        Moments::restore(&self.variable, steps, [first, second], grouped).map(Some)
    }
}
