//! The gradients of one step, by name.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use candle_core::backprop::GradStore;
use candle_core::{DType, Tensor, Var};
use peft_kernels::transfer;

use super::square_sum::{host_square_sum, square_sum};
use crate::{Error, Result};

/// Added to the norm before dividing by it, as `torch.nn.utils.clip_grad_norm_` does.
const CLIP_EPS: f64 = 1e-6;

/// Gradients by parameter name, detached from the graph and sorted by name.
///
/// A parameter that the loss did not reach has no entry, which is not the same as a gradient of zeros: see
/// [`Unreached`](super::Unreached).
#[derive(Debug, Clone, Default)]
pub struct Gradients {
    by_name: BTreeMap<String, Tensor>,
    /// All of them one after the other in the order of their names, once they were [gathered](Self::gathered): those of `by_name` are
    /// views of it.
    buffer: Option<Tensor>,
}

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

    /// The same gradients in one buffer on their device. There, adding, scaling, the norm and the update of the optimizer are a few large
    /// operations then, and not a few for each parameter. On the CPU this only copies.
    ///
    /// # Errors
    /// Tensor errors, among them gradients of several types or devices.
    pub fn gathered(self) -> Result<Self> {
        if self.buffer.is_some() || self.by_name.is_empty() {
            return Ok(self);
        }
        let flat = self.by_name.values().map(Tensor::flatten_all).collect::<candle_core::Result<Vec<_>>>()?;
        self.with_buffer(Tensor::cat(&flat, 0)?)
    }

    /// Gradients of the same names and shapes, from one buffer.
    fn with_buffer(self, buffer: Tensor) -> Result<Self> {
        let (buffer, mut first) = (buffer.detach(), 0);
        let view = |(name, gradient): (String, Tensor)| {
            let view = buffer.narrow(0, first, gradient.elem_count())?.reshape(gradient.shape())?;
            first += gradient.elem_count();
            Ok((name, view))
        };
        let by_name = self.by_name.into_iter().map(view).collect::<Result<_>>()?;
        Ok(Self { by_name, buffer: Some(buffer) })
    }

    /// The gradients of exactly the parameters `names`, in this order, as one buffer, if they were gathered so.
    pub(super) fn buffer_of<'a>(&self, names: impl Iterator<Item = &'a str>) -> Option<&Tensor> {
        self.buffer.as_ref().filter(|_| self.by_name.keys().map(String::as_str).eq(names))
    }

    /// The gradient of a parameter, if the loss reached it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.by_name.get(name)
    }

    /// Names and gradients in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.by_name.iter().map(|(name, gradient)| (name.as_str(), gradient))
    }

    /// The number of parameters with a gradient.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether no parameter has a gradient.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Adds the gradients of another (micro-)batch, parameter by parameter.
    ///
    /// # Errors
    /// [`Error::Training`] naming the parameter if two gradients differ in shape; tensor errors.
    pub fn add(&mut self, other: &Self) -> Result<()> {
        for (name, theirs) in &other.by_name {
            if let Some(ours) = self.get(name).filter(|ours| ours.shape() != theirs.shape()) {
                return Err(Error::Training(format!(
                    "gradient of {name}: shape {:?} cannot be added to shape {:?}",
                    theirs.dims(),
                    ours.dims()
                )));
            }
        }
        if let (Some(ours), Some(theirs)) = (&self.buffer, &other.buffer)
            && self.by_name.keys().eq(other.by_name.keys())
        {
            let sum = (ours + theirs)?;
            *self = std::mem::take(self).with_buffer(sum)?;
            return Ok(());
        }
        for (name, theirs) in &other.by_name {
            let sum = match self.by_name.get(name) {
                None => theirs.clone(),
                Some(ours) => (ours + theirs)?.detach(),
            };
            self.by_name.insert(name.clone(), sum);
        }
        self.buffer = None;
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
        if let Some(buffer) = &self.buffer {
            let scaled = buffer.affine(factor, 0.0)?;
            *self = std::mem::take(self).with_buffer(scaled)?;
            return Ok(());
        }
        for gradient in self.by_name.values_mut() {
            *gradient = gradient.affine(factor, 0.0)?.detach();
        }
        Ok(())
    }

    /// The global norm `sqrt(Σ g²)` over all elements of all gradients: on the CPU accumulated in f64 in a fixed order, on a device as
    /// [`norm_and`](Self::norm_and) does.
    ///
    /// # Errors
    /// Tensor errors.
    pub fn norm(&self) -> Result<f64> {
        Ok(self.norm_and(&[])?.0)
    }

    /// The [norm](Self::norm), and the values of `scalars`, such as losses. If the gradients are [gathered](Self::gathered), or not on the
    /// CPU, all of it is read back in one transfer.
    ///
    /// The squares of gathered gradients are added on the device: 256 at a time in `f32`, and these sums in `f64` (in `f32` on Metal). The
    /// norm's relative error is at most 2⁻¹⁷, because no square is negative; a gradient above 1e19 makes it infinite.
    ///
    /// # Errors
    /// Tensor errors.
    pub fn norm_and(&self, scalars: &[Tensor]) -> Result<(f64, Vec<f64>)> {
        let on_device = self.by_name.values().any(|gradient| !gradient.device().is_cpu());
        let gathered = match &self.buffer {
            None if on_device => self.clone().gathered()?.buffer,
            buffer => buffer.clone(),
        };
        let Some(buffer) = gathered else {
            let values = scalars.iter().map(|scalar| Ok(f64::from(transfer::download_scalar::<f32>(scalar)?)));
            let values = values.collect::<Result<_>>()?;
            return Ok((self.square_sums()?.iter().sum::<f64>().sqrt(), values));
        };
        let sum = square_sum(&buffer)?;
        let scalars = scalars.iter().map(|scalar| scalar.to_dtype(sum.dtype())?.reshape(1));
        let all = std::iter::once(sum.reshape(1)).chain(scalars).collect::<candle_core::Result<Vec<_>>>()?;
        let values = numbers(&Tensor::cat(&all, 0)?)?;
        let (sum, values) = values.split_first().map_or((0., &[][..]), |(sum, values)| (*sum, values));
        Ok((sum.sqrt(), values.to_vec()))
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
        self.clip_by(norm, max_norm)?;
        Ok(norm)
    }

    /// [`clip_grad_norm`](Self::clip_grad_norm) where the norm is known.
    ///
    /// # Errors
    /// Tensor errors.
    pub fn clip_by(&mut self, norm: f64, max_norm: f64) -> Result<()> {
        let factor = max_norm / (norm + CLIP_EPS);
        if norm.is_finite() && factor < 1.0 {
            self.scale(factor)?;
        }
        Ok(())
    }

    /// The first parameter, in the order of the names, whose gradient holds an infinity or a NaN.
    ///
    /// # Errors
    /// Tensor errors.
    pub fn first_non_finite(&self) -> Result<Option<&str>> {
        // The square of any finite f32 is finite in f64, and so is any sum of them that fits in memory.
        let sums = self.square_sums()?;
        let bad = self.by_name.keys().zip(sums).find(|(_, sum)| !sum.is_finite());
        Ok(bad.map(|(name, _)| name.as_str()))
    }

    /// `Σ g²` of each gradient, in the order of the names. On a device one transfer reads them all.
    fn square_sums(&self) -> Result<Vec<f64>> {
        if self.by_name.values().all(|gradient| gradient.device().is_cpu()) {
            return self.by_name.values().map(host_square_sum).collect();
        }
        let sums = self.by_name.values().map(square_sum).collect::<Result<Vec<_>>>()?;
        numbers(&Tensor::stack(&sums, 0)?)
    }
}

