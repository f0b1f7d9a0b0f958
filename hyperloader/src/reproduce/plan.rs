//! What a suite consists of: its cells and their configurations.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use super::cell::Cell;
use super::compose::compose;
use super::corpora::{CorpusSource, find_corpora};
use super::scale::{Scale, ScaleSettings};
use super::suite::{Entry, Models, Suite};
use crate::config::{Config, PretrainConfig};
use crate::files::unicode;
use crate::{Error, Result};

/// The first seed; the others follow it.
const FIRST_SEED: u64 = 42;

/// What is asked of a suite.
#[derive(Debug, Clone)]
pub struct SuiteOptions {
    /// Which comparison.
    pub suite: Suite,
    /// At which size.
    pub scale: Scale,
    /// The number of seeds: 42 and those after it.
    pub seeds: NonZeroUsize,
    /// The folder of the corpora.
    pub data: PathBuf,
    /// The folder of the suite.
    pub out: PathBuf,
    /// The names of the corpora; empty: all that are there.
    pub tasks: Vec<String>,
    /// The names of the systems; empty: the suite's.
    pub systems: Vec<String>,
    /// The shares of the data; empty: the suite's.
    pub fractions: Vec<f64>,
    /// A backbone in place of the scale's: a folder or a name on the hub.
    pub backbone: Option<String>,
}

/// A suite that can be run.
#[derive(Debug, Clone)]
pub struct SuitePlan {
    /// What was asked for.
    pub options: SuiteOptions,
    /// What the scale sets.
    pub settings: ScaleSettings,
    /// The corpora.
    pub corpora: Vec<CorpusSource>,
    /// What is left out because it is not there, with where to get it.
    pub left_out: Vec<String>,
    /// The systems.
    pub entries: Vec<Entry>,
    /// The shares of the data.
    pub fractions: Vec<f64>,
    /// The seeds.
    pub seeds: Vec<u64>,
}

/// The fewest validations of a model of the suite `init`, which compares how fast models learn.
const VALIDATIONS_OF_INIT: usize = 40;

impl SuitePlan {
    /// The plan of `options`. Nothing is written.
    ///
    /// # Errors
    /// [`Error::Config`] if there is no corpus, or if a corpus, a system or a share is wrong.
    pub fn new(options: SuiteOptions) -> Result<Self> {
        let settings = options.scale.settings()?;
        let (corpora, left_out) = find_corpora(&options.data, &options.tasks)?;
        let entries = options.suite.entries(&options.systems)?;
        let fractions = match options.fractions.as_slice() {
            [] => options.suite.fractions().to_vec(),
            given => given.to_vec(),
        };
        if let Some(wrong) = fractions.iter().find(|fraction| !(**fraction > 0. && **fraction <= 1.)) {
            return Err(Error::Config(format!("--fractions: {wrong} is no share; expected more than 0 and at most 1")));
        }
        let seeds = (0..options.seeds.get() as u64).map(|number| FIRST_SEED + number).collect();
        Ok(Self { options, settings, corpora, left_out, entries, fractions, seeds })
    }

    /// Its cells: seed by seed, so that an unfinished suite has whole comparisons first.
    pub fn cells(&self) -> Vec<Cell> {
        let mut cells = Vec::new();
        for &seed in &self.seeds {
            for &fraction in &self.fractions {
                for Entry { system, .. } in &self.entries {
                    let cell = |task: Option<&str>| Cell {
                        system: system.name.clone(),
                        task: task.map(str::to_owned),
                        fraction,
                        seed,
                    };
                    match system.models {
                        Models::One => cells.push(cell(None)),
                        Models::Each => cells.extend(self.corpora.iter().map(|corpus| cell(Some(&corpus.name)))),
                    }
                }
            }
        }
        cells
    }

    /// The system called `name`.
    ///
    /// # Errors
    /// [`Error::Internal`] if the plan has no such system.
    pub fn entry(&self, name: &str) -> Result<&Entry> {
        let found = self.entries.iter().find(|entry| entry.system.name == name);
        found.ok_or_else(|| Error::Internal(format!("the suite has no system {name:?}")))
    }

    /// The configuration of a system's model of all tasks whose corpora are in `data`, before steps are shared out.
    ///
    /// # Errors
    /// As [`compose`].
    pub fn system_config(&self, entry: &Entry, data: &Path) -> Result<Config> {
        compose(&entry.system, &self.settings, &self.corpora, data)
    }

    /// The configuration of `cell`. A model of one task gets its part of the steps, so that all models of a system together train as
    /// many steps as a model of all tasks.
    ///
    /// # Errors
    /// As [`compose`].
    pub fn config(&self, cell: &Cell) -> Result<Config> {
        let entry = self.entry(&cell.system)?;
        let mut config = self.system_config(entry, &self.options.data)?;
        config.seed = cell.seed;
        config.data.fraction = cell.fraction;
        config.model.name = self.backbone()?;
        config.pretrain = None;
        let mut share = entry.steps;
        if let Some(task) = &cell.task {
            share /= config.tasks.len().max(1) as f64;
            config.tasks.retain(|own| own.name == *task);
        }
        let train = &mut config.train;
        let part = |steps: usize| ((steps as f64 * share).round() as usize).max(usize::from(steps > 0));
        train.max_steps = NonZeroUsize::new(part(train.max_steps.get())).unwrap_or(NonZeroUsize::MIN);
        train.warmup_steps = part(train.warmup_steps).min(train.max_steps.get().saturating_sub(1));
        train.eval_steps = part(train.eval_steps);
        if self.options.suite == Suite::Init {
            train.eval_steps = train.eval_steps.min((train.max_steps.get() / VALIDATIONS_OF_INIT).max(1));
        }
        train.save_steps = part(train.save_steps);
        Ok(config)
    }

    /// The name of the backbone of all cells.
    ///
    /// # Errors
    /// [`Error::Config`] if the path of the suite's folder is no text.
    pub fn backbone(&self) -> Result<String> {
        match (&self.options.backbone, &self.settings.backbone) {
            (Some(name), _) | (None, Some(name)) => Ok(name.clone()),
            (None, None) => unicode(&self.backbone_folder()),
        }
    }

    /// The folder of the backbone that the suite pretrains.
    pub fn backbone_folder(&self) -> PathBuf {
        self.options.out.join("backbone")
    }

    /// The configuration that pretrains the backbone; `None` if it is not the suite that makes it.
    ///
    /// # Errors
    /// As [`compose`].
    pub fn pretraining(&self) -> Result<Option<Config>> {
        if self.options.backbone.is_some() || self.settings.backbone.is_some() {
            return Ok(None);
        }
        let Some(entry) = self.entries.first() else { return Ok(None) };
        let composed = self.system_config(entry, &self.options.data)?;
        let pretrain: Option<PretrainConfig> = composed.pretrain;
        Ok(Some(Config { data: composed.data, tasks: composed.tasks, pretrain, ..Config::default() }))
    }
}
