//! The hypernetwork's configuration.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use peft_core::{Error, Plan, Result, SiteRole, Tasks, nonzero, setters};
use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;

use crate::HyperInit;
use crate::roles::{RoleGroup, check, group_of};

/// The conditional hypernetwork of HyperLoader (arXiv 2407.01411, section 3) and HyperFormer++ (arXiv 2106.04489).
///
/// For task `t`, layer `i` and role `p` (called *position* in the papers and in the names of the weights) of one stack:
///
/// `c = LN(W₂ relu(W₁ [task_t ; layer_i ; position_p] + b₁) + b₂)`, and each weight is `head(c)`, reshaped row by row.
///
/// There is one head for each name and shape of weights. It serves all layers, roles and tasks, unless [`heads`](Self::heads) says
/// otherwise. Each stack, such as encoder and decoder, has a network of its own; they share only the task embeddings. Defaults are
/// the paper's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, SmartDefault)]
#[serde(default, deny_unknown_fields)]
pub struct HyperConfig {
    /// The width of layer and position embeddings. Default 64.
    #[default(nonzero(64))]
    pub embedding_dim: NonZeroUsize,
    /// The width of task embeddings. Default: `embedding_dim`, as in the paper's code; its text says 512.
    pub task_embedding_dim: Option<NonZeroUsize>,
    /// The width of the conditioning network's hidden layer. Default 128.
    #[default(nonzero(128))]
    pub hidden_dim: NonZeroUsize,
    /// The width of the conditioning vector `c`. Default 64.
    #[default(nonzero(64))]
    pub conditioning_dim: NonZeroUsize,
    /// The layer norm's epsilon. Default 1e-6.
    #[default(1e-6)]
    pub layer_norm_eps: f64,
    /// The roles that have an embedding, in the order of its rows, the same in every stack; roles in a list share a row. Default:
    /// the roles in the plan, in the order of the backbone. The paper's order is
    /// `["ffn", "self", "self.q", "self.v", "cross.q", "cross.v"]`.
    pub positions: Option<Vec<RoleGroup>>,
    /// Groups of roles with heads of their own, `[["self.q", "cross.q"], ["self.v", "cross.v"]]`. Every stack has the heads of all
    /// groups in which a method needs such a weight, as every stack has all positions. Roles that are not named share theirs.
    /// Default: none, all roles share the heads.
    pub heads: Option<Vec<RoleGroup>>,
    /// How it begins: `"paper"`, or `"scaled"`, with which generated weights begin where static ones do. Default `"paper"`.
    pub init: HyperInit,
    /// The tasks that do not use the shared network, and what they have of their own instead. Default: none, as in the paper. A task
    /// that is added to a trained network may have its own, so that the network can change for it and not for the others.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unshared: BTreeMap<String, Unshared>,
}

/// What a task has of its own, in addition to its embedding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unshared {
    /// The conditioning network of each stack: the embeddings of layers and positions, both linear maps and the layer norm. The task
    /// uses the shared heads.
    Conditioning,
    /// The conditioning network and the heads: a whole hypernetwork.
    Heads,
}

setters! {
    HyperConfig {
        embedding_dim => embedding_dim: nonzero,
        task_embedding_dim => task_embedding_dim: nonzero,
        hidden_dim => hidden_dim: nonzero,
        conditioning_dim => conditioning_dim: nonzero,
        layer_norm_eps => layer_norm_eps: f64,
        positions => positions: [RoleGroup],
        heads => heads: [RoleGroup],
        init => init: HyperInit,
    }
}

impl HyperConfig {
    /// The network of the paper.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the task called `task` a network of its own.
    #[must_use]
    pub fn unshare(mut self, task: impl Into<String>, what: Unshared) -> Self {
        self.unshared.insert(task.into(), what);
        self
    }

    /// Checks that the tasks with a network of their own exist.
    pub(crate) fn check_unshared(&self, tasks: &Tasks) -> Result<()> {
        match self.unshared.keys().find(|name| !tasks.names().contains(name)) {
            None => Ok(()),
            Some(name) => {
                let reason = format!("there is no task {name:?}; known: {}", tasks.names().join(", "));
                Err(Error::invalid("hypernetwork", "unshared", reason))
            }
        }
    }

    /// The width of task embeddings.
    pub(crate) fn task_dim(&self) -> usize {
        self.task_embedding_dim.unwrap_or(self.embedding_dim).get()
    }

    /// The roles with an embedding, row by row. Every role in the plan must be among them.
    pub(crate) fn rows(&self, plan: &Plan) -> Result<Vec<RoleGroup>> {
        let mut used: Vec<SiteRole> = Vec::new();
        for target in plan.targets() {
            if !used.contains(&target.site.role) {
                used.push(target.site.role.clone());
            }
        }
        let Some(rows) = &self.positions else {
            return Ok(used.into_iter().map(RoleGroup::from).collect());
        };
        check("positions", rows)?;
        match used.iter().find(|role| group_of(rows, role).is_none()) {
            None => Ok(rows.clone()),
            Some(missing) => {
                let reason = format!("lacks {:?}, where a method of this plan acts", missing.as_str());
                Err(Error::invalid("hypernetwork", "positions", reason))
            }
        }
    }
}
