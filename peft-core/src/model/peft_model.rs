//! A backbone, the methods on it and the source of their weights, as one model.

use std::collections::BTreeMap;

use candle_core::{Tensor, Var};
use candle_nn::VarBuilder;

use super::backbone::{Backbone, Merged};
use super::condition::IntoCondition;
use crate::adapters::check_stack;
use crate::{
    ActiveAdapters, AdapterCheckpoint, AdapterWeights, Adapters, Condition, Ctx, Error, GeneratorConfig, ParamStore,
    PeftConfig, Plan, Result, Stack, Tasks, TrainableParameters, WeightGenerator,
};

/// The name of the adapter that a model is built with.
pub const DEFAULT_ADAPTER: &str = "default";

/// The name of the task of a model for which none was named.
pub const DEFAULT_TASK: &str = "default";

/// The methods of a model, the source of their weights, and the tasks.
#[derive(Debug, Clone)]
pub struct PeftParts {
    /// The methods.
    pub methods: Vec<Box<dyn PeftConfig>>,
    /// The source of their weights.
    pub generator: Box<dyn GeneratorConfig>,
    /// The names of the tasks.
    pub tasks: Tasks,
}

/// A backbone with PEFT methods, and a generator that makes their weights.
///
/// Ordinary LoRA is the method LoRA with static weights. HyperLoader is LoRA and bottleneck adapters with weights from a
/// hypernetwork. Every other combination is built in the same way. The method names are those of Hugging Face `peft`.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use peft_core::toy::{Scale, ToyBackbone};
/// use peft_core::{Ctx, PeftModel};
///
/// let builder = PeftModel::builder(ToyBackbone::new(2)?).method(Scale::new(["q"]));
/// let model = builder.tasks(["ner", "slots"]).seed(42).build()?;
/// assert_eq!(model.trainable_parameters()?.trainable, 2);
///
/// let batch = Tensor::ones((1, 3, 2), DType::F32, &Device::Cpu)?;
/// let loss = model.loss(&batch, "ner", &mut Ctx::train(42, 0))?;
/// let gradients = loss.backward()?;
/// assert!(model.vars().iter().all(|(_, var)| gradients.get(var).is_some()));
///
/// let merged = model.merge_and_unload("ner")?;
/// assert!(merged.refused.is_empty());
/// # Ok::<(), peft_core::Error>(())
/// ```
#[derive(Debug)]
pub struct PeftModel<B> {
    pub(super) backbone: B,
    store: ParamStore,
    parts: PeftParts,
    plan: Plan,
    /// The plan for checks of gradients, if it is another one.
    exact_plan: Option<Plan>,
    pub(super) generator: Box<dyn WeightGenerator>,
    /// Loaded adapters, in addition to the one that the model was built with.
    pub(super) loaded: Adapters,
    /// The names of the active adapters, in the order in which they act.
    active: Vec<String>,
    enabled: bool,
}

impl<B: Backbone> PeftModel<B> {
    /// A model from its parts. The generator takes its weights from `vb`. `store` holds all variables, including the backbone's.
    ///
    /// # Errors
    /// If a method matches no site, a configuration cannot work, a weight is missing or has another shape, or the generator needs
    /// to see states that the backbone does not give.
    pub fn new(backbone: B, parts: PeftParts, store: &ParamStore, vb: VarBuilder<'_>) -> Result<Self> {
        let plan = Plan::resolve(backbone.sites(), &parts.methods)?;
        let exact_plan = Plan::resolve(backbone.sites(), &parts.methods)?.with_exact_gradients();
        let generator = parts.generator.build(&plan, &parts.tasks, vb)?;
        check_needs(generator.as_ref(), parts.generator.typetag_name(), &backbone)?;
        let (loaded, active) = (Adapters::new(backbone.sites()), vec![DEFAULT_ADAPTER.to_owned()]);
        let store = store.clone();
        Ok(Self { backbone, store, parts, plan, exact_plan, generator, loaded, active, enabled: true })
    }

    /// The backbone.
    pub fn backbone(&self) -> &B {
        &self.backbone
    }

    /// The methods, the source of their weights and the tasks.
    pub fn parts(&self) -> &PeftParts {
        &self.parts
    }

    /// Which method acts where.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The tasks, in the order of their numbers.
    pub fn tasks(&self) -> &Tasks {
        &self.parts.tasks
    }

    /// The trainable variables of the generator and of the backbone, sorted by name.
    pub fn vars(&self) -> Vec<(String, Var)> {
        self.store.vars()
    }

    /// The store of the variables.
    pub fn store(&self) -> &ParamStore {
        &self.store
    }

    /// How many parameters train, and how many there are. It is displayed as `peft` prints it.
    ///
    /// # Errors
    /// If a parameter of the backbone cannot be read.
    pub fn trainable_parameters(&self) -> Result<TrainableParameters> {
        let trainable = self.store.num_parameters();
        let own: BTreeMap<String, Tensor> = self.store.tensors();
        let frozen = self.backbone.parameters()?.into_iter().filter(|(name, _)| !own.contains_key(name));
        let frozen: usize = frozen.map(|(_, tensor)| tensor.elem_count()).sum();
        let own: usize = own.values().map(Tensor::elem_count).sum();
        let loaded = self.loaded.trainable_parameters([]).all;
        Ok(TrainableParameters { trainable, all: own + frozen + loaded })
    }

