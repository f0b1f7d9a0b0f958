//! The context of a forward pass: mode, random numbers, choice of kernels.

use candle_core::{Device, Tensor};

use crate::{Result, rng};
use peft_kernels::{self as ops, DropoutKey, Kernels};

/// Whether work on `device` goes a GPU's way: few transfers between host and device, and large operations. The CPU has ways of its own,
/// unless `kernels` are [`Kernels::Device`].
pub fn goes_device_way(device: &Device, kernels: Kernels) -> bool {
    kernels == Kernels::Device || !device.is_cpu()
}

/// Whether a forward pass trains or evaluates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Eval,
    Train { seed: u64 },
}

/// The context of one forward pass. It is always an argument, never global state: two passes with equal contexts give equal
/// bytes.
///
/// Each dropout in training takes the next stream of random numbers, so the masks depend only on the seed and on the order
/// of the calls.
#[derive(Debug, Clone)]
pub struct Ctx {
    mode: Mode,
    kernels: Kernels,
    next_stream: u64,
    exact_gradients: bool,
}

impl Ctx {
    /// Evaluation: no dropout.
    pub fn eval() -> Self {
        Self { mode: Mode::Eval, kernels: Kernels::default(), next_stream: 0, exact_gradients: false }
    }

    /// Training. Random numbers depend on the run's `seed` and on `pass`, the number of this forward pass.
    pub fn train(seed: u64, pass: u64) -> Self {
        Self { mode: Mode::Train { seed: rng::Stream::new(seed, pass).bits(0) }, ..Self::eval() }
    }

    /// The same context with other kernels.
    pub fn with_kernels(mut self, kernels: Kernels) -> Self {
        self.kernels = kernels;
        self
    }

    /// The same context for a check of gradients: [`PeftModel`](crate::PeftModel) lets its methods hold nothing constant in their
    /// backward pass ([`PeftModule::make_gradients_exact`](crate::PeftModule::make_gradients_exact)).
    pub fn with_exact_gradients(mut self) -> Self {
        self.exact_gradients = true;
        self
    }

    /// Whether this pass is for a check of gradients.
    pub fn has_exact_gradients(&self) -> bool {
        self.exact_gradients
    }

    /// Whether this is a training pass.
    pub fn is_training(&self) -> bool {
        matches!(self.mode, Mode::Train { .. })
    }

    /// The kernels to compute with.
    pub fn kernels(&self) -> Kernels {
        self.kernels
    }

    /// Whether a pass on `device` [goes a GPU's way](goes_device_way).
    pub fn goes_device_way(&self, device: &Device) -> bool {
        goes_device_way(device, self.kernels)
    }

    /// The key of the next dropout with probability `p`, or `None` if nothing is dropped.
    pub fn dropout_key(&mut self, p: f64) -> Option<DropoutKey> {
        let Mode::Train { seed } = self.mode else {
            return None;
        };
        if p == 0. {
            return None;
        }
        let stream = self.next_stream;
        self.next_stream += 1;
        Some(DropoutKey { p, seed, stream })
    }

    /// Inverted dropout: in training each element is zero with probability `p`, otherwise divided by `1 - p`.
    ///
    /// # Errors
    /// If `p` is outside `[0, 1)`.
    pub fn dropout(&mut self, x: &Tensor, p: f64) -> Result<Tensor> {
        match self.dropout_key(p) {
            Some(key) => Ok(ops::dropout(x, key, self.kernels)?),
            None => Ok(x.clone()),
        }
    }
}
