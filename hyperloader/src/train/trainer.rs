//! The training loop.

use std::time::Instant;

use candle_core::Tensor;
use peft_core::{Ctx, ParamStore};
use peft_files::write_listed;
use tracing::{info, trace_span, warn};

use super::checkpoint::{Best, Checkpoint, State};
use super::collective::{StepPart, require_same_everywhere, sum_gradients};
use super::share::{share_folder, weights_hash};
use super::{
    Inputs, Interrupt, Objective, Ranks, Step, TrainOptions, check_gradients, compare_gradients, require_same_inputs,
};
use crate::optim::{AdamW, Gradients};
use crate::run::RunDir;
use crate::telemetry::{StepRecord, Telemetry};
use crate::{Error, Result};

/// The result of a finished run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrainOutput {
    /// The step whose weights were selected.
    pub selected: usize,
    /// The best validation score; `None` without validation data.
    pub best: Option<Best>,
    /// The number of labels that were trained on.
    pub tokens: usize,
}

/// Trains the variables of a store for an objective.
///
/// Each step opens the [`tracing`] spans `step`, `backward` and `optimizer`, at level `TRACE`.
#[derive(Debug)]
pub struct Trainer<'a, O> {
    store: &'a ParamStore,
    objective: O,
    options: TrainOptions,
    run: RunDir,
    optimizer: AdamW,
    interrupt: Interrupt,
    ranks: Ranks,
    /// Whether a rank was asked to stop.
    stops: bool,
    /// Whether the run folder was there: it must not go away.
    has_folder: bool,
    step: usize,
    tokens: usize,
    best: Option<Best>,
    /// The step of the newest checkpoint that this trainer wrote or read.
    saved: Option<usize>,
}

impl<'a, O: Objective> Trainer<'a, O> {
    /// A trainer before its first step.
    ///
    /// # Errors
    /// If the optimizer's configuration is out of range, or a variable is not f32.
    pub fn new(store: &'a ParamStore, objective: O, options: TrainOptions, run: RunDir) -> Result<Self> {
        Ok(Self {
            store,
            objective,
            optimizer: AdamW::new(store.vars(), options.optimizer)?,
            options,
            run,
            interrupt: Interrupt::default(),
            ranks: Ranks::default(),
            stops: false,
            has_folder: false,
            step: 0,
            tokens: 0,
            best: None,
            saved: None,
        })
    }

    /// The same trainer, which saves its state and stops between two steps once `interrupt` is requested.
    #[must_use]
    pub fn with_interrupt(mut self, interrupt: Interrupt) -> Self {
        self.interrupt = interrupt;
        self
    }

    /// The same trainer as one of several ranks. Each computes so many micro-batches of a step as
    /// [`gradient_accumulation_steps`](TrainOptions::gradient_accumulation_steps) says, and rank 0 writes the files.
    #[must_use]
    pub fn with_ranks(mut self, ranks: Ranks) -> Self {
        self.ranks = ranks;
        self
    }

    /// Continues from the newest checkpoint of the run, if there is one; returns its step.
    ///
    /// # Errors
    /// If the checkpoint is damaged, belongs to another model or to other data, or has more steps than the run shall have.
    pub fn resume(&mut self) -> Result<Option<usize>> {
        let Some(step) = self.run.steps()?.pop() else {
            return Ok(None);
        };
        let folder = self.run.checkpoint(step);
        let checkpoint = Checkpoint::load(&folder, self.options.weights_file)?;
        require_same_inputs(&folder, &checkpoint.state.inputs, &self.options.inputs)?;
        if checkpoint.state.step > self.options.max_steps {
            return Err(Error::Config(format!(
                "{}: the run has done {} steps, and max_steps is {}; give at least as many",
                folder.display(),
                checkpoint.state.step,
                self.options.max_steps
            )));
        }
        self.say_new_ranks(&checkpoint.state);
        self.store.load(&checkpoint.weights)?;
        self.optimizer.load_state(&checkpoint.optimizer)?;
        self.objective.restore(checkpoint.state.objective)?;
        self.step = checkpoint.state.step;
        self.tokens = checkpoint.state.tokens;
        self.best = checkpoint.state.best;
        self.saved = Some(step);
        Ok(Some(step))
    }

    fn say_new_ranks(&self, state: &State) {
        let (before, now) = (state.ranks, self.ranks.size());
        if before != now {
            let micro_batches = self.options.gradient_accumulation_steps.get() * now.get();
            let step = state.step;
            warn!(
                "step {step}: {before} ranks have trained so far, and {now} go on, with {micro_batches} micro-batches in a step"
            );
        }
    }

    /// Runs the gradient checks of [`check_gradients`] and [`compare_gradients`] with the objective's probes. What they find, and how
    /// long they take, is logged.
    ///
    /// # Errors
    /// If a trainable variable receives no gradient or a wrong one, or a tensor of `frozen` receives one.
    pub fn check_gradients(&mut self, frozen: &[(String, Tensor)]) -> Result<()> {
        let start = Instant::now();
        let mut ctx = Ctx::eval().with_kernels(self.options.kernels);
        check_gradients(self.store, &self.objective.probes(&mut ctx)?, frozen)?;
        // Dropout has a backward pass too. With one seed it is the same in every pass.
        let ctx = Ctx::train(self.options.seed, 0).with_kernels(self.options.kernels).with_exact_gradients();
        let objective = &mut self.objective;
        let report = compare_gradients(self.store, || objective.probes(&mut ctx.clone()))?;
        info!("before step 1: {report}; {:.1} s", start.elapsed().as_secs_f64());
        Ok(())
    }

