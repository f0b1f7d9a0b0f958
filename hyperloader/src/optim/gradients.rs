//! The gradients of one step, by name.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use candle_core::backprop::GradStore;
use candle_core::{CpuStorage, DType, Device, Storage, Tensor, Var};
use rayon::prelude::*;

use crate::{Error, Result};

/// Added to the norm before dividing by it, as `torch.nn.utils.clip_grad_norm_` does.
const CLIP_EPS: f64 = 1e-6;

/// Elements that one thread sums at a time. A fixed number: a sum must not depend on the number of threads.
const SUM_CHUNK: usize = 1 << 16;

/// Gradients by parameter name, detached from the graph and sorted by name.
///
/// A parameter that the loss did not reach has no entry, which is not the same as a gradient of zeros: see
/// [`Unreached`](super::Unreached).
#[derive(Debug, Clone, Default)]
pub struct Gradients(BTreeMap<String, Tensor>);

impl Gradients {
    /// The gradients of `variables` from the result of `backward`. Variables without a gradient are left out.
    #[must_use]
    pub fn from_store(store: &GradStore, variables: &[(String, Var)]) -> Self {
        let found = variables.iter().filter_map(|(name, variable)| {
            let gradient = store.get(variable.as_tensor())?;
            Some((name.clone(), gradient.detach()))
        });
        found.collect()
    }

    /// The gradient of a parameter, if the loss reached it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.0.get(name)
    }

    /// Names and gradients in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.0.iter().map(|(name, gradient)| (name.as_str(), gradient))
    }

    /// The number of parameters with a gradient.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no parameter has a gradient.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds the gradients of another (micro-)batch, parameter by parameter.
    ///
    /// # Errors
    /// [`Error::Training`] naming the parameter if two gradients differ in shape; tensor errors.
    pub fn add(&mut self, other: &Self) -> Result<()> {
        for (name, theirs) in &other.0 {
            let sum = match self.0.get(name) {
                None => theirs.clone(),
                Some(ours) if ours.shape() == theirs.shape() => (ours + theirs)?.detach(),
                Some(ours) => {
                    return Err(Error::Training(format!(
                        "gradient of {name}: shape {:?} cannot be added to shape {:?}",
                        theirs.dims(),
                        ours.dims()
                    )));
                }
            };
            self.0.insert(name.clone(), sum);
        }
        Ok(())
    }

    /// Divides the sum of `count` (micro-)batches or replicas by their number.
    ///
    /// # Errors
    /// Tensor errors.
    pub fn average(&mut self, count: NonZeroUsize) -> Result<()> {
        if count.get() == 1 {
            return Ok(());
        }
        self.scale(1.0 / count.get() as f64)
    }

    /// Multiplies every gradient by `factor`.
    ///
    /// # Errors
    /// Tensor errors.
    pub fn scale(&mut self, factor: f64) -> Result<()> {
        for gradient in self.0.values_mut() {
            *gradient = gradient.affine(factor, 0.0)?.detach();
        }
        Ok(())
    }

    /// The global norm `sqrt(Σ g²)` over all elements of all gradients, accumulated in f64 in a fixed order.
    ///
    /// # Errors
    /// Tensor errors.
    pub fn norm(&self) -> Result<f64> {
        Ok(self.square_sums()?.iter().sum::<f64>().sqrt())
    }

    /// Scales all gradients by `min(1, max_norm / (norm + 1e-6))` and returns the norm before scaling.
    ///
    /// If the norm is infinite or not a number, it is returned and the gradients are not changed;
    /// [`Self::first_non_finite`] then names the parameter.
    ///
    /// # Errors
    /// Tensor errors.
    pub fn clip_grad_norm(&mut self, max_norm: f64) -> Result<f64> {
        let norm = self.norm()?;
        let factor = max_norm / (norm + CLIP_EPS);
        if norm.is_finite() && factor < 1.0 {
            self.scale(factor)?;
        }
        Ok(norm)
    }

    /// The first parameter, in the order of the names, whose gradient holds an infinity or a NaN.
    ///
    /// # Errors
    /// Tensor errors.
    pub fn first_non_finite(&self) -> Result<Option<&str>> {
        // The square of any finite f32 is finite in f64, and so is any sum of them that fits in memory.
        let sums = self.square_sums()?;
        let bad = self.0.keys().zip(sums).find(|(_, sum)| !sum.is_finite());
        Ok(bad.map(|(name, _)| name.as_str()))
    }

    /// `Σ g²` of each gradient, in the order of the names.
    fn square_sums(&self) -> Result<Vec<f64>> {
        let mut sums = vec![0.0; self.0.len()];
        let mut on_device = Vec::new();
        for (gradient, sum) in self.0.values().zip(&mut sums) {
            if gradient.device().is_cpu() {
                *sum = host_square_sum(gradient)?;
            } else {
                on_device.push((device_square_sum(gradient)?, sum));
            }
        }
        if !on_device.is_empty() {
            // One transfer for all gradients, since each transfer waits for the device.
            let scalars: Vec<&Tensor> = on_device.iter().map(|(scalar, _)| scalar).collect();
            let values = Tensor::stack(&scalars, 0)?.to_vec1::<f64>()?;
            for ((_, sum), value) in on_device.into_iter().zip(values) {
                *sum = value;
            }
        }
        Ok(sums)
    }
}

