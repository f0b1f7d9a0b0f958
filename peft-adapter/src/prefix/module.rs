//! The prefix at one attention: `K' = [P_k; K]`, `V' = [P_v; V]`.

use candle_core::{D, Tensor};
use candle_nn::Init;
use peft_core::{
    Ctx, KAIMING_UNIFORM, KeyValuePrefix, ParamSpec, PeftModule, PrefixPlacement, Result, SiteCall, normal, rows,
};
use peft_kernels as ops;

use super::front::{each_row, in_front};
use crate::NonLinearity;
use crate::gate::gate;

/// The standard deviation of a gate's weight at the start.
const GATE_STD: f64 = 0.02;

/// Where the rows of a prefix come from.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// They are weights themselves.
    Table,
    /// An embedding and a linear map that all attentions of one kind share, and a linear map for each of them.
    Projection(Projection),
}

/// `P = f(E Wᵀ + b) Uᵀ + c`
#[derive(Debug, Clone)]
pub(super) struct Projection {
    /// The prefix of the names of the shared weights.
    pub(super) shared: String,
    /// Features of the embedding `E`.
    pub(super) width: usize,
    /// Features between the two maps.
    pub(super) hidden: usize,
    /// The function between them.
    pub(super) non_linearity: NonLinearity,
}

/// The prefix at one attention.
#[derive(Debug)]
pub(super) struct Prefix {
    /// How many positions it has.
    pub(super) length: usize,
    /// Where they count.
    pub(super) placement: PrefixPlacement,
    /// What the names of its own weights begin with.
    pub(super) name: &'static str,
    /// Features of keys, and of values.
    pub(super) dim: usize,
    /// Features of the stream that the queries come from.
    pub(super) queries: usize,
    pub(super) source: Source,
    /// The number of gates: none, one for keys and values together, or two.
    pub(super) gates: usize,
    pub(super) dropout: f64,
}

/// PyTorch's initial value of the bias of a linear map: uniform in ±1/√fan_in.
fn uniform_bias(fan_in: usize) -> Init {
    let bound = (fan_in as f64).sqrt().recip();
    Init::Uniform { lo: -bound, up: bound }
}

impl Source {
    fn params(&self, name: &str, length: usize, dim: usize) -> Vec<ParamSpec> {
        let Self::Projection(Projection { shared, width, hidden, .. }) = self else {
            return vec![ParamSpec::new(name.to_owned(), [length, 2 * dim], normal(1.))];
        };
        let of_all =
            |name: &str, dims: Vec<usize>, init| ParamSpec::new(format!("{shared}.{name}"), dims, init).shared();
        vec![
            of_all("wte.weight", vec![length, *width], normal(1.)),
            of_all("down.weight", vec![*hidden, *width], KAIMING_UNIFORM),
            of_all("down.bias", vec![*hidden], uniform_bias(*width)),
            ParamSpec::new(format!("{name}.up.weight"), [2 * dim, *hidden], KAIMING_UNIFORM),
            ParamSpec::new(format!("{name}.up.bias"), [2 * dim], uniform_bias(*hidden)),
        ]
    }

    /// Keys joined with values, `[length, 2 · dim]`, with a leading batch axis if the weights have one.
    pub(super) fn rows(&self, weights: &[Tensor], ctx: &Ctx) -> Result<Tensor> {
        let Self::Projection(Projection { non_linearity, .. }) = self else {
            let [table] = peft_core::take(weights)?;
            return Ok(table.clone());
        };
        let [embedding, down, down_bias, up, up_bias] = peft_core::take(weights)?;
        let by_row = [down, up].into_iter().find(|w| w.rank() > 2);
        let embedding = match by_row {
            Some(by_row) => each_row(embedding, by_row.dim(0)?)?,
            None => embedding.clone(),
        };
        let z = ops::linear(&embedding, down, ctx.kernels())?.broadcast_add(&rows::vector(down_bias)?)?;
        let z = non_linearity.forward(&z, ctx.kernels())?;
        Ok(ops::linear(&z, up, ctx.kernels())?.broadcast_add(&rows::vector(up_bias)?)?)
    }
}

impl Prefix {
    /// The factor of each row's prefix, `[batch, 1, 2 · dim]` or `[batch, 1, 1]`: the mean over the queries of
    /// `sigmoid(x Gᵀ + g)`.
    fn gate(&self, x: &Tensor, weight: &Tensor, bias: &Tensor, ctx: &Ctx) -> Result<Tensor> {
        let gate = gate(x, weight, bias, ctx)?;
        if self.gates == 1 {
            return Ok(gate);
        }
        let half = |first| gate.narrow(D::Minus1, first, 1)?.broadcast_as((gate.dim(0)?, 1, self.dim))?.contiguous();
        Ok(Tensor::cat(&[half(0)?, half(1)?], D::Minus1)?)
    }
}

impl PeftModule for Prefix {
    fn params(&self) -> Vec<ParamSpec> {
        let mut params = self.source.params(self.name, self.length, self.dim);
        if self.gates > 0 {
            params.push(ParamSpec::new(
                format!("{}.gate.weight", self.name),
                [self.gates, self.queries],
                normal(GATE_STD),
            ));
            params.push(ParamSpec::new(format!("{}.gate.bias", self.name), [self.gates], uniform_bias(self.queries)));
        }
        params
    }

    fn prefixes(&self) -> Vec<KeyValuePrefix> {
        vec![KeyValuePrefix { length: self.length, placement: self.placement }]
    }

    fn apply(&self, call: &SiteCall<'_>, ctx: &mut Ctx) -> Result<Tensor> {
        let gate = if self.gates > 0 { 2 } else { 0 };
        let of_rows = call.weights.len().saturating_sub(gate);
        let (source, gate) = call.weights.split_at_checked(of_rows).unwrap_or_default();
        let prefix = each_row(&self.source.rows(source, ctx)?, call.output.dim(0)?)?;
        let prefix = ctx.dropout(&prefix, self.dropout)?;
        let prefix = match gate {
            [weight, bias] => prefix.broadcast_mul(&self.gate(call.input, weight, bias, ctx)?)?,
            _ => prefix,
        };
        in_front(&prefix, call.output)
    }
}
