//! Several adapters on one backbone, by name.

use candle_core::{Device, Tensor};

use super::checkpoint::AdapterCheckpoint;
use super::count::TrainableParameters;
use super::known::check_stack;
use crate::{ActiveAdapters, AdapterWeights, Error, Plan, Result, Sites};

/// The name of the bare backbone when each row of a batch names its adapter, as in Hugging Face `peft`.
pub const BASE: &str = "__base__";

/// Adapters by name, on one backbone. The method names are those of Hugging Face `peft`.
///
/// It holds plans and weights, not the backbone: pass [`active`](Self::active) to the backbone's forward passes. The first
/// adapter that is added becomes active. Later ones do when [`set_adapter`](Self::set_adapter) names them.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use peft_core::toy::{Scale, toy_sites};
/// use peft_core::{AdapterWeights, Adapters, Ctx, PeftConfig, Plan, SiteInput};
///
/// let sites = toy_sites(1, 2);
/// let mut adapters = Adapters::new(&sites);
/// for (name, factor) in [("double", 2f32), ("triple", 3.)] {
///     let methods: Vec<Box<dyn PeftConfig>> = vec![Box::new(Scale::new(["q"]))];
///     let weights = vec![vec![Tensor::new(&[factor, factor], &Device::Cpu)?]];
///     adapters.add_adapter(name, Plan::resolve(&sites, &methods)?, AdapterWeights::new(weights))?;
/// }
///
/// let q = sites.find("layers.0.q").ok_or("no such site")?;
/// let y = Tensor::ones((2, 1, 2), DType::F32, &Device::Cpu)?;
/// let run = |active: peft_core::ActiveAdapters<'_>| -> Result<Vec<f32>, Box<dyn std::error::Error>> {
///     Ok(active.apply(q, SiteInput::new(&y, y.clone()), &mut Ctx::eval())?.flatten_all()?.to_vec1()?)
/// };
/// assert_eq!(run(adapters.active())?, [2., 2., 2., 2.]);
/// adapters.set_adapter(&["double", "triple"])?;
/// assert_eq!(run(adapters.active())?, [6., 6., 6., 6.]);
/// assert_eq!(run(adapters.by_row(&["triple", "__base__"])?)?, [3., 3., 1., 1.]);
/// adapters.disable_adapter();
/// assert_eq!(run(adapters.active())?, [1., 1., 1., 1.]);
///
/// let error = adapters.set_adapter(&["doubel"]).unwrap_err().to_string();
/// assert_eq!(error, "unknown adapter \"doubel\"; did you mean \"double\"? known: double, triple");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Adapters {
    sites: Sites,
    /// In the order in which they were added.
    pub(super) named: Vec<Named>,
    /// The names of those that are active, in the order in which they act.
    pub(super) active: Vec<String>,
    enabled: bool,
}

/// One adapter.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) name: String,
    plan: Plan,
    weights: AdapterWeights,
}

impl Named {
    /// Its weights were checked when it was added.
    fn active(&self) -> ActiveAdapters<'_> {
        ActiveAdapters::trusted(&self.plan, &self.weights)
    }
}

impl Adapters {
    /// No adapters yet, for a backbone with these sites.
    pub fn new(sites: &Sites) -> Self {
        Self { sites: sites.clone(), named: Vec::new(), active: Vec::new(), enabled: true }
    }

    /// Adds an adapter. Weights that are variables can be trained.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if the name is taken or is [`BASE`], or if the plan was made for a backbone with other sites;
    /// as [`ActiveAdapters::new`] if plan and weights do not fit each other.
    pub fn add_adapter(&mut self, name: &str, plan: Plan, weights: AdapterWeights) -> Result<()> {
        self.check_free(name)?;
        if plan.sites() != &self.sites {
            let reason = "its plan was resolved for a backbone with other sites; resolve its methods for this one's";
            return Err(Error::Mismatch(format!("adapter {name:?}: {reason}")));
        }
        ActiveAdapters::new(&plan, &weights)?;
        if self.named.is_empty() {
            self.active = vec![name.to_owned()];
        }
        self.named.push(Named { name: name.to_owned(), plan, weights });
        Ok(())
    }

