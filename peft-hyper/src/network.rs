//! The whole hypernetwork: task embeddings and one network per stack, and those of tasks that do not share it.

use std::sync::Arc;

use candle_core::Tensor;
use candle_nn::VarBuilder;
use peft_core::{
    AdapterWeights, Condition, Error, GeneratorConfig, Plan, Result, RowTasks, Stack, Tasks, WeightGenerator,
    generate_rows, normal,
};

use crate::groups::HeadGroups;
use crate::sources::Sources;
use crate::stack::{StackNetwork, StackVars};
use crate::{HyperConfig, Unshared};

/// Where the task embeddings are, next to the stacks.
pub(crate) const TASKS: &str = "tasks";

/// Where the whole hypernetwork is.
pub(crate) const ROOT: &str = "hyper";

#[typetag::serde(name = "hypernetwork")]
impl GeneratorConfig for HyperConfig {
    fn build(&self, plan: &Plan, tasks: &Tasks, vb: VarBuilder<'_>) -> Result<Box<dyn WeightGenerator>> {
        Ok(Box::new(HyperNetwork::new(self, plan, tasks, vb.pp(ROOT))?))
    }
}

/// What [`HyperConfig`] builds.
#[derive(Debug)]
pub(crate) struct HyperNetwork {
    tasks: Tasks,
    embeddings: Vec<Tensor>,
    /// The networks of each task, one for each stack. Tasks that share a network share its tensors.
    networks: Vec<Arc<Vec<StackNetwork>>>,
    sources: Sources,
}

impl HyperNetwork {
    pub(crate) fn new(config: &HyperConfig, plan: &Plan, tasks: &Tasks, vb: VarBuilder<'_>) -> Result<Self> {
        let roles = config.rows(plan)?;
        let groups = HeadGroups::new(config.heads.as_ref(), plan)?;
        let dim = config.task_dim();
        let embedding = |task: &String| Ok(vb.pp(TASKS).get_with_hints(dim, task, normal(1.))?);
        let used = |stack: &&Stack| plan.targets().iter().any(|e| e.site.stack == **stack);
        let stacks: Vec<Stack> = plan.sites().stacks().into_iter().filter(used).cloned().collect();
        stacks.iter().try_for_each(check_name)?;
        config.check_unshared(tasks)?;
        let networks = |conditioning: &VarBuilder<'_>, heads: &VarBuilder<'_>| -> Result<Arc<Vec<StackNetwork>>> {
            let network = |stack: &Stack| {
                let vars = StackVars { conditioning: conditioning.pp(stack), heads: heads.pp(stack) };
                StackNetwork::new(config, plan, stack, (&roles, &groups), &vars)
            };
            Ok(Arc::new(stacks.iter().map(network).collect::<Result<_>>()?))
        };
        let shared = networks(&vb, &vb)?;
        let of_task = |task: &String| {
            let own = vb.pp(TASKS).pp(task);
            match config.unshared.get(task) {
                None => Ok(shared.clone()),
                Some(Unshared::Conditioning) => networks(&own, &vb),
                Some(Unshared::Heads) => networks(&own, &own),
            }
        };
        Ok(Self {
            embeddings: tasks.names().iter().map(embedding).collect::<Result<_>>()?,
            networks: tasks.names().iter().map(of_task).collect::<Result<_>>()?,
            tasks: tasks.clone(),
            sources: Sources::of(plan),
        })
    }

    fn generate_one(&self, task: usize) -> Result<AdapterWeights> {
        let embedding = self.tasks.get(&self.embeddings, task)?;
        let mut generated = Vec::new();
        for stack in self.tasks.get(&self.networks, task)?.iter() {
            generated.extend(stack.generate(embedding)?);
        }
        self.sources.collect(generated)
    }
}

/// Weights are named after their stack, so its name must not be that of the task embeddings.
pub(crate) fn check_name(stack: &Stack) -> Result<()> {
    let reason = match stack.parts().next() {
        Some(TASKS) => format!("the task embeddings are named {TASKS:?}"),
        _ if stack.parts().any(str::is_empty) => "a part of the name is empty".to_owned(),
        _ => return Ok(()),
    };
    Err(Error::Mismatch(format!(
        "a hypernetwork cannot name its weights after the stack {:?} of this backbone: {reason}; give the stack another name",
        stack.as_str()
    )))
}

impl WeightGenerator for HyperNetwork {
    fn generate(&self, condition: &Condition) -> Result<AdapterWeights> {
        match condition.tasks_only("hypernetwork")? {
            RowTasks::All(task) => self.generate_one(task),
            RowTasks::Each(rows) => generate_rows(rows, |task| self.generate_one(task)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use candle_core::Device;
    use peft_core::toy::{Scale, toy_sites};
    use peft_core::{ParamStore, PeftConfig, Site, Sites};

    use super::*;

    /// Two layers of each stack.
    fn plan(stacks: &[&'static str]) -> Plan {
        let mut sites = Sites::default();
        for stack in stacks {
            for site in &toy_sites(2, 4) {
                sites.add(Site { path: format!("{stack}.{}", site.path), stack: Stack::new(stack), ..site.clone() });
            }
        }
        Plan::resolve(&sites, &[Box::new(Scale::new(["q", "ffn"])) as Box<dyn PeftConfig>]).unwrap()
    }

    fn build(stacks: &[&'static str]) -> Result<(ParamStore, HyperNetwork)> {
        let store = ParamStore::new(3, &Device::Cpu);
        let config = HyperConfig::new().embedding_dim(2).hidden_dim(3).conditioning_dim(2);
        let network = HyperNetwork::new(&config, &plan(stacks), &Tasks::new(["ner"]), store.var_builder().pp("hyper"))?;
        Ok((store, network))
    }

    #[test]
    fn every_stack_of_the_backbone_has_a_network_under_its_name() {
        let stacks = ["vision.encoder", "text.encoder", "decoder"];
        let (store, network) = build(&stacks).unwrap();
        let layers = |(name, var): &(String, candle_core::Var)| {
            name.strip_suffix(".layer_embed").map(|stack| (stack.to_owned(), var.dims().to_vec()))
        };
        let mut found: Vec<_> = store.vars().iter().filter_map(layers).collect();
        found.sort();
        let expected =
            ["hyper.decoder", "hyper.text.encoder", "hyper.vision.encoder"].map(|stack| (stack.to_owned(), vec![2, 2]));
        assert_eq!(found, expected);
        assert_eq!(network.generate(&Condition::Task(0)).unwrap().len(), stacks.len() * 4);

        // The heads of one stack move its weights alone.
        let (_, head) =
            store.vars().into_iter().find(|(name, _)| name.starts_with("hyper.text.encoder.heads")).unwrap();
        head.set(&(head.as_tensor() + 1.).unwrap()).unwrap();
        let weights = network.generate(&Condition::Task(0)).unwrap();
        let moved = |target: &[Tensor]| target[0].to_vec1::<f32>().unwrap().iter().any(|value| *value != 1.);
        assert_eq!(weights.iter().map(moved).collect::<Vec<_>>(), [[false; 4], [true; 4], [false; 4]].concat());
    }

    #[test]
    fn a_stack_whose_weights_would_have_the_names_of_others_is_refused() {
        for (name, reason) in
            [("tasks", "the task embeddings are named \"tasks\""), ("a..b", "a part of the name is empty")]
        {
            let error = build(&[name]).unwrap_err().to_string();
            assert!(error.contains(&format!("{name:?}")) && error.contains(reason), "{error}");
        }
    }
}
