//! Which roles share the heads.

use std::collections::{BTreeMap, BTreeSet};

use peft_core::{ParamSpec, Plan, Result, SiteRole};

use crate::head::Head;
use crate::roles::{RoleGroup, check, group_of};

/// The groups of roles with heads of their own, for each kind of weight in a plan.
///
/// They are those of the whole plan, not of a stack, so that the stacks are alike.
#[derive(Debug)]
pub(crate) struct HeadGroups {
    groups: Vec<RoleGroup>,
    /// The numbers of the groups that need a kind of weight, by the key of its head. Roles in no group have the number
    /// `groups.len()`.
    kinds: BTreeMap<String, BTreeSet<usize>>,
}

impl HeadGroups {
    /// All roles share the heads.
    pub(crate) fn one() -> Self {
        Self { groups: Vec::new(), kinds: BTreeMap::new() }
    }

    pub(crate) fn new(groups: Option<&Vec<RoleGroup>>, plan: &Plan) -> Result<Self> {
        let mut all = Self { groups: groups.cloned().unwrap_or_default(), ..Self::one() };
        check("heads", &all.groups)?;
        for target in plan.targets() {
            for spec in &target.params {
                let number = all.number(&target.site.role);
                all.kinds.entry(Head::key(spec)).or_default().insert(number);
            }
        }
        Ok(all)
    }

    fn number(&self, role: &SiteRole) -> usize {
        group_of(&self.groups, role).unwrap_or(self.groups.len())
    }

    /// How many groups need weights like `spec`.
    pub(crate) fn count(&self, spec: &ParamSpec) -> usize {
        self.kinds.get(&Head::key(spec)).map_or(1, BTreeSet::len)
    }

    /// Which of these groups `role` belongs to.
    pub(crate) fn index(&self, spec: &ParamSpec, role: &SiteRole) -> usize {
        let number = self.number(role);
        let kinds = self.kinds.get(&Head::key(spec));
        kinds.and_then(|numbers| numbers.iter().position(|n| *n == number)).unwrap_or(0)
    }
}
