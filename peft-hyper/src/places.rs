//! The layers and roles of a stack where methods act, and the weights that are generated for them.

use std::collections::BTreeMap;

use candle_nn::VarBuilder;
use peft_core::{HeadInit, ParamSpec, Plan, Result, Stack};

use crate::groups::HeadGroups;
use crate::head::{Head, HeadParts, Member, Slot};
use crate::roles::{RoleGroup, group_of};
use crate::sources::first_use;

/// The rows of a stack's conditioning matrix, and the weights that are generated from each.
pub(crate) struct Rows {
    /// (layer, row of the role's embedding) of each row.
    pub(crate) places: Vec<(u32, u32)>,
    /// (row, target) of each target of the plan in this stack.
    targets: Vec<(u32, usize)>,
}

impl Rows {
    pub(crate) fn of(plan: &Plan, stack: &Stack, roles: &[RoleGroup]) -> Self {
        let mut numbers: BTreeMap<(u32, u32), u32> = BTreeMap::new();
        let mut rows = Self { places: Vec::new(), targets: Vec::new() };
        for (e, target) in plan.targets().iter().enumerate().filter(|(_, e)| e.site.stack == *stack) {
            let role = group_of(roles, &target.site.role).unwrap_or(0);
            let place = (target.site.layer as u32, role as u32);
            let row = *numbers.entry(place).or_insert_with(|| {
                rows.places.push(place);
                rows.places.len() as u32 - 1
            });
            rows.targets.push((row, e));
        }
        rows
    }

    /// One head for each name and shape of weights. `init` says how the head of a weight begins.
    pub(crate) fn heads(
        &self,
        plan: &Plan,
        groups: &HeadGroups,
        (width, init): (usize, impl Fn(&ParamSpec) -> Result<HeadInit>),
        vb: &VarBuilder<'_>,
    ) -> Result<Vec<Head>> {
        let mut kinds: BTreeMap<String, (&ParamSpec, Vec<Member>)> = BTreeMap::new();
        for &(row, e) in &self.targets {
            let Some(target) = plan.targets().get(e) else { continue };
            for (p, spec) in target.params.iter().enumerate().filter(|&(p, _)| first_use(plan, e, p) == (e, p)) {
                let group = groups.index(spec, &target.site.role);
                let member = Member { row, group, slot: Slot { target: e, param: p } };
                kinds.entry(Head::key(spec)).or_insert((spec, Vec::new())).1.push(member);
            }
        }
        let head = |(spec, members): (&ParamSpec, Vec<Member>)| {
            let parts = HeadParts { spec, init: init(spec)?, width, groups: groups.count(spec), members: &members };
            Head::new(parts, vb)
        };
        kinds.into_values().map(head).collect()
    }
}
