//! [`Session`]: configuration, tokenizer, model and variables.

use candle_core::{DType, Device};
use datasets::tokenizer::T5Tokenizer;
use peft_core::{ParamStore, Plan, Site, SiteKind, Tasks};

use crate::config::{Config, WeightType};
use crate::files::resolve_link;
use crate::model::{Backbone, Parts, PeftT5, check_vocabulary, open_tokenizer};
use crate::run::{ADAPTER_FILE, RunDir, TagSets};
use crate::{Error, Result};
use peft_files::load_tensors;
use peft_t5::{T5, Trainable, Weights};

/// A model that is ready to train or to label, with what it was made from.
#[derive(Debug)]
pub struct Session {
    /// The resolved configuration.
    pub config: Config,
    /// The tokenizer.
    pub tokenizer: T5Tokenizer,
    /// The model.
    pub model: PeftT5,
    /// Its trainable variables.
    pub store: ParamStore,
    /// The tags of its tasks, where the run keeps them.
    pub tags: TagSets,
    /// Where its tensors lie.
    pub device: Device,
}

impl Session {
    /// A model before training: pretrained backbone, PEFT weights at their seeded initial values.
    ///
    /// # Errors
    /// If the backbone or the tokenizer cannot be had, the configuration does not fit the backbone, or its frozen matrices are to
    /// be held in a type that no gradient passes.
    pub fn new(config: Config, device: &Device) -> Result<Self> {
        config.model.check_trains()?;
        let store = ParamStore::new(config.seed, device);
        Self::build(config, store, device, false)
    }

    /// The trained model of a run, and the step that its weights are of (0 if they were copied without their checkpoint).
    ///
    /// # Errors
    /// If the folder holds no finished run, or its weights do not fit its configuration.
    pub fn load(run: &RunDir, device: &Device) -> Result<(Self, usize)> {
        Self::load_in(run, device, None)
    }

    /// [`load`](Self::load) with the backbone's frozen matrices in `dtype`; without one, in that of the run.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_in(run: &RunDir, device: &Device, dtype: Option<WeightType>) -> Result<(Self, usize)> {
        let path = run.config();
        if !path.is_file() {
            return Err(Error::Config(format!("{} is no run folder: it has no config.toml", run.root().display())));
        }
        let mut config = Config::load(&path, &[])?;
        config.model.dtype = dtype.unwrap_or(config.model.dtype);
        if run.is_self_contained() {
            config.model.name = run.root().to_string_lossy().into_owned();
            config.model.tokenizer = None;
        }
        let best = resolve_link(run.best())?.map(|folder| folder.join(ADAPTER_FILE));
        let weights = [Some(run.root().join(ADAPTER_FILE)), best].into_iter().flatten().find(|p| p.is_file());
        let weights = weights.ok_or_else(|| {
            Error::Config(format!(
                "{} has no {ADAPTER_FILE}: the run has not saved a checkpoint yet",
                run.root().display()
            ))
        })?;
        let store = ParamStore::from_tensors(load_tensors(weights)?, device);
        let session = Self { tags: run.load_tags()?, ..Self::build(config, store, device, true)? };
        session.store.check_all_used()?;
        Ok((session, selected_step(run)))
    }

    /// The elements of all weights: the backbone's and those of the generator.
    ///
    /// # Errors
    /// As [`T5::tensors`].
    pub fn parameters(&self) -> Result<usize> {
        let backbone = self.model.t5().tensors()?;
        let own = self.store.tensors().into_iter().filter(|(name, _)| !backbone.contains_key(name));
        let own: usize = own.map(|(_, tensor)| tensor.elem_count()).sum();
        Ok(own + backbone.values().map(candle_core::Tensor::elem_count).sum::<usize>())
    }

    /// Where `leaves_table` is set, a frozen embedding table stays in its file: one who trains needs all of it, one who labels
    /// a few rows.
    fn build(config: Config, store: ParamStore, device: &Device, leaves_table: bool) -> Result<Self> {
        let Backbone { config: shape, mut weights, folder } = Backbone::open(&config.model, config.seed)?;
        let tasks = Tasks::new(config.require_tasks()?.iter().map(|task| task.name.as_str()));
        let parts =
            Parts { config: &shape, methods: &config.peft, generator: config.generator.as_ref(), tasks: &tasks };
        let mut table = None;
        if leaves_table && config.model.trainable != Trainable::All {
            (weights, table) = weights.leave_table(&shape, device)?;
        }
        let held = held_in(config.model.dtype, parts, device)?;
        // Beside each other. The tokenizer's many small pieces stay with this thread: glibc grows another's memory page by page.
        // For the same reason it makes the room for the weights. It gets a core of its own, then helps.
        let loading = weights.prefetch(held, device);
        let tokenizer = rayon::in_place_scope(|scope| {
            (1..rayon::current_num_threads()).for_each(|_| scope.spawn(|_| loading.work()));
            let tokenizer = open_tokenizer(config.model.tokenizer.as_deref(), folder.as_deref());
            loading.work();
            tokenizer
        })?;
        check_vocabulary(&tokenizer, &shape)?;
        let weights = loading.finish()?.trainable(config.model.trainable, &store);
        let t5 = T5::with_table(&shape, table, weights.var_builder(held, device))?;
        let model = PeftT5::on(t5, parts, store.var_builder())?.decoding_in(config.model.dtype);
        Ok(Self { tokenizer, model, store, tags: TagSets::new(), device: device.clone(), config })
    }
}

/// The type in which linear maps are opened that are to be held in `dtype`.
///
/// Those at which methods act get eight bits when these have been folded into them, so that they are rounded once.
fn held_in(dtype: WeightType, parts: Parts<'_>, device: &Device) -> Result<DType> {
    if dtype != WeightType::Int8 {
        return Ok(dtype.into());
    }
    if !device.is_cpu() {
        return Err(Error::Config("model.dtype int8 is for the CPU: give --device cpu, or another --dtype".into()));
    }
    let outline = T5::new(parts.config, Weights::shapes_only().var_builder(DType::F32, device))?;
    let plan = Plan::resolve(outline.sites(), parts.methods)?;
    let is_linear = |site: &Site| matches!(site.kind, SiteKind::Linear { .. });
    let acts = |site: &Site| outline.sites().find(&site.path).is_some_and(|id| !plan.at(id).is_empty());
    let targets_one = outline.sites().iter().any(|site| is_linear(site) && acts(site));
    Ok(if targets_one { DType::F32 } else { dtype.into() })
}

/// The step in the name of the checkpoint that `best` points to.
fn selected_step(run: &RunDir) -> usize {
    let target = resolve_link(run.best()).ok().flatten();
    let name = target.as_deref().and_then(|t| t.file_name()?.to_str()?.strip_prefix("step-")?.parse().ok());
    name.unwrap_or_default()
}
