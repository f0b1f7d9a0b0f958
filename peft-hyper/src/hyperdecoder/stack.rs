//! What generates the weights of one stack from the output of another one.

use candle_core::{D, Tensor};
use candle_nn::VarBuilder;
use candle_nn::init::ZERO;
use peft_core::{KAIMING_UNIFORM, ParamSpec, Plan, Result, SiteRole, Stack, normal};
use peft_kernels::{self as ops, Kernels};

use super::config::HyperdecoderConfig;
use crate::groups::HeadGroups;
use crate::head::{Head, Slot, index};
use crate::places::Rows;
use crate::roles::RoleGroup;

/// A linear map.
type Linear = (Tensor, Tensor);

/// The maps, embeddings and heads of one stack.
#[derive(Debug)]
pub(super) struct StackGenerator {
    mlp: Option<[Linear; 2]>,
    layer_embed: Tensor,
    hidden: Linear,
    /// The row of `layer_embed` of each layer and role where methods act.
    places: Tensor,
    heads: Vec<Head>,
}

impl StackGenerator {
    pub(super) fn new(
        config: &HyperdecoderConfig,
        plan: &Plan,
        (stack, features): (&Stack, usize),
        vb: &VarBuilder<'_>,
    ) -> Result<Self> {
        let (e, h) = (config.layer_embedding_dim.get(), config.hidden_dim.get());
        let roles = roles(plan, stack);
        let rows = Rows::of(plan, stack, &roles);
        // The depth is the backbone's, not the plan's, so that a method on the upper layers keeps their numbers.
        let depth = plan.sites().layers(stack);
        let linear = |name: &str, d_out: usize, d_in: usize| -> Result<Linear> {
            let vb = vb.pp(name);
            let weight = vb.get_with_hints((d_out, d_in), "weight", KAIMING_UNIFORM)?;
            Ok((weight, vb.get_with_hints(d_out, "bias", ZERO)?))
        };
        let mlp =
            || Ok::<_, peft_core::Error>([linear("mlp1", features, features)?, linear("mlp2", features, features)?]);
        let places = rows.places.iter().map(|(layer, role)| role * depth as u32 + layer);
        Ok(Self {
            mlp: config.mlp.then(mlp).transpose()?,
            layer_embed: vb.get_with_hints((roles.len() * depth, e), "layer_embed", normal(1.))?,
            hidden: linear("hidden", h, features + e)?,
            places: index(places, vb.device())?,
            heads: rows.heads(plan, &HeadGroups::one(), (h, |spec: &ParamSpec| Ok(spec.head)), &vb.pp("heads"))?,
        })
    }

    /// Every weight of this stack for the means `z: [batch, features]`, with a leading batch axis.
    pub(super) fn generate(&self, z: &Tensor) -> Result<Vec<(Slot, Tensor)>> {
        let mut u = z.clone();
        if let Some([first, second]) = &self.mlp {
            u = apply(&apply(&u, first)?.relu()?, second)?;
        }
        let place = self.layer_embed.index_select(&self.places, 0)?;
        let (places, batch) = (place.dim(0)?, u.dim(0)?);
        // Each place with each sentence: [places, batch, ..].
        let place = place.unsqueeze(1)?.repeat((1, batch, 1))?;
        let u = u.unsqueeze(0)?.repeat((places, 1, 1))?;
        let c = apply(&Tensor::cat(&[&u, &place], D::Minus1)?, &self.hidden)?.relu()?;
        let mut all = Vec::new();
        for head in &self.heads {
            all.extend(head.generate(&c)?);
        }
        Ok(all)
    }
}

fn apply(x: &Tensor, (weight, bias): &Linear) -> Result<Tensor> {
    Ok(ops::linear(x, weight, Kernels::default())?.broadcast_add(bias)?)
}

/// The roles where methods act in `stack`, in the order of the backbone.
fn roles(plan: &Plan, stack: &Stack) -> Vec<RoleGroup> {
    let mut roles: Vec<&SiteRole> = Vec::new();
    for target in plan.targets().iter().filter(|target| target.site.stack == *stack) {
        if !roles.contains(&&target.site.role) {
            roles.push(&target.site.role);
        }
    }
    roles.into_iter().cloned().map(RoleGroup::from).collect()
}