    /// Adds an adapter from a checkpoint, with its weights on `device`. They are not variables, so they do not train.
    ///
    /// # Errors
    /// As [`AdapterCheckpoint::build`] and [`add_adapter`](Self::add_adapter).
    pub fn load_adapter(&mut self, name: &str, adapter: &AdapterCheckpoint, device: &Device) -> Result<()> {
        self.check_free(name)?;
        let (plan, weights) = adapter.build(&self.sites, device)?;
        self.add_adapter(name, plan, weights)
    }

    /// Gives an adapter other weights, such as those that a generator made for the next step.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if there is none of that name; as [`ActiveAdapters::new`] if the weights do not fit its plan.
    pub fn set_weights(&mut self, name: &str, weights: AdapterWeights) -> Result<()> {
        let place = self.place(name)?;
        if let Some(named) = self.named.get_mut(place) {
            ActiveAdapters::new(&named.plan, &weights)?;
            named.weights = weights;
        }
        Ok(())
    }

    /// Removes an adapter and returns its plan and weights. Other active adapters stay active.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if there is none of that name.
    pub fn delete_adapter(&mut self, name: &str) -> Result<(Plan, AdapterWeights)> {
        let place = self.place(name)?;
        self.active.retain(|active| active != name);
        let Named { plan, weights, .. } = self.named.remove(place);
        Ok((plan, weights))
    }

    /// Makes exactly these adapters active. Several act one after the other; an empty list means the bare backbone. It does
    /// not undo [`disable_adapter`](Self::disable_adapter).
    ///
    /// # Errors
    /// [`Error::Mismatch`] if a name is unknown or appears twice. Nothing changes then.
    pub fn set_adapter(&mut self, names: &[&str]) -> Result<()> {
        check_stack(names, &self.names().collect::<Vec<_>>())?;
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

    /// The active adapters for a forward pass; all rows use all of them. The bare backbone if adapters are disabled.
    pub fn active(&self) -> ActiveAdapters<'_> {
        if !self.enabled {
            return ActiveAdapters::none();
        }
        ActiveAdapters::stack(self.active.iter().filter_map(|name| self.find(name)).map(Named::active))
    }

    /// One adapter for a forward pass, whether it is active or not.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if there is none of that name.
    pub fn get(&self, name: &str) -> Result<ActiveAdapters<'_>> {
        self.find(name).map(Named::active).ok_or_else(|| self.unknown(name))
    }

    /// The plan and the weights of one adapter.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if there is none of that name.
    pub fn parts(&self, name: &str) -> Result<(&Plan, &AdapterWeights)> {
        self.find(name).map(|named| (&named.plan, &named.weights)).ok_or_else(|| self.unknown(name))
    }

    /// One batch whose row `b` uses the adapter `names[b]`, or the bare backbone if that is [`BASE`]. It does not matter which
    /// adapters are active.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if a name is unknown, or if adapters are disabled; as [`ActiveAdapters::by_row`].
    pub fn by_row(&self, names: &[&str]) -> Result<ActiveAdapters<'_>> {
        if !self.enabled {
            let reason = "adapters are disabled, but rows were given adapters of their own; enable_adapter first";
            return Err(Error::Mismatch(reason.to_owned()));
        }
        let place = |&name: &&str| if name == BASE { Ok(None) } else { self.place(name).map(Some) };
        let rows = names.iter().map(place).collect::<Result<Vec<_>>>()?;
        let adapters: Vec<_> = self.named.iter().map(Named::active).collect();
        ActiveAdapters::by_row(&rows, &adapters)
    }

    /// How many parameters train, and how many there are. Trainable are the variables of `backbone` and those of the active
    /// adapters. All parameters are those of the backbone and of all adapters.
    pub fn trainable_parameters<'t>(&self, backbone: impl IntoIterator<Item = &'t Tensor>) -> TrainableParameters {
        let mut count = TrainableParameters::default();
        backbone.into_iter().for_each(|tensor| count.add(tensor, true));
        for named in &self.named {
            let active = self.active.contains(&named.name);
            count.add_adapter(&named.plan, &named.weights, active);
        }
        count
    }

    /// The sites of the backbone.
    pub fn sites(&self) -> &Sites {
        &self.sites
    }
}
