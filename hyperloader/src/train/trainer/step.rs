//! One step: gradients, their exchange, the optimizer.
//!
//! On a device nothing is read back before all of a step's work is under way: losses and the gradients' norm come in one transfer, because
//! the host waits at each for everything before it.

use std::time::Instant;

use peft_core::{Ctx, goes_device_way};
use tracing::trace_span;

use super::Trainer;
use crate::optim::Gradients;
use crate::telemetry::{StepRecord, Telemetry};
use crate::train::collective::{StepPart, sum_gradients};
use crate::train::{Objective, Step};
use crate::{Error, Result};

impl<O: Objective> Trainer<'_, O> {
    pub(super) fn train_step(&mut self, telemetry: &mut Telemetry) -> Result<()> {
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
        let (mut gradients, mut losses, mut part) = (Vec::<Gradients>::new(), Vec::new(), StepPart::default());
        let first = self.ranks.rank() * own.get();
        for (micro, batch) in micro_batches.into_iter().enumerate().skip(first).take(own.get()) {
            let pass = (self.step * count.get() + micro) as u64;
            let mut ctx = Ctx::train(self.options.seed, pass).with_kernels(self.options.kernels);
            let micro_loss = self.objective.loss(batch, &mut ctx)?;
            losses.push(micro_loss.value.detach());
            part.tokens += micro_loss.tokens;
            let _span = trace_span!("backward").entered();
            // Graph and intermediate gradients are freed here, before the next micro-batch needs memory.
            let own = self.gathered(Gradients::from_store(&micro_loss.value.backward()?, &self.store.vars()))?;
            match gradients.last_mut() {
                Some(sum) if !self.ranks.are_many() => sum.add(&own)?,
                _ => gradients.push(own),
            }
        }
        part.stops = self.interrupt.is_requested();
        if self.ranks.are_many() {
            part.loss = self.finite(&Gradients::default().norm_and(&losses)?.1)?;
        }
        let (mut gradients, mut part) = trace_span!("exchange").in_scope(|| {
            let gradients = self.gathered(sum_gradients(&*self.ranks, gradients, &self.store.vars())?)?;
            Ok::<_, Error>((gradients, part.sum(&*self.ranks)?))
        })?;
        self.stops = part.stops;
        let learning_rate = self.options.schedule.lr(self.step);
        let grad_norm = trace_span!("optimizer").in_scope(|| {
            gradients.average(count)?;
            let (norm, values) = gradients.norm_and(if self.ranks.are_many() { &[] } else { &losses })?;
            if !self.ranks.are_many() {
                part.loss = self.finite(&values)?;
            }
            self.clip(&mut gradients, norm)?;
            self.optimizer.apply_gradients(&gradients, learning_rate)?;
            Ok::<_, Error>(norm)
        })?;
        let StepPart { loss, tokens, .. } = part;
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

    /// The sum of the losses, in their order.
    fn finite(&self, losses: &[f64]) -> Result<f64> {
        match losses.iter().find(|loss| !loss.is_finite()) {
            None => Ok(losses.iter().sum()),
            Some(loss) => {
                let step = self.step + 1;
                Err(Error::Training(format!("step {step}: the loss is {loss}; try a smaller learning_rate")))
            }
        }
    }

    /// The gradients in one buffer where that makes the rest of the step fast.
    fn gathered(&self, gradients: Gradients) -> Result<Gradients> {
        match goes_device_way(self.store.device(), self.options.kernels) {
            true => gradients.gathered(),
            false => Ok(gradients),
        }
    }

    fn clip(&self, gradients: &mut Gradients, norm: f64) -> Result<()> {
        if norm.is_finite() {
            return gradients.clip_by(norm, self.options.max_grad_norm);
        }
        let name = gradients.first_non_finite()?.unwrap_or("their sum").to_owned();
        Err(Error::Training(format!(
            "step {}: the gradient of {name} is not finite; try a smaller learning_rate",
            self.step + 1
        )))
    }
}
