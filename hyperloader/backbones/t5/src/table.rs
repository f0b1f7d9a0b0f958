//! The embedding table: in memory, or left in its file where only a few of its rows are asked for.

use std::fmt;
use std::sync::{Arc, OnceLock};

use candle_core::{DType, Device, Tensor};
use peft_core::Ctx;
use peft_kernels::{self as ops, transfer};

use super::weights::TableFile;
use crate::error::Result;
use peft_core::layers::Weight;

/// The embedding table `[V, d]`.
#[derive(Debug, Clone)]
pub(super) enum Table {
    /// In memory.
    Held(Weight),
    /// In its file.
    Left(Arc<Left>),
}

/// A table that nothing but its own rows was read of, until somebody asks for all.
pub(super) struct Left {
    name: String,
    file: TableFile,
    /// The type in which it would be held.
    dtype: DType,
    whole: OnceLock<Weight>,
}

impl fmt::Debug for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Left({}, {:?})", self.name, self.dtype)
    }
}

impl Table {
    /// The table called `name` in `file`, as one that is held in `dtype`.
    pub(super) fn left(name: String, file: TableFile, dtype: DType) -> Self {
        Self::Left(Arc::new(Left { name, file, dtype, whole: OnceLock::new() }))
    }

    /// The rows `ids [b, t]`, `[b, t, d]`, in `f32` if the table is `bf16`.
    pub(super) fn rows(&self, ids: &Tensor, ctx: &Ctx) -> Result<Tensor> {
        match self {
            Self::Held(weight) => Ok(ops::embedding(ids, &weight.value, ctx.kernels())?),
            Self::Left(left) => {
                let (batch, length) = ids.dims2()?;
                let rows = left.file.rows(&transfer::download(ids)?)?;
                // As a row of a table that is held: rounded once, then widened.
                Ok(rows.to_dtype(left.dtype)?.to_dtype(DType::F32)?.reshape((batch, length, ()))?)
            }
        }
    }

    /// The rows `ids` in the table's own type, `[n, d]`, cut off from the graph.
    pub(super) fn select(&self, ids: &[u32]) -> Result<Tensor> {
        match self {
            Self::Held(weight) => select(weight, ids),
            Self::Left(left) => Ok(left.file.rows(ids)?.to_dtype(left.dtype)?),
        }
    }

    /// All of it, read now if it was left.
    ///
    /// # Errors
    /// If its file cannot be read.
    pub(super) fn whole(&self) -> Result<&Weight> {
        let left = match self {
            Self::Held(weight) => return Ok(weight),
            Self::Left(left) => left,
        };
        if let Some(whole) = left.whole.get() {
            return Ok(whole);
        }
        let value = left.file.all()?.to_dtype(left.dtype)?;
        Ok(left.whole.get_or_init(|| Weight { name: left.name.clone(), value, site: None }))
    }

    /// The name of the table.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Held(weight) => &weight.name,
            Self::Left(left) => &left.name,
        }
    }

    /// The weight that may be changed: a table that was left in its file is frozen, and no method acts at it.
    pub(super) fn weight_mut(&mut self) -> Option<&mut Weight> {
        match self {
            Self::Held(weight) => Some(weight),
            Self::Left(_) => None,
        }
    }

    pub(super) fn device(&self) -> &Device {
        match self {
            Self::Held(weight) => weight.value.device(),
            Self::Left(_) => &Device::Cpu,
        }
    }
}

/// The rows `ids` of a weight, `[n, d]`, cut off from the graph.
pub(super) fn select(weight: &Weight, ids: &[u32]) -> Result<Tensor> {
    let ids = transfer::upload(ids.to_vec(), ids.len(), weight.value.device())?;
    Ok(weight.value.detach().index_select(&ids, 0)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use peft_core::ActiveAdapters;

    use super::*;
    use crate::testing::{batch, build, configs, hidden, largest_difference};
    use crate::{T5, T5Config, Weights, save_backbone};

    fn opened(config: &T5Config, folder: &std::path::Path, dtype: DType, leave: bool) -> T5 {
        let (weights, table) = match leave {
            true => Weights::open(folder).unwrap().leave_table(config, &Device::Cpu).unwrap(),
            false => (Weights::open(folder).unwrap(), None),
        };
        assert_eq!(table.is_some(), leave);
        let weights = weights.prefetch(dtype, &Device::Cpu).finish().unwrap();
        T5::with_table(config, table, weights.var_builder(dtype, &Device::Cpu)).unwrap()
    }

    #[test]
    fn a_table_in_its_file_gives_what_one_in_memory_gives() {
        let folder = tempfile::tempdir().unwrap();
        for config in configs() {
            save_backbone(&build(&config), folder.path()).unwrap();
            for dtype in [DType::F32, DType::BF16] {
                let [held, left] = [false, true].map(|leave| opened(&config, folder.path(), dtype, leave));
                let (none, mut ctx) = (ActiveAdapters::none(), Ctx::eval());
                let hidden = [&held, &left].map(|t5| hidden(t5, &none, &mut Ctx::eval()));
                assert_eq!(largest_difference(&hidden[0], &hidden[1]), 0.);
                let few = hidden[0].get(1).unwrap();
                let scores = [&held, &left].map(|t5| {
                    let candidates = t5.candidates(&[40, 3, 59]).unwrap();
                    t5.candidate_logits(&few, &candidates, &none, &mut Ctx::eval()).unwrap()
                });
                assert_eq!(scores[0], scores[1]);
                let is_held = |t5: &T5| match &t5.shared {
                    Table::Held(_) => true,
                    Table::Left(left) => left.whole.get().is_some(),
                };
                assert!(is_held(&held) && !is_held(&left), "only rows were read");
                let logits = [&held, &left].map(|t5| t5.logits(&hidden[0], &none, &mut ctx).unwrap());
                assert_eq!(largest_difference(&logits[0], &logits[1]), 0.);
                let tensors = [&held, &left].map(|t5| t5.tensors().unwrap());
                assert_eq!(tensors[0].len(), tensors[1].len());
                for (name, tensor) in &tensors[0] {
                    let of = |t: &Tensor| t.to_dtype(DType::F32).unwrap();
                    assert_eq!(largest_difference(&of(tensor), &of(&tensors[1][name])), 0., "{name}");
                }
            }
        }
    }

    #[test]
    fn a_row_that_does_not_exist_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let config = crate::testing::tiny();
        save_backbone(&build(&config), folder.path()).unwrap();
        let left = opened(&config, folder.path(), DType::F32, true);
        let (_, mask, _) = batch();
        let ids = (mask.ones_like().unwrap() * config.vocab_size as f64).unwrap();
        let error = left.encode(&ids, &mask, &ActiveAdapters::none(), &mut Ctx::eval()).unwrap_err().to_string();
        assert!(error.contains(&format!("row {} of {}", config.vocab_size, config.vocab_size)), "{error}");
    }
}
