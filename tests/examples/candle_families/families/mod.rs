//! Models of candle-transformers in tiny shapes, with random weights.
//!
//! - `variables`: weights that a model asks for, as variables.
//! - `encoders`, `decoders`, `others`: the models.

mod decoders;
mod encoders;
mod others;
mod variables;

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::VarBuilder;
use peft_core::rng::Stream;
use serde::de::DeserializeOwned;

pub(crate) use variables::Variables;

/// Computes the output of a model for inputs that are always the same, as if it were the first call.
pub(crate) type Forward = Box<dyn FnMut() -> Result<Tensor>>;

/// A model of candle-transformers.
pub(crate) struct Family {
    /// The name of its module, and what is special.
    pub(crate) name: &'static str,
    /// How many examples or sequences are in its batch.
    pub(crate) batch: usize,
    /// Builds the model for a batch of that size.
    pub(crate) load: fn(VarBuilder<'static>, usize) -> Result<Forward>,
}

/// All models.
pub(crate) fn families() -> Vec<Family> {
    [encoders::families(), decoders::families(), others::families()].into_iter().flatten().collect()
}

impl Family {
    /// The model with random weights, all of them variables, and its loss: the mean squared distance of its output from noise, to
    /// which every part of the output contributes.
    pub(crate) fn open(&self) -> Result<(Variables, Forward)> {
        let variables = Variables::new();
        let mut forward = (self.load)(variables.var_builder(), self.batch)?;
        let loss = move || {
            let y = forward()?.to_dtype(DType::F32)?;
            (&y - noise(y.dims())?)?.sqr()?.mean_all()
        };
        Ok((variables, Box::new(loss)))
    }
}

/// A configuration from the JSON text that a checkpoint would have.
fn config<T: DeserializeOwned>(json: &str) -> Result<T> {
    serde_json::from_str(json).map_err(candle_core::Error::wrap)
}

const VOCAB: u64 = 20;

/// Numbers of tokens, `[batch, length]`.
fn tokens(batch: usize, length: usize) -> Result<Tensor> {
    let stream = Stream::new(3, length as u64);
    let ids: Vec<u32> = (0..(batch * length) as u64).map(|i| (2 + stream.bits(i) % (VOCAB - 2)) as u32).collect();
    Tensor::from_vec(ids, (batch, length), &Device::Cpu)
}

/// Numbers of the standard normal distribution.
fn noise(shape: &[usize]) -> Result<Tensor> {
    let stream = Stream::new(4, shape.len() as u64);
    let values: Vec<f32> = (0..shape.iter().product::<usize>() as u64).map(|i| stream.normal(i) as f32).collect();
    Tensor::from_vec(values, shape, &Device::Cpu)
}

fn ones(batch: usize, length: usize) -> Result<Tensor> {
    Tensor::ones((batch, length), DType::U32, &Device::Cpu)
}
