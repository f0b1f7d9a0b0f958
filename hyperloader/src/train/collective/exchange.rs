//! What ranks exchange in a step.

use candle_core::{Tensor, Var};

use super::Collective;
use crate::optim::Gradients;
use crate::{Error, Result};

/// The sum over all ranks of the gradients of `variables`, which every rank has in the same order.
///
/// All gradients travel as one buffer. A gradient that no rank has stays left out.
///
/// # Errors
/// If a rank is gone, or a tensor operation fails.
pub(crate) fn sum_gradients(
    ranks: &dyn Collective,
    gradients: Gradients,
    variables: &[(String, Var)],
) -> Result<Gradients> {
    if ranks.size().get() == 1 {
        return Ok(gradients);
    }
    let elements: usize = variables.iter().map(|(_, variable)| variable.elem_count()).sum();
    let mut buffer = Vec::with_capacity(elements + variables.len());
    for (name, variable) in variables {
        match gradients.get(name) {
            Some(gradient) => buffer.extend(gradient.flatten_all()?.to_vec1::<f32>()?),
            None => buffer.resize(buffer.len() + variable.elem_count(), 0.),
        }
    }
    buffer.extend(variables.iter().map(|(name, _)| f32::from(u8::from(gradients.get(name).is_some()))));
    ranks.sum(&mut buffer)?;
    let (sums, reached) = buffer.split_at_checked(elements).unwrap_or_default();
    let mut sums = sums.iter().copied();
    let mut summed = Vec::with_capacity(variables.len());
    for ((name, variable), reached) in variables.iter().zip(reached) {
        let values: Vec<f32> = sums.by_ref().take(variable.elem_count()).collect();
        if *reached > 0. {
            summed.push((name.clone(), Tensor::from_vec(values, variable.shape(), variable.device())?));
        }
    }
    Ok(summed.into_iter().collect())
}

/// A rank's part of a step, besides gradients.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct StepPart {
    /// The sum of its losses.
    pub(crate) loss: f64,
    /// The number of its labels.
    pub(crate) tokens: usize,
    /// Whether it was asked to stop.
    pub(crate) stops: bool,
}

impl StepPart {
    /// The sum over all ranks. Losses are added in the order of the ranks.
    ///
    /// # Errors
    /// If a rank is gone.
    pub(crate) fn sum(self, ranks: &dyn Collective) -> Result<Self> {
        if ranks.size().get() == 1 {
            return Ok(self);
        }
        let mut sum = Self::default();
        for bytes in ranks.gather(&self.to_bytes())? {
            let part = Self::from_bytes(&bytes)?;
            sum.loss += part.loss;
            sum.tokens += part.tokens;
            sum.stops |= part.stops;
        }
        Ok(sum)
    }

    fn to_bytes(self) -> Vec<u8> {
        let numbers =
            [self.loss.to_le_bytes(), (self.tokens as u64).to_le_bytes(), u64::from(self.stops).to_le_bytes()];
        numbers.concat()
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self> {
        match bytes.as_chunks::<8>() {
            ([loss, tokens, stops], []) => Ok(Self {
                loss: f64::from_le_bytes(*loss),
                tokens: u64::from_le_bytes(*tokens) as usize,
                stops: u64::from_le_bytes(*stops) != 0,
            }),
            _ => Err(Error::Internal(format!("a rank sent {} bytes for its part of a step", bytes.len()))),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use candle_core::Device;

    use super::super::threads::on_threads;
    use super::*;

    #[test]
    fn gradients_are_summed_in_the_order_of_the_ranks_and_what_nobody_reached_stays_out() {
        let found = on_threads(3, |ranks| {
            let variable = |length: usize| Var::zeros(length, candle_core::DType::F32, &Device::Cpu).unwrap();
            let variables = [("a", 2), ("b", 1), ("c", 1)].map(|(name, length)| (name.to_owned(), variable(length)));
            // Rounded in another order, 1 + 2⁻²⁴ + 2⁻²⁴ would be more than 1.
            let own = if ranks.rank() == 0 { 1. } else { 2f32.powi(-24) };
            let mut gradients = vec![("a".to_owned(), Tensor::new(&[own, ranks.rank() as f32], &Device::Cpu).unwrap())];
            if ranks.rank() == 2 {
                gradients.push(("c".to_owned(), Tensor::new(&[5f32], &Device::Cpu).unwrap()));
            }
            let sum = sum_gradients(ranks, gradients.into_iter().collect(), &variables).unwrap();
            let values = |name| sum.get(name).map(|tensor| tensor.to_vec1::<f32>().unwrap());
            (values("a"), values("b"), values("c"))
        });
        assert_eq!(found, vec![(Some(vec![1., 3.]), None, Some(vec![5.])); 3]);
    }

    #[test]
    fn losses_and_tokens_add_up_and_one_rank_stops_all() {
        let found = on_threads(2, |ranks| {
            let rank = ranks.rank();
            StepPart { loss: 0.1 + rank as f64, tokens: 3 + rank, stops: rank == 1 }.sum(ranks).unwrap()
        });
        assert_eq!(found, vec![StepPart { loss: 0.1 + 1.1, tokens: 7, stops: true }; 2]);
    }
}
