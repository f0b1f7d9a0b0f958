//! Row lookup in an embedding table.

use candle_core::{DType, Result, Tensor, bail};

use crate::kernels::Kernels;

/// `y[b, t] = table[ids[b, t]]`.
///
/// `ids` (u32) `[b, t]` and `table [V, d]` give `[b, t, d]`; the rows of a `bf16` table are returned as `f32`. The gradient
/// reaches the table if it is tracked: the sum of the result's gradient over the occurrences of each id, in their order.
///
/// Both kernels run candle's `index_select`, because no fused version was faster: the backward pass of `index_select` adds the few
/// rows that occur to the table's gradient in place, but a custom operation must return a second tensor of the table's size.
///
/// # Errors
///
/// If the shapes or types are different, or (on the CPU) an id is not below `V`.
pub fn embedding(ids: &Tensor, table: &Tensor, _kernels: Kernels) -> Result<Tensor> {
    let ([batch, len], [_, width], DType::U32) = (ids.dims(), table.dims(), ids.dtype()) else {
        bail!(
            "embedding: expected ids u32 [batch, len] and table [V, d], got {:?} {:?} and {:?}",
            ids.dtype(),
            ids.dims(),
            table.dims()
        );
    };
    let rows = table.index_select(&ids.flatten_all()?, 0)?.reshape((*batch, *len, *width))?;
    if rows.dtype() == DType::BF16 { rows.to_dtype(DType::F32) } else { Ok(rows) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::testing::Case;
    use candle_core::Device;

    fn ids(batch: usize, len: usize, rows: u32) -> Tensor {
        let ids = (0..(batch * len) as u32).map(|i| (i * i * 31 + i * 7) % rows);
        Tensor::from_iter(ids, &Device::Cpu).unwrap().reshape((batch, len)).unwrap()
    }

    fn case(ids: &Tensor, table: &[usize]) -> Case<'static> {
        let (f32_ids, f64_ids) = (ids.clone(), ids.clone());
        Case::new(
            "embedding",
            &[table],
            move |t, kernels| embedding(&f32_ids, &t[0], kernels),
            move |t| embedding(&f64_ids, &t[0], Kernels::Plain),
        )
    }

    #[test]
    fn rows_are_looked_up() {
        let table = Tensor::new(&[[1f32, 2.], [3., 4.], [5., 6.]], &Device::Cpu).unwrap();
        let ids = Tensor::new(&[[2u32, 0], [1, 2]], &Device::Cpu).unwrap();
        let y = embedding(&ids, &table, Kernels::Fused).unwrap();
        let expected = [[[5f32, 6.], [1., 2.]], [[3., 4.], [5., 6.]]];
        assert_eq!(y.to_vec3::<f32>().unwrap(), expected);
    }

    #[test]
    fn f32_values_and_gradients_agree_with_f64() {
        case(&ids(1, 1, 3), &[3, 5]).agrees(1e-6);
        case(&ids(3, 70, 500), &[500, 96]).agrees(1e-6);
    }

    #[test]
    fn gradients_are_the_finite_differences() {
        case(&ids(2, 4, 3), &[3, 2]).matches_finite_differences();
    }

    #[test]
    fn bytes_do_not_depend_on_the_number_of_threads() {
        case(&ids(9, 70, 500), &[500, 96]).is_deterministic();
    }

    #[test]
    fn an_id_outside_the_table_and_other_shapes_are_errors() {
        let table = Tensor::ones((3, 2), DType::F32, &Device::Cpu).unwrap();
        let ids = Tensor::new(&[[0u32, 7]], &Device::Cpu).unwrap();
        assert!(embedding(&ids, &table, Kernels::Fused).is_err());
        let flat = ids.flatten_all().unwrap();
        let error = embedding(&flat, &table, Kernels::Fused).unwrap_err();
        assert!(error.to_string().contains("[2]"), "{error}");
    }
}
