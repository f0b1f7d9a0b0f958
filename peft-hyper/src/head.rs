//! One output layer of the hypernetwork: conditioning vectors to weights of one name and shape.

use candle_core::{Device, Tensor};
use candle_nn::VarBuilder;
use peft_core::{ParamSpec, Result};
use peft_kernels::{self as ops, Kernels};

/// Where a generated weight goes: the plan's target and the place among the target's weights.
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
    /// The part of a head's name that tells heads of one stack apart: `lora_A.weight.8x768`.
    pub(crate) fn key(spec: &ParamSpec) -> String {
        let shape: Vec<String> = spec.dims.iter().map(ToString::to_string).collect();
        format!("{}.{}", spec.name, shape.join("x"))
    }

    /// The head for weights like `spec`, with one `(row, slot)` for each weight that it generates.
    pub(crate) fn new(spec: &ParamSpec, width: usize, members: &[(u32, Slot)], vb: &VarBuilder<'_>) -> Result<Self> {
        let vb = vb.pp(Self::key(spec));
        let weight = vb.get_with_hints((spec.num_parameters(), width), "weight", spec.head.weight)?;
        // Kept in the weight's own shape, on which its initial value may depend.
        let bias = |init| vb.get_with_hints(spec.dims.as_slice(), "bias", init);
        Ok(Self {
            weight,
            bias: spec.head.bias.map(bias).transpose()?,
            dims: spec.dims.clone(),
            rows: index(members.iter().map(|m| m.0), vb.device())?,
            slots: members.iter().map(|m| m.1).collect(),
        })
    }

    /// All weights of this head from the conditioning vectors `c: [rows, width]`, in one product.
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

/// The rows of `x [n, d]`, `[1, d]` each, halved again and again: in the backward pass a piece is padded to what it was cut from,
/// so that all padding together is `2 log2 n` times the matrix. Rows cut from the whole would be padded to it, `n` times.
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
