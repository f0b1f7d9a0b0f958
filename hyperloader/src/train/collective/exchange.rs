//! What ranks exchange in a step.

use candle_core::Var;
use peft_kernels::transfer;

use super::Collective;
use crate::optim::Gradients;
use crate::{Error, Result};

/// The sum of the gradients of all micro-batches of all ranks: those of rank 0 in their order, then those of rank 1, and so on. It is
/// what one process gets that adds up all of them, bit by bit. `variables` are in the same order on every rank.
///
/// All gradients of a micro-batch travel as one buffer. A gradient that no micro-batch has stays left out.
///
/// # Errors
/// If a rank is gone, or a tensor operation fails.
pub(crate) fn sum_gradients(
    ranks: &dyn Collective,
    micro_batches: Vec<Gradients>,
    variables: &[(String, Var)],
) -> Result<Gradients> {
    if ranks.size().get() == 1 {
        let mut sum = Gradients::default();
        micro_batches.iter().try_for_each(|gradients| sum.add(gradients))?;
        return Ok(sum);
    }
    let elements: usize = variables.iter().map(|(_, variable)| variable.elem_count()).sum();
    let pack = |gradients| packed(gradients, variables, elements);
    let sums = ranks.sum(micro_batches.iter().map(pack).collect::<Result<_>>()?)?;
    let (sums, reached) = sums.split_at_checked(elements).unwrap_or_default();
    let mut sums = sums.iter().copied();
    let mut summed = Vec::with_capacity(variables.len());
    for ((name, variable), reached) in variables.iter().zip(reached) {
        let values: Vec<f32> = sums.by_ref().take(variable.elem_count()).collect();
        if *reached > 0. {
            summed.push((name.clone(), transfer::upload(values, variable.shape().clone(), variable.device())?));
        }
    }
    Ok(summed.into_iter().collect())
}

/// All gradients one after the other, and then for each variable whether it has one.
fn packed(gradients: &Gradients, variables: &[(String, Var)], elements: usize) -> Result<Vec<f32>> {
    let mut buffer = Vec::with_capacity(elements + variables.len());
    for (name, variable) in variables {
        match gradients.get(name) {
            Some(gradient) => buffer.extend(transfer::download::<f32>(gradient)?),
            None => buffer.resize(buffer.len() + variable.elem_count(), 0.),
        }
    }
    buffer.extend(variables.iter().map(|(name, _)| f32::from(u8::from(gradients.get(name).is_some()))));
    Ok(buffer)
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
    use candle_core::{Device, Tensor};

    use super::super::threads::on_threads;
    use super::*;

    /// What each of `size` ranks gets of six micro-batches, of which it has its share.
    fn summed(size: usize) -> Vec<[Option<Vec<f32>>; 3]> {
        on_threads(size, |ranks| {
            let variable = |length: usize| Var::zeros(length, candle_core::DType::F32, &Device::Cpu).unwrap();
            let variables = [("a", 2), ("b", 1), ("c", 1)].map(|(name, length)| (name.to_owned(), variable(length)));
            let micro_batch = |number: usize| {
                // Rounded in another order, 1 + 2⁻²⁴ + 2⁻²⁴ would be more than 1.
                let own = if number == 0 { 1. } else { 2f32.powi(-24) };
                let mut gradients = vec![("a".to_owned(), Tensor::new(&[own, number as f32], &Device::Cpu).unwrap())];
                if number == 4 {
                    gradients.push(("c".to_owned(), Tensor::new(&[5f32], &Device::Cpu).unwrap()));
                }
                gradients.into_iter().collect()
            };
            let share = 6 / size;
            let own = (ranks.rank() * share..).take(share).map(micro_batch).collect();
            let sum = sum_gradients(ranks, own, &variables).unwrap();
            ["a", "b", "c"].map(|name| sum.get(name).map(|tensor| tensor.to_vec1::<f32>().unwrap()))
        })
    }

    #[test]
    fn gradients_are_summed_in_their_order_whoever_has_them_and_what_nobody_reached_stays_out() {
        for size in [1, 2, 3, 6] {
            assert_eq!(summed(size), vec![[Some(vec![1., 15.]), None, Some(vec![5.])]; size], "{size} ranks");
        }
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
