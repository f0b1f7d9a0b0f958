//! Counting a model's weights without loading or making any.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};
use serde::Serialize;

use crate::Result;
use peft_core::{ParamStore, PeftModel, PeftParts};
use peft_t5::{T5, T5Config, Trainable};

/// The weights of one part of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// The backbone's matrices and relative position biases.
    Backbone,
    /// The backbone's layer norms.
    LayerNorms,
    /// The hypernetwork's task embeddings.
    TaskEmbeddings,
    /// The hypernetwork, task embeddings left out.
    Hypernetwork,
    /// Static weights of PEFT methods.
    Static,
}

impl Group {
    fn of(name: &str) -> Self {
        match name {
            n if n.starts_with("hyper.tasks.") => Self::TaskEmbeddings,
            n if n.starts_with("hyper.") => Self::Hypernetwork,
            n if n.starts_with(peft_core::PEFT_PREFIX) => Self::Static,
            n if n.ends_with("layer_norm.weight") => Self::LayerNorms,
            _ => Self::Backbone,
        }
    }
}

/// Numbers of elements, in all and of one group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ParamCount {
    /// Elements that training changes.
    pub trainable: usize,
    /// Elements that it does not.
    pub frozen: usize,
    /// Both.
    pub total: usize,
}

impl ParamCount {
    fn add(&mut self, elements: usize, trainable: bool) {
        *(if trainable { &mut self.trainable } else { &mut self.frozen }) += elements;
        self.total += elements;
    }
}

/// Every weight that a model asks for when it is built: the model's own construction, run against a backend that hands
/// out views of a single zero and writes down what was asked.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    asked: Arc<Mutex<BTreeMap<String, (usize, bool)>>>,
}

impl Inventory {
    /// The inventory of a T5 of shape `config` with the methods of `parts`, its backbone trained as `trainable` says.
    ///
    /// # Errors
    /// As [`T5::new`] and [`PeftModel::new`].
    pub fn of(config: &T5Config, parts: PeftParts, trainable: Trainable) -> Result<Self> {
        let inventory = Self::default();
        let builder = |backend| VarBuilder::from_backend(Box::new(backend), DType::F32, Device::Cpu);
        let backbone = Recorder { inventory: inventory.clone(), trainable };
        let peft = Recorder { inventory: inventory.clone(), trainable: Trainable::All };
        let t5 = T5::new(config, builder(backbone))?;
        PeftModel::new(t5, parts, &ParamStore::new(0, &Device::Cpu), builder(peft))?;
        Ok(inventory)
    }

    /// The sums over all weights.
    pub fn total(&self) -> ParamCount {
        self.sums(|count: &mut ParamCount, _, elements, trainable| count.add(elements, trainable))
    }

    /// The sums over each group.
    pub fn by_group(&self) -> BTreeMap<Group, ParamCount> {
        self.sums(|groups: &mut BTreeMap<Group, ParamCount>, name, elements, trainable| {
            groups.entry(Group::of(name)).or_default().add(elements, trainable);
        })
    }

    fn sums<T: Default>(&self, mut add: impl FnMut(&mut T, &str, usize, bool)) -> T {
        let mut sums = T::default();
        for (name, &(elements, trainable)) in self.asked.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            add(&mut sums, name, elements, trainable);
        }
        sums
    }
}

/// Records the weights that a model asks for in an [`Inventory`].
struct Recorder {
    inventory: Inventory,
    trainable: Trainable,
}

impl SimpleBackend for Recorder {
    fn get(&self, s: Shape, name: &str, _: Init, dtype: DType, dev: &Device) -> candle_core::Result<Tensor> {
        let mut asked = self.inventory.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.insert(name.to_owned(), (s.elem_count(), self.trainable.covers(name)));
        Tensor::zeros(1, dtype, dev)?.broadcast_as(s)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> candle_core::Result<Tensor> {
        candle_core::bail!("{name}: an inventory knows no shapes but those that it is asked for")
    }

    fn contains_tensor(&self, _: &str) -> bool {
        true
    }
}
