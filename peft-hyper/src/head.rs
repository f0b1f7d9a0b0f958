//! One output layer of a hypernetwork. It turns conditioning vectors into weights of one name and shape.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use candle_nn::VarBuilder;
use peft_core::{HeadInit, ParamSpec, Result};
use peft_kernels::{self as ops, Kernels, transfer};

/// Where a generated weight goes: the target of the plan, and the index among the target's weights.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slot {
    pub(crate) target: usize,
    pub(crate) param: usize,
}

/// One weight that a head generates.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member {
    /// The row of the conditioning matrix that it is generated from.
    pub(crate) row: u32,
    /// Its group of roles.
    pub(crate) group: usize,
    pub(crate) slot: Slot,
}

/// `head(c) = H c (+ b)` for every weight of one name and shape in a stack. Each group of roles has `H` and `b` of its own, one after
/// the other in one tensor.
#[derive(Debug)]
pub(crate) struct Head {
    weight: Tensor,
    bias: Option<Tensor>,
    dims: Vec<usize>,
    groups: Vec<Group>,
}

/// The weights of one group of roles.
#[derive(Debug)]
struct Group {
    number: usize,
    rows: Tensor,
    slots: Vec<Slot>,
}

/// What a head is made of.
pub(crate) struct HeadParts<'a> {
    pub(crate) spec: &'a ParamSpec,
    pub(crate) init: HeadInit,
    /// The width of the conditioning vectors.
    pub(crate) width: usize,
    /// How many groups of roles there are, with members in this stack or not.
    pub(crate) groups: usize,
    pub(crate) members: &'a [Member],
}

impl Head {
    /// The part of a head's name that identifies it within a stack: `lora_A.weight.8x768`.
    pub(crate) fn key(spec: &ParamSpec) -> String {
        let shape: Vec<String> = spec.dims.iter().map(ToString::to_string).collect();
        format!("{}.{}", spec.name, shape.join("x"))
    }

    /// The head of these parts.
    pub(crate) fn new(parts: HeadParts<'_>, vb: &VarBuilder<'_>) -> Result<Self> {
        let HeadParts { spec, init, width, groups, members } = parts;
        let vb = vb.pp(Self::key(spec));
        let weight = vb.get_with_hints((groups * spec.num_parameters(), width), "weight", init.weight)?;
        // The bias has the weight's own shape, because its initial value may depend on it.
        let mut dims = spec.dims.clone();
        if let Some(first) = dims.first_mut() {
            *first *= groups;
        }
        let bias = |init| vb.get_with_hints(dims.as_slice(), "bias", init);
        let mut by_group: BTreeMap<usize, Vec<&Member>> = BTreeMap::new();
        members.iter().for_each(|member| by_group.entry(member.group).or_default().push(member));
        let group = |(number, members): (usize, Vec<&Member>)| -> Result<Group> {
            let rows = index(members.iter().map(|m| m.row), vb.device())?;
            Ok(Group { number, rows, slots: members.iter().map(|m| m.slot).collect() })
        };
        Ok(Self {
            weight,
            bias: init.bias.map(bias).transpose()?,
            dims: spec.dims.clone(),
            groups: by_group.into_iter().map(group).collect::<Result<_>>()?,
        })
    }

    /// All weights of this head from the conditioning vectors `c: [rows, width]`, in one matrix product for each group. Vectors
    /// that differ by row of the batch, `[rows, batch, width]`, give weights with a leading batch axis.
    pub(crate) fn generate(&self, c: &Tensor) -> Result<Vec<(Slot, Tensor)>> {
        let mut all = Vec::new();
        for group in &self.groups {
            let c = c.index_select(&group.rows, 0)?;
            let elements = self.dims.iter().product();
            let own = |t: &Tensor| t.narrow(0, group.number * elements, elements);
            let flat = ops::linear(&c, &own(&self.weight)?, Kernels::default())?;
            let flat = match &self.bias {
                Some(bias) => flat.broadcast_add(&own(&bias.flatten_all()?)?)?,
                None => flat,
            };
            let batch = c.dims().get(1..c.rank() - 1).unwrap_or_default();
            let shape = [batch, &self.dims].concat();
            for (slot, row) in group.slots.iter().zip(rows(&flat)?) {
                all.push((*slot, row.reshape(shape.as_slice())?));
            }
        }
        Ok(all)
    }
}

/// The rows of `x [n, ..]`, `[1, ..]` each. They are cut by repeated halving, because the backward pass pads each piece to the size
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
    Ok(transfer::upload(rows, n, device)?)
}
