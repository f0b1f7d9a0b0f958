//! Breaks the gradient of one operation on purpose, to test that a check of gradients finds it.
//!
//! ```
//! use candle_core::{Device, Tensor, Var};
//! use peft_kernels::faults::{Fault, operations_of, with_fault};
//! use peft_kernels::{Kernels, softmax};
//!
//! let x = Var::new(&[0.5f32, -1.], &Device::Cpu)?;
//! let gradient = || -> candle_core::Result<Vec<f32>> {
//!     let gradients = softmax(&x, Kernels::Fused)?.sqr()?.sum_all()?.backward()?;
//!     gradients.get(&x).map_or(Ok(Vec::new()), |gradient| gradient.to_vec1())
//! };
//! let (right, operations) = operations_of(gradient);
//! assert_eq!(operations.into_iter().collect::<Vec<_>>(), ["softmax"]);
//! let broken = with_fault("softmax", Fault::Scale(2.), gradient)?;
//! assert_eq!(broken[0], 2. * right?[0]);
//! # Ok::<(), candle_core::Error>(())
//! ```

use std::cell::RefCell;
use std::collections::BTreeSet;

use candle_core::{Result, Tensor};

/// What is done to the gradients of an operation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    /// They are zeros, as if the operation had no backward pass.
    Zero,
    /// They are multiplied by a number.
    Scale(f64),
}

#[derive(Default)]
struct State {
    fault: Option<(String, Fault)>,
    /// The operations whose backward pass ran.
    ran: BTreeSet<&'static str>,
}

thread_local! {
    // Candle has no argument to hand this through. It exists in test builds only, and belongs to one thread: backward passes run on
    // the thread that asks for them.
    static STATE: RefCell<State> = RefCell::default();
}

/// Puts the former state back, also after a panic.
struct Restore(State);

impl Drop for Restore {
    fn drop(&mut self) {
        STATE.replace(std::mem::take(&mut self.0));
    }
}

/// Runs `work`, in which the gradients of the operation `name` have a fault, on this thread only.
pub fn with_fault<T>(name: &str, fault: Fault, work: impl FnOnce() -> T) -> T {
    let _restore = Restore(STATE.replace(State { fault: Some((name.to_owned(), fault)), ran: BTreeSet::new() }));
    work()
}

/// Runs `work`, and tells which fused operations had a backward pass in it.
pub fn operations_of<T>(work: impl FnOnce() -> T) -> (T, BTreeSet<&'static str>) {
    let _restore = Restore(STATE.replace(State::default()));
    let result = work();
    (result, STATE.take().ran)
}

/// The gradients of the operation `name`, broken if a test asks for that.
pub(crate) fn passed_on<const N: usize>(
    name: &'static str,
    gradients: [Option<Tensor>; N],
) -> Result<[Option<Tensor>; N]> {
    let fault = STATE.with_borrow_mut(|state| {
        state.ran.insert(name);
        state.fault.as_ref().filter(|(broken, _)| broken == name).map(|(_, fault)| *fault)
    });
    let factor = match fault {
        None => return Ok(gradients),
        Some(Fault::Zero) => 0.,
        Some(Fault::Scale(factor)) => factor,
    };
    let mut broken = gradients;
    for gradient in broken.iter_mut().flatten() {
        *gradient = gradient.affine(factor, 0.)?;
    }
    Ok(broken)
}