impl FromIterator<(String, Tensor)> for Gradients {
    fn from_iter<I: IntoIterator<Item = (String, Tensor)>>(gradients: I) -> Self {
        Self { by_name: gradients.into_iter().collect(), buffer: None }
    }
}

/// The values of a vector of `f32` or `f64`.
fn numbers(values: &Tensor) -> Result<Vec<f64>> {
    match values.dtype() {
        DType::F64 => Ok(transfer::download(values)?),
        _ => Ok(transfer::download::<f32>(values)?.into_iter().map(f64::from).collect()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use candle_core::Device;

    use super::super::square_sum::SUM_CHUNK;
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

    #[test]
    fn gathered_gradients_add_scale_and_clip_as_separate_ones() {
        let parts: [&[(&str, &[f32])]; 2] =
            [&[("a", &[3.0, -1.0]), ("b", &[0.5, 4.0, 2.0])], &[("a", &[1.0, 1.0]), ("b", &[0.25, -4.0, 7.0])]];
        let [one, other] = parts.map(gradients);
        let (mut separate, mut together) = (one.clone(), one.gathered().unwrap());
        separate.add(&other).unwrap();
        together.add(&other.gathered().unwrap()).unwrap();
        for all in [&mut separate, &mut together] {
            all.average(NonZeroUsize::new(2).unwrap()).unwrap();
        }
        assert!(
            together.buffer_of(["a", "b"].into_iter()).is_some() && together.buffer_of(["b"].into_iter()).is_none()
        );
        let loss = Tensor::new(0.75f32, &Device::Cpu).unwrap();
        let ((norm, losses), expected) = (together.norm_and(&[loss.clone(), loss]).unwrap(), separate.norm().unwrap());
        assert!((norm / expected - 1.).abs() < 1e-6, "{norm} {expected}");
        assert_eq!(losses, [0.75, 0.75]);
        for all in [&mut separate, &mut together] {
            all.clip_by(expected, 0.5).unwrap();
        }
        for name in ["a", "b"] {
            assert_eq!(values(&together, name), values(&separate, name), "{name}");
        }
        // What only one of them has takes them apart again.
        together.add(&gradients(&[("c", &[1.0])])).unwrap();
        assert_eq!((together.len(), values(&together, "c")), (3, vec![1.0]));
        assert!(together.buffer_of(["a", "b", "c"].into_iter()).is_none());
    }

    #[test]
    fn the_norm_of_gathered_gradients_is_within_its_bound() {
        let many: Vec<f32> = (0..3 * SUM_CHUNK + 77).map(|i| ((i * 7919 % 1000) as f32 - 500.) * 1e-5).collect();
        let separate = gradients(&[("a", &many), ("b", &[1e3])]);
        let (exact, found) = (separate.norm().unwrap(), separate.gathered().unwrap().norm().unwrap());
        assert!((found / exact - 1.).abs() < 2f64.powi(-17), "{found} against {exact}");
    }

    #[test]
    fn a_gathered_gradient_that_is_not_finite_is_named() {
        let bad = gradients(&[("a", &[1.0]), ("b", &[f32::NAN, 1.0])]).gathered().unwrap();
        assert!(bad.norm().unwrap().is_nan());
        assert_eq!(bad.first_non_finite().unwrap(), Some("b"));
    }
}