impl FromIterator<(String, Tensor)> for Gradients {
    fn from_iter<I: IntoIterator<Item = (String, Tensor)>>(gradients: I) -> Self {
        Self(gradients.into_iter().collect())
    }
}

/// `Σ g²` as an f64 scalar on the device of `gradient` (on the host for Metal, which has no f64).
fn device_square_sum(gradient: &Tensor) -> Result<Tensor> {
    let gradient = if gradient.device().is_metal() { gradient.to_device(&Device::Cpu)? } else { gradient.clone() };
    Ok(gradient.to_dtype(DType::F64)?.sqr()?.sum_all()?)
}

fn host_square_sum(gradient: &Tensor) -> Result<f64> {
    let gradient = gradient.contiguous()?;
    let (storage, layout) = gradient.storage_and_layout();
    if let (Storage::Cpu(CpuStorage::F32(values)), Some((start, end))) = (&*storage, layout.contiguous_offsets())
        && let Some(values) = values.get(start..end)
    {
        let partial: Vec<f64> = values.par_chunks(SUM_CHUNK).map(square_sum).collect();
        return Ok(partial.iter().sum());
    }
    drop(storage);
    Ok(device_square_sum(&gradient)?.to_scalar::<f64>()?)
}

/// `Σ x²` in f64, in eight lanes that the processor can add in parallel.
fn square_sum(values: &[f32]) -> f64 {
    let (blocks, rest) = values.as_chunks::<8>();
    let mut lanes = [0.0_f64; 8];
    for block in blocks {
        for (lane, &value) in lanes.iter_mut().zip(block) {
            let value = f64::from(value);
            *lane += value * value;
        }
    }
    let rest: f64 = rest.iter().map(|&value| f64::from(value) * f64::from(value)).sum();
    lanes.iter().sum::<f64>() + rest
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn gradients(entries: &[(&str, &[f32])]) -> Gradients {
        let tensor = |values: &[f32]| Tensor::from_slice(values, values.len(), &Device::Cpu).unwrap();
        entries.iter().map(|(name, values)| ((*name).to_owned(), tensor(values))).collect()
    }

    fn values(gradients: &Gradients, name: &str) -> Vec<f32> {
        gradients.get(name).unwrap().to_vec1().unwrap()
    }

    #[test]
    fn from_store_leaves_out_what_the_loss_did_not_reach_and_cuts_the_graph() {
        let reached = Var::new(&[2f32, 3.0], &Device::Cpu).unwrap();
        let other = Var::new(&[1f32], &Device::Cpu).unwrap();
        let loss = reached.sqr().unwrap().sum_all().unwrap();
        let variables = [("reached".to_owned(), reached), ("other".to_owned(), other)];
        let found = Gradients::from_store(&loss.backward().unwrap(), &variables);
        assert_eq!(found.len(), 1);
        assert_eq!(values(&found, "reached"), [4.0, 6.0]);
        assert!(!found.get("reached").unwrap().track_op());
    }

    #[test]
    fn two_micro_batches_average_to_the_mean_of_their_gradients() {
        let mut sum = gradients(&[("a", &[1.0, 2.0]), ("b", &[8.0])]);
        sum.add(&gradients(&[("a", &[3.0, -2.0]), ("c", &[4.0])])).unwrap();
        sum.average(NonZeroUsize::new(2).unwrap()).unwrap();
        assert_eq!(values(&sum, "a"), [2.0, 0.0]);
        assert_eq!((values(&sum, "b"), values(&sum, "c")), (vec![4.0], vec![2.0]));
    }

    #[test]
    fn adding_another_shape_names_the_parameter_and_both_shapes() {
        let mut sum = gradients(&[("w", &[1.0, 2.0])]);
        let message = sum.add(&gradients(&[("w", &[1.0])])).unwrap_err().to_string();
        assert!(message.contains('w') && message.contains("[1]") && message.contains("[2]"), "{message}");
    }

    #[test]
    fn clipping_scales_by_max_norm_over_the_global_norm_and_returns_it() {
        let mut clipped = gradients(&[("a", &[3.0]), ("b", &[0.0, 4.0])]);
        assert_eq!(clipped.clip_grad_norm(1.0).unwrap(), 5.0);
        let factor = (1.0 / (5.0 + 1e-6)) as f32;
        assert_eq!(values(&clipped, "a"), [3.0 * factor]);
        assert_eq!(values(&clipped, "b"), [0.0, 4.0 * factor]);
    }

    #[test]
    fn gradients_below_the_limit_are_left_as_they_are() {
        let mut small = gradients(&[("a", &[0.5, 0.25])]);
        assert_eq!(small.clip_grad_norm(1.0).unwrap(), 0.3125_f64.sqrt());
        assert_eq!(values(&small, "a"), [0.5, 0.25]);
    }

    #[test]
    fn the_norm_is_summed_in_double_precision_over_many_chunks() {
        let many = vec![1e-4_f32; 3 * SUM_CHUNK + 5];
        let exact = (many.len() as f64).sqrt() * f64::from(1e-4_f32);
        let norm = gradients(&[("a", &many)]).norm().unwrap();
        assert!((norm / exact - 1.0).abs() < 1e-13, "{norm} against {exact}");
    }

    #[test]
    fn the_norm_reads_views_by_their_layout() {
        let whole = Tensor::new(&[[1f32, 2.0], [3.0, 4.0]], &Device::Cpu).unwrap();
        let norm = |tensor: Tensor| {
            let one: Gradients = [("w".to_owned(), tensor)].into_iter().collect();
            one.norm().unwrap()
        };
        assert_eq!(norm(whole.narrow(0, 1, 1).unwrap()), 5.0);
        assert_eq!(norm(whole.narrow(1, 1, 1).unwrap()), 20_f64.sqrt());
        assert_eq!(norm(whole.to_dtype(DType::F64).unwrap()), 30_f64.sqrt());
    }

    #[test]
    fn the_first_parameter_with_a_non_finite_gradient_is_named_and_clipping_leaves_it() {
        let mut bad = gradients(&[("a", &[1.0]), ("b", &[f32::NAN, 1.0]), ("c", &[f32::INFINITY])]);
        assert_eq!(bad.first_non_finite().unwrap(), Some("b"));
        assert!(bad.clip_grad_norm(1.0).unwrap().is_nan());
        assert_eq!(values(&bad, "a"), [1.0]);
        assert_eq!(gradients(&[("a", &[f32::MAX, f32::MIN])]).first_non_finite().unwrap(), None);
    }
}
