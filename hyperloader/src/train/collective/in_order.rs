//! Sums in the order of ranks on a device, out of two exchanges that any library has.
//!
//! A library's own reduction adds in an order of its own, which depends on the number of ranks. Here each rank adds up one stretch of
//! the numbers, in the order of ranks and parts, and all get the sums: as much traffic as the best reductions have, and the same
//! bits for any number of ranks.

use candle_core::{Result, Tensor};

/// What ranks exchange on a device. Tensors are contiguous and in f32.
pub(super) trait Exchange {
    /// The number of ranks.
    fn size(&self) -> usize;

    /// Row `r` of `own`, `[ranks, numbers]`, goes to rank `r`; what all ranks gave this one, `[ranks, numbers]`.
    fn all_to_all(&self, own: &Tensor) -> Result<Tensor>;

    /// `own`, `[numbers]`, of all ranks: `[ranks, numbers]`.
    fn all_gather(&self, own: &Tensor) -> Result<Tensor>;
}

/// The sums of all `parts`, `[length]`, of all ranks, element by element: those of rank 0 in their order, then those of rank 1, and so on.
/// All ranks have as many parts of one length.
pub(super) fn sum_in_order(exchange: &dyn Exchange, parts: &[Tensor]) -> Result<Tensor> {
    let (ranks, count) = (exchange.size(), parts.len());
    let length = parts.first().map_or(0, Tensor::elem_count);
    let stretch = length.div_ceil(ranks).max(1);
    let stretches =
        parts.iter().map(|part| part.pad_with_zeros(0, 0, stretch * ranks - length)?.reshape((ranks, stretch)));
    let own = Tensor::stack(&stretches.collect::<Result<Vec<_>>>()?, 1)?.reshape((ranks, count * stretch))?;
    let given = exchange.all_to_all(&own.contiguous()?)?.reshape((ranks * count, stretch))?;
    let mut sums = given.get(0)?;
    for part in 1..ranks * count {
        sums = (sums + given.get(part)?)?;
    }
    exchange.all_gather(&sums.contiguous()?)?.flatten_all()?.narrow(0, 0, length)?.contiguous()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use candle_core::Device;

    use super::super::threads::{Thread, on_threads};
    use super::super::{Alone, Collective};
    use super::*;

    /// The two exchanges among threads.
    struct Threads<'a>(&'a Thread);

    impl Threads<'_> {
        fn of_all(&self, own: &Tensor) -> Result<Vec<Vec<f32>>> {
            let own: Vec<u8> = own.flatten_all()?.to_vec1::<f32>()?.into_iter().flat_map(f32::to_le_bytes).collect();
            let values =
                |bytes: Vec<u8>| bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
            Ok(self.0.gather(&own).unwrap().into_iter().map(values).collect())
        }
    }

    impl Exchange for Threads<'_> {
        fn size(&self) -> usize {
            self.0.size().get()
        }

        fn all_to_all(&self, own: &Tensor) -> Result<Tensor> {
            let numbers = own.dim(1)?;
            let all = self.of_all(own)?;
            let row = |own: &Vec<f32>| own.chunks(numbers).nth(self.0.rank()).unwrap().to_vec();
            Tensor::from_vec(all.iter().flat_map(row).collect(), (all.len(), numbers), &Device::Cpu)
        }

        fn all_gather(&self, own: &Tensor) -> Result<Tensor> {
            let all = self.of_all(own)?;
            Tensor::from_vec(all.concat(), (all.len(), own.elem_count()), &Device::Cpu)
        }
    }

    /// Numbers whose sum depends on the order of addition.
    fn part(number: usize, length: usize) -> Vec<f32> {
        (0..length).map(|i| ((number * 31 + i * 7) % 101) as f32 * 1.1f32.powi(number as i32 * 9 - 20)).collect()
    }

    #[test]
    fn the_sums_are_those_of_one_process_bit_by_bit() {
        let mut order_matters = false;
        for (size, count, length) in [(1, 3, 5), (2, 1, 8), (3, 2, 10), (4, 3, 1), (5, 1, 3), (4, 2, 0)] {
            let expected = Alone.sum((0..size * count).map(|number| part(number, length)).collect()).unwrap();
            let reversed = Alone.sum((0..size * count).rev().map(|number| part(number, length)).collect()).unwrap();
            let found = on_threads(size, |rank| {
                let own = rank.rank() * count..(rank.rank() + 1) * count;
                let own = own.map(|number| Tensor::from_vec(part(number, length), length, &Device::Cpu).unwrap());
                sum_in_order(&Threads(rank), &own.collect::<Vec<_>>()).unwrap().to_vec1::<f32>().unwrap()
            });
            assert_eq!(found, vec![expected.clone(); size], "{size} ranks of {count} parts of {length}");
            order_matters |= expected != reversed;
        }
        assert!(order_matters);
    }
}
