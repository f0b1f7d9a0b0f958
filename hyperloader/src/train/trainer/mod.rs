//! The training loop.

mod save;
mod step;

use std::time::Instant;

use candle_core::Tensor;
use peft_core::{Ctx, ParamStore};
use tracing::{info, warn};

use super::checkpoint::{Best, Checkpoint, State};
use super::{Interrupt, Objective, Ranks, TrainOptions, check_gradients, compare_gradients, require_same_inputs};
use crate::optim::AdamW;
use crate::run::RunDir;
use crate::telemetry::Telemetry;
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
            optimizer: AdamW::new(store.vars(), options.optimizer)?.with_kernels(options.kernels),
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
}
