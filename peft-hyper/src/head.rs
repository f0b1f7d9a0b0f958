//! One output layer of the hypernetwork. It turns conditioning vectors into weights of one name and shape.

use candle_core::{Device, Tensor};
use candle_nn::VarBuilder;
use peft_core::{ParamSpec, Result};
use peft_kernels::{self as ops, Kernels};

/// Where a generated weight goes: the target of the plan, and the index among the target's weights.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slot {
    pub(crate) target: usize,
    pub(crate) param: usize,
}

/// `head(c) = H c (+ b)` for every weight of one name and shape in a stack.
#[derive(Debug)]
pub(crate) struct Head {
    weight: Tensor,
    bias: Option<Tensor>,
    dims: Vec<usize>,
    /// The row of the conditioning matrix that each slot is generated from.
    rows: Tensor,
    slots: Vec<Slot>,
}

impl Head {
    /// The part of a head's name that identifies it within a stack: `lora_A.weight.8x768`.
    pub(crate) fn key(spec: &ParamSpec) -> String {
        let shape: Vec<String> = spec.dims.iter().map(ToString::to_string).collect();
        format!("{}.{}", spec.name, shape.join("x"))
    }

    /// The head for weights like `spec`, with one `(row, slot)` for each weight that it generates.
    pub(crate) fn new(spec: &ParamSpec, width: usize, members: &[(u32, Slot)], vb: &VarBuilder<'_>) -> Result<Self> {
        let vb = vb.pp(Self::key(spec));
        let weight = vb.get_with_hints((spec.num_parameters(), width), "weight", spec.head.weight)?;
        // The bias has the weight's own shape, because its initial value may depend on it.
        let bias = |init| vb.get_with_hints(spec.dims.as_slice(), "bias", init);
        Ok(Self {
            weight,
            bias: spec.head.bias.map(bias).transpose()?,
            dims: spec.dims.clone(),
            rows: index(members.iter().map(|m| m.0), vb.device())?,
            slots: members.iter().map(|m| m.1).collect(),
        })
    }

    /// All weights of this head from the conditioning vectors `c: [rows, width]`, in one matrix product.
    pub(crate) fn generate(&self, c: &Tensor) -> Result<Vec<(Slot, Tensor)>> {
        let flat = ops::linear(&c.index_select(&self.rows, 0)?, &self.weight, Kernels::default())?;
        let flat = match &self.bias {
            Some(bias) => flat.broadcast_add(&bias.flatten_all()?)?,
            None => flat,
        };
        let one = |(slot, row): (&Slot, Tensor)| Ok((*slot, row.reshape(self.dims.as_slice())?));
        self.slots.iter().zip(rows(&flat)?).map(one).collect()
    }
}

/// The rows of `x [n, d]`, `[1, d]` each. They are cut by repeated halving, because the backward pass pads each piece to the size
/// of the tensor that it was cut from: halving pads `2 log2 n` matrices in all, cutting each row from the whole pads `n`.
fn rows(x: &Tensor) -> Result<Vec<Tensor>> {
    let n = x.dim(0)?;
    if n < 2 {
        return Ok(vec![x.clone()]);
    }
    let mut all = rows(&x.narrow(0, 0, n / 2)?)?;
    all.extend(rows(&x.narrow(0, n / 2, n - n / 2)?)?);
    Ok(all)
}

/// A vector of row numbers.
pub(crate) fn index(rows: impl Iterator<Item = u32>, device: &Device) -> Result<Tensor> {
    let rows: Vec<u32> = rows.collect();
    let n = rows.len();
    Ok(Tensor::from_vec(rows, n, device)?)
}
