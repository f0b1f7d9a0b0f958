//! The hypernetwork of one stack of layers.

use std::collections::BTreeMap;

use candle_core::{D, Tensor};
use candle_nn::VarBuilder;
use candle_nn::init::{ONE, ZERO};
use peft_core::{ParamSpec, Plan, Result, Scope, SiteRole, Stack, normal};
use peft_kernels::{self as ops, Kernels};

use crate::HyperConfig;
use crate::head::{Head, Slot, index};

/// The names of a stack's weights that are not heads.
pub(crate) const CONDITIONING: [&str; 8] = [
    "layer_embed",
    "position_embed",
    "mlp1.weight",
    "mlp1.bias",
    "mlp2.weight",
    "mlp2.bias",
    "norm.weight",
    "norm.bias",
];

/// The standard deviation of the conditioning network's weights at the start.
const INIT_STD: f64 = 0.01;

/// Embeddings, conditioning network and heads of one stack.
#[derive(Debug)]
pub(crate) struct StackNetwork {
    layer_embed: Tensor,
    position_embed: Tensor,
    mlp1: (Tensor, Tensor),
    mlp2: (Tensor, Tensor),
    norm: (Tensor, Tensor),
    eps: f64,
    /// The layer and the role of each row of the conditioning matrix.
    layers: Tensor,
    roles: Tensor,
    heads: Vec<Head>,
}

/// Where the weights of a stack's network are.
pub(crate) struct Places<'a> {
    /// The embeddings and the conditioning network.
    pub(crate) conditioning: VarBuilder<'a>,
    /// The heads.
    pub(crate) heads: VarBuilder<'a>,
}

impl StackNetwork {
    pub(crate) fn new(
        config: &HyperConfig,
        plan: &Plan,
        stack: &Stack,
        roles: &[SiteRole],
        places: &Places<'_>,
    ) -> Result<Self> {
        let vb = &places.conditioning;
        let (e, h, c) = (config.embedding_dim.get(), config.hidden_dim.get(), config.conditioning_dim.get());
        // The depth is the backbone's, not the plan's, so that a method on the upper layers keeps their numbers.
        let depth = plan.sites().layers(stack);
        let rows = Rows::of(plan, stack, roles);
        let linear = |name: &str, d_out: usize, d_in: usize| -> Result<(Tensor, Tensor)> {
            let vb = vb.pp(name);
            Ok((vb.get_with_hints((d_out, d_in), "weight", normal(INIT_STD))?, vb.get_with_hints(d_out, "bias", ZERO)?))
        };
        Ok(Self {
            layer_embed: vb.get_with_hints((depth, e), "layer_embed", normal(1.))?,
            position_embed: vb.get_with_hints((roles.len(), e), "position_embed", normal(1.))?,
            mlp1: linear("mlp1", h, 3 * e)?,
            mlp2: linear("mlp2", c, h)?,
            norm: (vb.pp("norm").get_with_hints(c, "weight", ONE)?, vb.pp("norm").get_with_hints(c, "bias", ZERO)?),
            eps: config.layer_norm_eps,
            layers: index(rows.places.iter().map(|p| p.0), vb.device())?,
            roles: index(rows.places.iter().map(|p| p.1), vb.device())?,
            heads: rows.heads(plan, c, &places.heads.pp("heads"))?,
        })
    }

    /// The conditioning vectors of every (layer, role) that the plan uses, `[rows, conditioning_dim]`.
    fn condition(&self, task: &Tensor) -> Result<Tensor> {
        let kernels = Kernels::default();
        let layer = self.layer_embed.index_select(&self.layers, 0)?;
        let role = self.position_embed.index_select(&self.roles, 0)?;
        let task = task.unsqueeze(0)?.broadcast_as(layer.shape())?.contiguous()?;
        let z = Tensor::cat(&[&task, &layer, &role], D::Minus1)?;
        let z = ops::linear(&z, &self.mlp1.0, kernels)?.broadcast_add(&self.mlp1.1)?.relu()?;
        let z = ops::linear(&z, &self.mlp2.0, kernels)?.broadcast_add(&self.mlp2.1)?;
        let norm = ops::LayerNorm { gamma: &self.norm.0, beta: &self.norm.1, eps: self.eps };
        Ok(ops::layer_norm(&z, &norm, kernels)?)
    }

    /// Every weight of this stack for the task with the embedding `task: [embedding_dim]`.
    pub(crate) fn generate(&self, task: &Tensor) -> Result<Vec<(Slot, Tensor)>> {
        let c = self.condition(task)?;
        let mut all = Vec::new();
        for head in &self.heads {
            all.extend(head.generate(&c)?);
        }
        Ok(all)
    }
}

/// The rows of a stack's conditioning matrix, and the weights that are generated from each.
struct Rows {
    /// (layer, row of the role's embedding) of each row.
    places: Vec<(u32, u32)>,
    /// (row, target) of each target of the plan in this stack.
    targets: Vec<(u32, usize)>,
}

impl Rows {
    fn of(plan: &Plan, stack: &Stack, roles: &[SiteRole]) -> Self {
        let mut numbers: BTreeMap<(u32, u32), u32> = BTreeMap::new();
        let mut rows = Self { places: Vec::new(), targets: Vec::new() };
        for (e, target) in plan.targets().iter().enumerate().filter(|(_, e)| e.site.stack == *stack) {
            let role = roles.iter().position(|role| *role == target.site.role).unwrap_or(0);
            let place = (target.site.layer as u32, role as u32);
            let row = *numbers.entry(place).or_insert_with(|| {
                rows.places.push(place);
                rows.places.len() as u32 - 1
            });
            rows.targets.push((row, e));
        }
        rows
    }

    fn heads(&self, plan: &Plan, width: usize, vb: &VarBuilder<'_>) -> Result<Vec<Head>> {
        let mut kinds: BTreeMap<String, Vec<(u32, Slot)>> = BTreeMap::new();
        let mut specs = BTreeMap::new();
        for &(row, e) in &self.targets {
            let params = plan.targets().get(e).into_iter().flat_map(|target| target.params.iter().enumerate());
            for (p, spec) in params.filter(|&(p, _)| first_use(plan, e, p) == (e, p)) {
                kinds.entry(Head::key(spec)).or_default().push((row, Slot { target: e, param: p }));
                specs.entry(Head::key(spec)).or_insert(spec);
            }
        }
        let head = |(spec, members): (_, &Vec<_>)| Head::new(spec, width, members, vb);
        specs.into_values().zip(kinds.values()).map(head).collect()
    }
}

/// The target and index where weight `p` of target `e` is first asked for. It differs from `(e, p)` only if sites share the
/// weight.
pub(crate) fn first_use(plan: &Plan, e: usize, p: usize) -> (usize, usize) {
    let Some(spec) = plan.targets().get(e).and_then(|target| target.params.get(p)) else {
        return (e, p);
    };
    if spec.scope == Scope::Site {
        return (e, p);
    }
    let place = |(e, target): (usize, &peft_core::TargetedModule)| {
        let same = |other: &ParamSpec| other.scope == Scope::Model && other.name == spec.name;
        target.params.iter().position(same).map(|p| (e, p))
    };
    plan.targets().iter().enumerate().find_map(place).unwrap_or((e, p))
}
