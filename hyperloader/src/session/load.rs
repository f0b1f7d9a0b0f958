//! [`Session`]: configuration, tokenizer, model and variables.

use std::path::{Path, PathBuf};

use candle_core::{DType, Device};
use datasets::tokenizer::T5Tokenizer;
use peft_core::{ParamStore, PeftModel, PeftParts, Plan, Site, SiteKind};
use tracing::info;

use super::relocate::near_run;
use crate::config::Config;
use crate::files::{resolve_link, unicode};
use crate::label::{DecodeOptions, Decoding, Labeller};
use crate::model::{BackboneSource, Precision, check_vocabulary, open_tokenizer};
use crate::run::{ADAPTER_FILE, MODEL_FILE, RunDir, TagSets};
use crate::tasks::Corpus;
use crate::{Error, Result};
use peft_files::load_tensors;
use peft_t5::{T5, T5Config, Trainable, Weights};

/// A model that is ready to train or to label, with everything that it was made from.
#[derive(Debug)]
pub struct Session {
    /// The resolved configuration.
    pub config: Config,
    /// The tokenizer.
    pub tokenizer: T5Tokenizer,
    /// The model.
    pub model: PeftModel<T5>,
    /// The tags of its tasks, if the run folder keeps them.
    pub tags: TagSets,
    /// The device of its tensors.
    pub device: Device,
    /// The folder that the backbone's weights came from, if they did.
    pub(super) folder: Option<PathBuf>,
}

impl Session {
    /// A model before training: pretrained backbone, PEFT weights at their seeded initial values.
    ///
    /// # Errors
    /// If the backbone or the tokenizer cannot be loaded, the configuration does not fit the backbone, or the frozen matrices
    /// have a type that gradients cannot pass through.
    pub fn new(config: Config, device: &Device) -> Result<Self> {
        config.model.check_trains()?;
        let store = ParamStore::new(config.seed, device);
        Self::build(config, store, device, false)
    }

    /// The trained model of a run, and the step at which its weights were saved (0 if they were copied without their
    /// checkpoint).
    ///
    /// # Errors
    /// If the folder contains no finished run, or its weights do not fit its configuration.
    pub fn load(run: &RunDir, device: &Device) -> Result<(Self, usize)> {
        Self::load_in(run, device, None)
    }

    /// Like [`load`](Self::load), with the backbone's frozen matrices in `dtype`; `None` takes the type of the run.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_in(run: &RunDir, device: &Device, dtype: Option<Precision>) -> Result<(Self, usize)> {
        let mut config = config_of(run)?;
        config.model.dtype = dtype.unwrap_or(config.model.dtype);
        let store = ParamStore::from_tensors(load_tensors(weights_of(run)?)?, device);
        let session = Self { tags: run.load_tags()?, ..Self::build(config, store, device, true)? };
        session.model.store().check_all_used()?;
        Ok((session, selected_step(run)))
    }

    /// A model that goes on to train, with the values of `store`, all of which must be used.
    ///
    /// # Errors
    /// As [`new`](Self::new); if the model lacks a value or does not use one.
    pub(super) fn with_store(config: Config, store: ParamStore, device: &Device) -> Result<Self> {
        config.model.check_trains()?;
        let session = Self::build(config, store, device, false)?;
        session.model.store().check_all_used()?;
        Ok(session)
    }

    /// A labeller for the task called `task`, which decodes as the configuration says.
    ///
    /// # Errors
    /// If the configuration has no such task; as [`Labeller::new`] and, with structured decoding, [`tags_of`](Self::tags_of).
    pub fn labeller(&self, task: &str) -> Result<Labeller<'_>> {
        let corpus = self.config.corpus(self.config.task(task)?)?;
        let tags = match self.config.eval.decoding {
            Decoding::Structured => self.tags_of(&corpus)?,
            Decoding::Free => Vec::new(),
        };
        Labeller::new(
            &self.model,
            &self.tokenizer,
            corpus.label_task(tags),
            &DecodeOptions::from(&self.config.eval).int8(self.config.model.dtype == Precision::Int8),
        )
    }

    /// The simplified tags of a task: those that the run folder keeps or, if it keeps none, those of the training data.
    ///
    /// # Errors
    /// [`Error::Config`] saying what to do if the run folder keeps none and the training data cannot be read.
    pub fn tags_of(&self, corpus: &Corpus) -> Result<Vec<String>> {
        if let Some(tags) = self.tags.get(&corpus.name) {
            return Ok(tags.clone());
        }
        corpus.tags().map_err(|e| {
            let name = &corpus.name;
            Error::Config(format!(
                "the tags of task {name:?} are not known: the run folder has no tags.json with them, and the training data \
                 cannot be read ({e}). Put a tags.json next to config.toml, {{\"{name}\": [\"I\", \"O\", \"type\", ..]}}, or \
                 make the training data readable, or decode freely with --decoding free"
            ))
        })
    }

    /// The number of elements of all weights: the backbone's and the generator's.
    ///
    /// # Errors
    /// As [`T5::tensors`].
    pub fn parameters(&self) -> Result<usize> {
        let backbone = self.model.backbone().tensors()?;
        let own = self.model.store().tensors().into_iter().filter(|(name, _)| !backbone.contains_key(name));
        let own: usize = own.map(|(_, tensor)| tensor.elem_count()).sum();
        Ok(own + backbone.values().map(candle_core::Tensor::elem_count).sum::<usize>())
    }

    /// If `leaves_table` is set, a frozen embedding table stays in its file: training needs all of it, labelling a few rows.
    fn build(config: Config, store: ParamStore, device: &Device, leaves_table: bool) -> Result<Self> {
        let BackboneSource { config: shape, mut weights, folder } = BackboneSource::open(&config.model, config.seed)?;
        let parts = config.parts()?;
        let mut table = None;
        if leaves_table && config.model.trainable != Trainable::All {
            (weights, table) = weights.leave_table(&shape, device)?;
        }
        let held = held_in(config.model.dtype, &shape, &parts, device)?;
        // Load weights and tokenizer concurrently. Allocate the weights and keep the tokenizer on this thread: glibc grows other
        // threads' arenas one page at a time. This thread helps with the weights once the tokenizer is loaded.
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
        let model = PeftModel::new(t5, parts, &store, store.var_builder())?;
        Ok(Self { tokenizer, model, tags: TagSets::new(), device: device.clone(), config, folder })
    }
}

