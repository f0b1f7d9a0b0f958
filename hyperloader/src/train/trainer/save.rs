//! Validation and checkpoints.

use peft_files::write_listed;
use tracing::warn;

use super::Trainer;
use crate::telemetry::Telemetry;
use crate::train::checkpoint::{Best, Checkpoint, State};
use crate::train::collective::require_same_everywhere;
use crate::train::share::{share_folder, weights_hash};
use crate::train::{Inputs, Objective, TrainOutput};
use crate::{Error, Result};

impl<O: Objective> Trainer<'_, O> {
    pub(super) fn validate_and_save(&mut self, last: bool, telemetry: &mut Telemetry) -> Result<()> {
        let due = |every: usize| last || (every > 0 && self.step.is_multiple_of(every));
        let (validate, save) = (due(self.options.eval_steps), due(self.options.save_steps));
        let score = if validate { self.objective.validate(&self.ranks)? } else { None };
        let mut improved = false;
        if let Some(score) = score {
            let scalars: Vec<(&str, f64)> = score.scalars.iter().map(|(name, value)| (name.as_str(), *value)).collect();
            telemetry.scalars(self.step, &scalars)?;
            improved = self.best.is_none_or(|best| score.selection > best.score);
            if improved {
                self.best = Some(Best { step: self.step, score: score.selection });
            }
        }
        if save || (improved && self.options.select_best) {
            telemetry.flush()?;
            self.save()?;
        }
        Ok(())
    }

    /// The step whose weights are selected: the best, or the newest.
    fn selected(&self) -> usize {
        let best = self.best.filter(|_| self.options.select_best);
        best.map_or(self.step, |best| best.step)
    }

    pub(super) fn save(&mut self) -> Result<()> {
        self.require_same_ranks(Inputs::new())?;
        if !self.ranks.is_first() {
            self.saved = Some(self.step);
            return Ok(());
        }
        if self.has_folder && !self.run.root().is_dir() {
            let reason = format!("step {}: the run folder was moved or removed while the run trained", self.step);
            return Err(Error::io(self.run.root(), std::io::Error::new(std::io::ErrorKind::NotFound, reason)));
        }
        self.has_folder = true;
        let checkpoint = Checkpoint {
            state: State {
                step: self.step,
                tokens: self.tokens,
                best: self.best,
                objective: self.objective.state()?,
                ranks: self.ranks.size(),
                inputs: self.options.inputs.clone(),
            },
            weights: self.store.tensors(),
            optimizer: self.optimizer.state()?,
        };
        checkpoint.save(&self.run.checkpoint(self.step), self.options.weights_file)?;
        self.saved = Some(self.step);
        self.select_and_prune()
    }

    fn select_and_prune(&self) -> Result<()> {
        self.run.select(self.selected())?;
        if let Err(error) = self.run.prune(self.options.save_total_limit, Some(self.selected())) {
            warn!("an old checkpoint could not be removed: {error}");
        }
        Ok(())
    }

    /// Refuses to go on if ranks differ in `inputs` or in their weights: they would train different models.
    pub(super) fn require_same_ranks(&self, mut inputs: Inputs) -> Result<()> {
        if self.ranks.are_many() {
            inputs.insert(format!("value of a weight at step {}", self.step), weights_hash(self.store)?);
        }
        require_same_everywhere(&*self.ranks, &inputs)
    }

    pub(super) fn finish(&mut self) -> Result<TrainOutput> {
        let selected = self.selected();
        let folder = self.run.checkpoint(selected);
        if self.ranks.is_first() {
            // A process may have been killed right after it saved the last checkpoint.
            self.select_and_prune()?;
        }
        share_folder(&self.ranks, &folder, None)?;
        let checkpoint = Checkpoint::load(&folder, self.options.weights_file)?;
        self.store.load(&checkpoint.weights)?;
        if !self.ranks.is_first() {
            return Ok(TrainOutput { selected, best: self.best, tokens: self.tokens });
        }
        let source = folder.join(self.options.weights_file);
        let bytes = std::fs::read(&source).map_err(|e| Error::io(&source, e))?;
        write_listed(self.run.root().join(self.options.weights_file), &bytes)?;
        Ok(TrainOutput { selected, best: self.best, tokens: self.tokens })
    }
}
