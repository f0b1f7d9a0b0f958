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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use candle_core::{Device, Tensor};
    use peft_core::toy::{Scale, toy_sites};
    use peft_core::{Condition, GeneratorConfig, ParamStore, PeftConfig, Plan, Site, Sites, Stack, Tasks};

    use crate::HyperConfig;

    /// Two layers of an encoder with the role `q` alone, and of a decoder with all roles.
    fn plan() -> Plan {
        let mut sites = Sites::default();
        for (stack, roles) in [("encoder", vec!["q"]), ("decoder", vec!["q", "v", "ffn"])] {
            let toy = toy_sites(2, 4);
            for site in toy.iter().filter(|site| roles.contains(&site.role.as_str())) {
                sites.add(Site { path: format!("{stack}.{}", site.path), stack: Stack::new(stack), ..site.clone() });
            }
        }
        Plan::resolve(&sites, &[Box::new(Scale::new(["q", "v", "ffn"])) as Box<dyn PeftConfig>]).unwrap()
    }

    fn config() -> HyperConfig {
        HyperConfig::new().embedding_dim(2).hidden_dim(3).conditioning_dim(2)
    }

    fn dims(store: &ParamStore, name: &str) -> Vec<usize> {
        store.vars().into_iter().find(|(n, _)| n == name).unwrap_or_else(|| unreachable!("{name}")).1.dims().to_vec()
    }

    #[test]
    fn each_group_has_a_head_of_its_own_in_every_stack() {
        let (plan, store) = (plan(), ParamStore::new(3, &Device::Cpu));
        let config = config().heads([["q", "v"]]);
        let generator = config.build(&plan, &Tasks::new(["ner"]), store.var_builder()).unwrap();
        for stack in ["encoder", "decoder"] {
            assert_eq!(dims(&store, &format!("hyper.{stack}.heads.scale.4.weight")), [8, 2], "{stack}");
            assert_eq!(dims(&store, &format!("hyper.{stack}.heads.scale.4.bias")), [8], "{stack}");
        }
        // The bias of the second group, of the positions that are not named, moves `ffn` alone.
        let bias = store.vars().into_iter().find(|(name, _)| name == "hyper.decoder.heads.scale.4.bias").unwrap().1;
        bias.set(&Tensor::new(&[1f32, 1., 1., 1., 5., 6., 7., 8.], &Device::Cpu).unwrap()).unwrap();
        let weights = generator.generate(&Condition::Task(0)).unwrap();
        for (target, weights) in plan.targets().iter().zip(weights.iter()) {
            let expected = match target.site.path.starts_with("decoder") && target.site.role.as_str() == "ffn" {
                true => [5., 6., 7., 8.],
                false => [1.; 4],
            };
            assert_eq!(weights[0].to_vec1::<f32>().unwrap(), expected, "{}", target.site.path);
        }
    }

    #[test]
    fn positions_in_a_list_share_a_row() {
        let rows = |config: HyperConfig| {
            let store = ParamStore::new(3, &Device::Cpu);
            config
                .build(&plan(), &Tasks::new(["ner"]), store.var_builder())
                .map(|_| dims(&store, "hyper.decoder.position_embed"))
        };
        assert_eq!(rows(config()).unwrap(), [3, 2]);
        let together: HyperConfig =
            serde_json::from_str(r#"{"embedding_dim": 2, "positions": ["ffn", ["q", "v"]]}"#).unwrap();
        assert_eq!(serde_json::to_value(&together).unwrap()["positions"], serde_json::json!(["ffn", ["q", "v"]]));
        assert_eq!(rows(together).unwrap(), [2, 2]);
    }

    #[test]
    fn the_task_embedding_may_have_a_width_of_its_own() {
        let store = ParamStore::new(3, &Device::Cpu);
        config().task_embedding_dim(5).build(&plan(), &Tasks::new(["ner"]), store.var_builder()).unwrap();
        assert_eq!(dims(&store, "hyper.tasks.ner"), [5]);
        assert_eq!(dims(&store, "hyper.decoder.mlp1.weight"), [3, 5 + 2 + 2]);
    }

    #[test]
    fn groups_that_cannot_be_are_refused_by_name() {
        let error = |config: HyperConfig| {
            let store = ParamStore::new(3, &Device::Cpu);
            config.build(&plan(), &Tasks::new(["ner"]), store.var_builder()).unwrap_err().to_string()
        };
        let twice = error(config().heads([["q", "v"], ["ffn", "q"]]));
        assert_eq!(twice, "hypernetwork: heads names \"q\" twice; a role has one place");
        let twice = error(config().positions(["q", "v", "ffn", "v"]));
        assert_eq!(twice, "hypernetwork: positions names \"v\" twice; a role has one place");
        assert!(error(config().positions(["q", "v"])).contains("lacks \"ffn\""));
        let message = serde_json::from_str::<HyperConfig>(r#"{"heads": [3]}"#).unwrap_err().to_string();
        assert!(message.contains("the name of a role, such as \"ffn\", or a list of such names"), "{message}");
    }
}