/// The type of the frozen matrices of `run`: the `given` one, or that of its configuration.
///
/// # Errors
/// If none is given: [`Error::Config`] if `run` is no run folder; as [`Config::load`].
pub fn dtype_of(run: &RunDir, given: Option<Precision>) -> Result<Precision> {
    given.map_or_else(|| Ok(written_config(run)?.model.dtype), Ok)
}

/// The configuration of `run` as it was written.
///
/// # Errors
/// [`Error::Config`] if `run` is no run folder; as [`Config::load`].
fn written_config(run: &RunDir) -> Result<Config> {
    let path = run.config();
    if !path.is_file() {
        let root = run.root();
        let reason = match (root.is_dir(), root.exists()) {
            (true, _) => "it has no config.toml",
            (false, true) => "it is a file",
            (false, false) => "there is no such folder",
        };
        return Err(Error::Config(format!("{} is no run folder: {reason}", root.display())));
    }
    Config::load(&path, &[])
}

/// The configuration of `run`, with the places where its backbone and its tokenizer are now.
///
/// # Errors
/// [`Error::Config`] if `run` is no run folder; as [`Config::load`].
pub(super) fn config_of(run: &RunDir) -> Result<Config> {
    let mut config = written_config(run)?;
    if run.is_self_contained() {
        config.model.name = unicode(run.root())?;
        config.model.tokenizer = None;
    }
    if let Some(folder) = near_run(Path::new(&config.model.name), run.root()) {
        info!("the backbone {} of this run is {}", config.model.name, folder.display());
        config.model.name = unicode(&folder)?;
    }
    config.model.tokenizer = config.model.tokenizer.map(|path| near_run(&path, run.root()).unwrap_or(path));
    Ok(config)
}

/// The file of the trained weights of `run`: its own, or that of the selected checkpoint.
///
/// # Errors
/// [`Error::Config`] if there is none yet.
pub(super) fn weights_of(run: &RunDir) -> Result<PathBuf> {
    let best = resolve_link(run.best())?.map(|folder| folder.join(ADAPTER_FILE));
    let weights = [Some(run.root().join(ADAPTER_FILE)), best].into_iter().flatten().find(|p| p.is_file());
    weights.ok_or_else(|| {
        let (root, backbone) = (run.root().display(), run.root().join(MODEL_FILE).is_file());
        Error::Config(match backbone {
            true => {
                format!("{root}: this is a backbone of pretrain, which has no task yet; train on it, as model.name")
            }
            false => format!("{root} has no {ADAPTER_FILE}: the run has not saved a checkpoint yet"),
        })
    })
}

/// The type in which linear maps are loaded so that the model holds them in `dtype`.
///
/// With eight bits, weights that methods act on are loaded in `f32` and quantized after merging, so that they are rounded once.
fn held_in(dtype: Precision, shape: &T5Config, parts: &PeftParts, device: &Device) -> Result<DType> {
    if dtype != Precision::Int8 {
        return Ok(dtype.into());
    }
    if !device.is_cpu() {
        return Err(Error::Config(
            "model.dtype int8 runs on the CPU only: give --device cpu, or another --dtype".into(),
        ));
    }
    let outline = T5::new(shape, Weights::shapes_only().var_builder(DType::F32, device))?;
    let plan = Plan::resolve(outline.sites(), &parts.methods)?;
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
