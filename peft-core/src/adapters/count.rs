//! How many parameters train.

use std::collections::HashSet;
use std::fmt;

use candle_core::Tensor;

use crate::{AdapterWeights, Plan};

/// How many parameters train, and how many there are. It is displayed as Hugging Face `peft` prints it:
///
/// ```
/// let count = peft_core::TrainableParameters { trainable: 1_234, all: 5_678_901 };
/// assert_eq!(count.to_string(), "trainable params: 1,234 || all params: 5,678,901 || trainable%: 0.0217");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TrainableParameters {
    /// The number of elements of trainable variables.
    pub trainable: usize,
    /// The number of elements of all parameters.
    pub all: usize,
}

impl TrainableParameters {
    /// Counts one tensor, which trains if it is a variable and `active`.
    pub(super) fn add(&mut self, tensor: &Tensor, active: bool) {
        let elements = tensor.elem_count();
        self.all += elements;
        self.trainable += if active && tensor.is_variable() { elements } else { 0 };
    }

    /// Counts the weights of an adapter. A weight that sites share counts once.
    pub(super) fn add_adapter(&mut self, plan: &Plan, weights: &AdapterWeights, active: bool) {
        let mut seen = HashSet::new();
        for (target, weights) in plan.targets().iter().zip(weights.iter()) {
            for (param, weight) in target.params.iter().zip(weights) {
                if seen.insert(target.key(param)) {
                    self.add(weight, active);
                }
            }
        }
    }

    /// The share that trains, in percent; 0 if there are no parameters.
    pub fn percent(&self) -> f64 {
        100. * self.trainable as f64 / self.all.max(1) as f64
    }
}

impl fmt::Display for TrainableParameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trainable, all) = (grouped(self.trainable), grouped(self.all));
        write!(f, "trainable params: {trainable} || all params: {all} || trainable%: {:.4}", self.percent())
    }
}

/// `1234567` as `1,234,567`.
fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
