//! One step: gradients, their exchange, the optimizer.

use std::time::Instant;

use candle_core::Tensor;
use peft_core::Ctx;
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
}
