//! The hypernetwork of one stack of layers.

use candle_core::{D, Tensor};
use candle_nn::Init;
use candle_nn::VarBuilder;
use candle_nn::init::{ONE, ZERO};
use peft_core::{ParamSpec, Plan, Result, Stack, normal};
use peft_kernels::{self as ops, Kernels};

use crate::HyperConfig;
use crate::groups::HeadGroups;
use crate::head::{Head, Slot, index};
use crate::places::Rows;
use crate::roles::RoleGroup;

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

/// Where the weights of a stack's network are.
pub(crate) struct StackVars<'a> {
    /// The embeddings and the conditioning network.
    pub(crate) conditioning: VarBuilder<'a>,
    /// The heads.
    pub(crate) heads: VarBuilder<'a>,
}

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

impl StackNetwork {
    pub(crate) fn new(
        config: &HyperConfig,
        plan: &Plan,
        stack: &Stack,
        (roles, groups): (&[RoleGroup], &HeadGroups),
        vars: &StackVars<'_>,
    ) -> Result<Self> {
        let vb = &vars.conditioning;
        let (e, h, c) = (config.embedding_dim.get(), config.hidden_dim.get(), config.conditioning_dim.get());
        // The depth is the backbone's, not the plan's, so that a method on the upper layers keeps their numbers.
        let depth = plan.sites().layers(stack);
        let rows = Rows::of(plan, stack, roles);
        let linear = |name: &str, (d_out, d_in): (usize, usize), init: Init| -> Result<(Tensor, Tensor)> {
            let vb = vb.pp(name);
            Ok((vb.get_with_hints((d_out, d_in), "weight", init)?, vb.get_with_hints(d_out, "bias", ZERO)?))
        };
        let [before, after] = config.init.layers();
        let head = |spec: &ParamSpec| config.init.head(spec, c);
        Ok(Self {
            layer_embed: vb.get_with_hints((depth, e), "layer_embed", normal(1.))?,
            position_embed: vb.get_with_hints((roles.len(), e), "position_embed", normal(1.))?,
            mlp1: linear("mlp1", (h, config.task_dim() + 2 * e), before)?,
            mlp2: linear("mlp2", (c, h), after)?,
            norm: (vb.pp("norm").get_with_hints(c, "weight", ONE)?, vb.pp("norm").get_with_hints(c, "bias", ZERO)?),
            eps: config.layer_norm_eps,
            layers: index(rows.places.iter().map(|p| p.0), vb.device())?,
            roles: index(rows.places.iter().map(|p| p.1), vb.device())?,
            heads: rows.heads(plan, groups, (c, head), &vars.heads.pp("heads"))?,
        })
    }

    /// The conditioning vectors of every (layer, role) that the plan uses, `[rows, conditioning_dim]`.
    fn condition(&self, task: &Tensor) -> Result<Tensor> {
        let kernels = Kernels::default();
        let layer = self.layer_embed.index_select(&self.layers, 0)?;
        let role = self.position_embed.index_select(&self.roles, 0)?;
        let task = task.unsqueeze(0)?.repeat((layer.dim(0)?, 1))?;
        let z = Tensor::cat(&[&task, &layer, &role], D::Minus1)?;
        let z = ops::linear(&z, &self.mlp1.0, kernels)?.broadcast_add(&self.mlp1.1)?.relu()?;
        let z = ops::linear(&z, &self.mlp2.0, kernels)?.broadcast_add(&self.mlp2.1)?;
        let norm = ops::LayerNorm { gamma: &self.norm.0, beta: &self.norm.1, eps: self.eps };
        Ok(ops::layer_norm(&z, &norm, kernels)?)
    }

    /// Every weight of this stack for the task with the embedding `task`, a vector.
    pub(crate) fn generate(&self, task: &Tensor) -> Result<Vec<(Slot, Tensor)>> {
        let c = self.condition(task)?;
        let mut all = Vec::new();
        for head in &self.heads {
            all.extend(head.generate(&c)?);
        }
        Ok(all)
    }
}