    /// Trains to the last step, and leaves the selected weights in the store and in the run folder.
    ///
    /// # Errors
    /// [`Error::Interrupted`] once an interrupt is requested; [`Error::Training`] at a loss or gradient that is not
    /// finite, naming the step and the tensor; the error of a file or tensor operation that fails.
    pub fn run(&mut self, telemetry: &mut Telemetry) -> Result<TrainOutput> {
        let _awaited = self.interrupt.await_request()?;
        self.require_same_ranks(self.options.inputs.clone())?;
        self.has_folder = self.run.root().exists();
        while self.step < self.options.max_steps {
            self.train_step(telemetry)?;
            let last = self.step == self.options.max_steps;
            self.validate_and_save(last, telemetry)?;
            // Ranks stop together, after the step in which one of them was asked to.
            let stops = if self.ranks.are_many() { self.stops } else { self.interrupt.is_requested() };
            if stops && !last {
                if self.saved != Some(self.step) {
                    self.save()?;
                }
                return Err(Error::Interrupted { step: self.step, path: self.run.checkpoint(self.step) });
            }
        }
        self.finish()
    }

    fn train_step(&mut self, telemetry: &mut Telemetry) -> Result<()> {
        let _span = trace_span!("step").entered();
        let start = Instant::now();
        let own = self.options.gradient_accumulation_steps;
        let too_many = || Error::Config("train.gradient_accumulation_steps: too many micro-batches in a step".into());
        let count = own.checked_mul(self.ranks.size()).ok_or_else(too_many)?;
        // Every rank draws all of the step, as one process would.
        let Step { name, micro_batches } = self.objective.next_step(count)?;
        if micro_batches.len() != count.get() {
            let given = micro_batches.len();
            return Err(Error::Training(format!("the objective gave {given} micro-batches for a step of {count}")));
        }
        let (mut gradients, mut part) = (Vec::<Gradients>::new(), StepPart::default());
        let first = self.ranks.rank() * own.get();
        for (micro, batch) in micro_batches.into_iter().enumerate().skip(first).take(own.get()) {
            let pass = (self.step * count.get() + micro) as u64;
            let mut ctx = Ctx::train(self.options.seed, pass).with_kernels(self.options.kernels);
            let micro_loss = self.objective.loss(batch, &mut ctx)?;
            part.loss += self.finite(&micro_loss.value)?;
            part.tokens += micro_loss.tokens;
            let _span = trace_span!("backward").entered();
            // Graph and intermediate gradients are freed here, before the next micro-batch needs memory.
            let own = Gradients::from_store(&micro_loss.value.backward()?, &self.store.vars());
            match gradients.last_mut() {
                Some(sum) if !self.ranks.are_many() => sum.add(&own)?,
                _ => gradients.push(own),
            }
        }
        part.stops = self.interrupt.is_requested();
        let (mut gradients, part) = trace_span!("exchange").in_scope(|| {
            let gradients = sum_gradients(&*self.ranks, gradients, &self.store.vars())?;
            Ok::<_, Error>((gradients, part.sum(&*self.ranks)?))
        })?;
        let StepPart { loss, tokens, stops } = part;
        self.stops = stops;
        let learning_rate = self.options.schedule.lr(self.step);
        let grad_norm = trace_span!("optimizer").in_scope(|| {
            gradients.average(count)?;
            let norm = self.clip(&mut gradients)?;
            self.optimizer.apply_gradients(&gradients, learning_rate)?;
            Ok::<_, Error>(norm)
        })?;
        self.step += 1;
        self.tokens += tokens;
        let loss_per_token = match self.options.loss_is_mean {
            true => loss / count.get() as f64,
            false => loss / tokens as f64,
        };
        telemetry.step(self.step, loss_per_token, tokens);
        if !self.step.is_multiple_of(self.options.logging_steps.get()) {
            return Ok(());
        }
        telemetry.record(&StepRecord {
            step: self.step,
            epoch: self.step as f64 / self.options.steps_per_epoch,
            loss: loss / count.get() as f64,
            loss_per_token,
            learning_rate,
            grad_norm,
            tokens_per_second: tokens as f64 / start.elapsed().as_secs_f64(),
            task: name,
            seconds: telemetry.seconds(),
        })
    }

    fn finite(&self, loss: &Tensor) -> Result<f64> {
        let value = f64::from(loss.to_scalar::<f32>()?);
        if value.is_finite() {
            return Ok(value);
        }
        Err(Error::Training(format!("step {}: the loss is {value}; try a smaller learning_rate", self.step + 1)))
    }

    fn clip(&self, gradients: &mut Gradients) -> Result<f64> {
        let norm = gradients.clip_grad_norm(self.options.max_grad_norm)?;
        if norm.is_finite() {
            return Ok(norm);
        }
        let name = gradients.first_non_finite()?.unwrap_or("their sum").to_owned();
        Err(Error::Training(format!(
            "step {}: the gradient of {name} is not finite; try a smaller learning_rate",
            self.step + 1
        )))
    }

    fn validate_and_save(&mut self, last: bool, telemetry: &mut Telemetry) -> Result<()> {
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

    fn save(&mut self) -> Result<()> {
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
    fn require_same_ranks(&self, mut inputs: Inputs) -> Result<()> {
        if self.ranks.are_many() {
            inputs.insert(format!("value of a weight at step {}", self.step), weights_hash(self.store)?);
        }
        require_same_everywhere(&*self.ranks, &inputs)
    }

    fn finish(&mut self) -> Result<TrainOutput> {
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