    /// Prints [`trainable_parameters`](Self::trainable_parameters) to the standard output.
    ///
    /// # Errors
    /// As [`trainable_parameters`](Self::trainable_parameters).
    pub fn print_trainable_parameters(&self) -> Result<()> {
        println!("{}", self.trainable_parameters()?);
        Ok(())
    }

    /// Generates the weights of the [default adapter](DEFAULT_ADAPTER) for a task, as part of the gradient graph.
    ///
    /// # Errors
    /// If a task is unknown, the condition lacks what the generator [needs](Self::needs) to see, or a tensor operation fails.
    pub fn weights(&self, task: impl IntoCondition) -> Result<AdapterWeights> {
        self.generate(&task.into_condition(self.tasks())?)
    }

    fn generate(&self, condition: &Condition) -> Result<AdapterWeights> {
        self.generator.needs().check(condition)?;
        self.generator.generate(condition)
    }

    /// The names of the active adapters, in the order in which they act; none while they are switched off.
    pub(super) fn active_names(&self) -> impl Iterator<Item = &str> {
        self.active.iter().filter(|_| self.enabled).map(String::as_str)
    }

    /// The active adapters with their weights for a task, ready for a forward pass.
    ///
    /// # Errors
    /// As [`weights`](Self::weights).
    pub fn active(&self, task: impl IntoCondition) -> Result<ActiveAdapters<'_>> {
        self.active_on(&self.plan, &task.into_condition(self.tasks())?)
    }

    /// [`active`](Self::active) with the modules of `plan`.
    pub(super) fn active_on<'a>(&'a self, plan: &'a Plan, condition: &Condition) -> Result<ActiveAdapters<'a>> {
        let adapters = self.active_names().map(|name| match name {
            DEFAULT_ADAPTER => ActiveAdapters::new(plan, self.generate(condition)?),
            other => self.loaded.get(other),
        });
        Ok(ActiveAdapters::stack(adapters.collect::<Result<Vec<_>>>()?))
    }

    /// The plan for a pass with `ctx`.
    pub(super) fn plan_for(&self, ctx: &Ctx) -> &Plan {
        self.exact_plan.as_ref().filter(|_| ctx.has_exact_gradients()).unwrap_or(&self.plan)
    }

    /// The backbone with the active adapters of a task merged into its weights. Adapters that cannot be merged are listed with
    /// the reason.
    ///
    /// # Errors
    /// As [`Backbone::merge_and_unload`] and [`weights`](Self::weights).
    pub fn merge_and_unload(&self, task: impl IntoCondition) -> Result<Merged<B>> {
        self.backbone.merge_and_unload(&self.active(task)?)
    }

    /// Adds an adapter from a checkpoint, under a name. It acts when [`set_adapter`](Self::set_adapter) names it. It does not
    /// train.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if the name is taken; as [`AdapterCheckpoint::build`].
    pub fn load_adapter(&mut self, name: &str, adapter: &AdapterCheckpoint) -> Result<()> {
        if name == DEFAULT_ADAPTER {
            return Err(Error::Mismatch(format!("adapter {name:?} is the one that the model was built with")));
        }
        self.loaded.load_adapter(name, adapter, self.backbone.device())
    }

    /// Makes exactly these adapters active. Several act one after the other.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if a name is unknown or appears twice. Nothing changes then.
    pub fn set_adapter(&mut self, names: &[&str]) -> Result<()> {
        let known: Vec<&str> = std::iter::once(DEFAULT_ADAPTER).chain(self.loaded.names()).collect();
        check_stack(names, &known)?;
        self.active = names.iter().map(|&name| name.to_owned()).collect();
        Ok(())
    }

    /// Switches all adapters off, but remembers which ones are active.
    pub fn disable_adapter(&mut self) {
        self.enabled = false;
    }

    /// Switches the active adapters on again.
    pub fn enable_adapter(&mut self) {
        self.enabled = true;
    }

    /// The default adapter with the weights of one task, ready to be saved.
    ///
    /// # Errors
    /// As [`weights`](Self::weights); [`Error::Mismatch`] for a condition with different tasks by row.
    pub fn to_checkpoint(&self, task: impl IntoCondition) -> Result<AdapterCheckpoint> {
        let condition = task.into_condition(self.tasks())?;
        if !matches!(condition, Condition::Task(_)) {
            return Err(Error::Mismatch("a checkpoint holds the weights of one task, not of rows".into()));
        }
        let weights = self.generate(&condition)?.detach();
        Ok(AdapterCheckpoint { methods: self.parts.methods.clone(), weights: weights.by_name(&self.plan, |_| true) })
    }
}

/// Fails when the model is built, not in its first batch, if the generator needs what the backbone does not give.
fn check_needs<B: Backbone>(generator: &dyn WeightGenerator, name: &str, backbone: &B) -> Result<()> {
    let needs = generator.needs();
    let Some(missing) = needs.states.iter().find(|stack| !backbone.gives_states(stack)) else {
        return Ok(());
    };
    let given = backbone.sites().stacks().into_iter().filter(|stack| backbone.gives_states(stack));
    let given: Vec<&str> = given.map(Stack::as_str).collect();
    let given = if given.is_empty() { "of no stack".to_owned() } else { format!("of: {}", given.join(", ")) };
    Err(Error::Mismatch(format!(
        "the generator {name:?} makes weights from the output of the stack {missing}, which this backbone does not give to \
         generators; it gives that {given}"
    )))
}
