//! The labelling objective: temperature-mixed tasks, one task a step.

use std::num::NonZeroUsize;
use std::sync::Arc;

use candle_core::{Device, Tensor};
use datasets::Example;
use datasets::encode::{Batch, PairView, Pairs, collate};
use datasets::metrics::ScoringMode;
use datasets::sample::TaskSampler;
use datasets::tokenizer::T5Tokenizer;
use peft_core::{Ctx, PeftModel};
use peft_kernels::SmoothedCrossEntropy;
use peft_t5::T5;
use tracing::trace_span;

use super::prefetcher::{Drawing, Prefetcher};
use super::{Loss, Objective, Ranks, Score, Step};
use crate::eval::{TaskCounts, count};
use crate::label::{DecodeOptions, Labeller};
use crate::model::batch_of;
use crate::shards::Shard;
use crate::tasks::Corpus;
use crate::{Error, Result};

/// Sentences of one task in a gradient probe.
const PROBE_SENTENCES: usize = 2;

/// The data of one task.
#[derive(Debug)]
pub struct TaskData {
    /// How its sentences are read and written.
    pub corpus: Corpus,
    /// The simplified tags of the training sentences, sorted.
    pub tags: Vec<String>,
    /// The training sentences.
    pub train: Arc<Pairs>,
    /// The sentences whose score selects the best checkpoint.
    pub validation: Option<Vec<Example>>,
}

/// How batches are drawn and scored.
#[derive(Debug, Clone)]
pub struct LabellingOptions {
    /// The temperature of the task mixing.
    pub temperature: f64,
    /// The seed of the sampler.
    pub seed: u64,
    /// Sentences of one micro-batch.
    pub batch_size: usize,
    /// Whether a step's sentences are sorted by length before they are cut into micro-batches.
    pub length_buckets: bool,
    /// The loss.
    pub loss: SmoothedCrossEntropy,
    /// Decoding in validation.
    pub decode: DecodeOptions,
    /// How tags are read as spans in validation.
    pub mode: ScoringMode,
    /// The device of the batches: the model's.
    pub device: Device,
}

/// A micro-batch: padded sentences of one task.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskBatch {
    /// The task's index among the objective's tasks.
    pub task: usize,
    /// The sentences.
    pub batch: Batch,
}

/// Multi-task sequence labelling (arXiv 2407.01411, section 4): each step draws a task with probability `∝ n^(1/T)` and its
/// sentences uniformly with replacement. A thread makes the batches of the next step while the current step trains.
#[derive(Debug)]
pub struct Labelling<'a> {
    model: &'a PeftModel<T5>,
    tokenizer: &'a T5Tokenizer,
    tasks: &'a [TaskData],
    /// The number of each of them in the model.
    numbers: Vec<usize>,
    options: LabellingOptions,
    /// Sampler state after the last started step; prefetched batches are not counted.
    sampler: TaskSampler,
    /// The first step starts it.
    prefetcher: Option<Prefetcher>,
}

impl<'a> Labelling<'a> {
    /// An objective over `tasks`, which are some or all of the model's tasks.
    ///
    /// # Errors
    /// If there is no task, one has no sentences, or the model does not know one.
    pub fn new(
        model: &'a PeftModel<T5>,
        tokenizer: &'a T5Tokenizer,
        tasks: &'a [TaskData],
        options: LabellingOptions,
    ) -> Result<Self> {
        let sizes: Vec<usize> = tasks.iter().map(|t| t.train.len()).collect();
        let sampler = TaskSampler::new(&sizes, options.temperature, options.seed)?;
        let number = |task: &TaskData| model.tasks().index(&task.corpus.name);
        let numbers = tasks.iter().map(number).collect::<Result<_, _>>()?;
        Ok(Self { model, tokenizer, tasks, numbers, options, sampler, prefetcher: None })
    }

    /// The running prefetcher; a new one, from the sampler's state, if none makes steps of `micro_batches`.
    fn prefetcher(&mut self, micro_batches: NonZeroUsize) -> Result<&mut Prefetcher> {
        let running = self.prefetcher.take().filter(|running| running.micro_batches() == micro_batches);
        let prefetcher = match running {
            Some(running) => running,
            None => {
                let drawing = Drawing {
                    tasks: self.tasks.iter().map(|task| task.train.clone()).collect(),
                    batch_size: self.options.batch_size,
                    micro_batches,
                    by_length: self.options.length_buckets,
                    pad: self.tokenizer.pad_id(),
                };
                Prefetcher::start(drawing, self.sampler.clone())?
            }
        };
        Ok(self.prefetcher.insert(prefetcher))
    }
}

/// The counts of each task, added over all ranks.
fn added(ranks: &Ranks, own: Vec<TaskCounts>) -> Result<Vec<TaskCounts>> {
    if !ranks.are_many() {
        return Ok(own);
    }
    let text = serde_json::to_vec(&own).map_err(|e| Error::Internal(format!("counts are no JSON: {e}")))?;
    let read = |bytes: &Vec<u8>| -> Result<Vec<TaskCounts>> {
        serde_json::from_slice(bytes).map_err(|e| Error::Internal(format!("a rank sent no counts: {e}")))
    };
    let all = ranks.gather(&text)?.iter().map(read).collect::<Result<Vec<_>>>()?;
    let mut sums = Vec::new();
    for counts in all {
        if sums.is_empty() {
            sums = counts;
            continue;
        }
        sums.iter_mut().zip(&counts).try_for_each(|(sum, counts)| sum.merge(counts))?;
    }
    Ok(sums)
}

impl Objective for Labelling<'_> {
    type MicroBatch = TaskBatch;

    fn next_step(&mut self, micro_batches: NonZeroUsize) -> Result<Step<TaskBatch>> {
        let step = self.prefetcher(micro_batches)?.next()?;
        self.sampler.restore(step.state)?;
        let name = self.tasks.get(step.task).map(|data| data.corpus.name.clone());
        let batches = step.batches.into_iter().map(|batch| TaskBatch { task: step.task, batch });
        Ok(Step { name, micro_batches: batches.collect() })
    }

    fn loss(&self, TaskBatch { task, batch }: TaskBatch, ctx: &mut Ctx) -> Result<Loss> {
        let batch = batch_of(batch, self.tokenizer.pad_id(), &self.options.device)?;
        let unknown = || Error::Internal(format!("a batch of task {task} of {}", self.tasks.len()));
        let number = *self.numbers.get(task).ok_or_else(unknown)?;
        let adapters = trace_span!("generate").in_scope(|| self.model.prepare(&batch, number, ctx))?;
        let value = self.model.backbone().smoothed_loss_with(&batch, &self.options.loss, &adapters, ctx)?;
        Ok(Loss { value, tokens: batch.label_tokens })
    }

    fn probes(&mut self, ctx: &mut Ctx) -> Result<Vec<Tensor>> {
        let probe = |(task, data): (usize, &TaskData)| {
            let pairs: Vec<PairView<'_>> = data.train.iter().take(PROBE_SENTENCES).collect();
            let batch = collate(&pairs, self.tokenizer.pad_id());
            Ok(self.loss(TaskBatch { task, batch }, ctx)?.value)
        };
        self.tasks.iter().enumerate().map(probe).collect()
    }

    fn validate(&self, ranks: &Ranks) -> Result<Option<Score>> {
        let own = Shard::new(ranks.rank(), ranks.size().get())?;
        let mut counts = Vec::new();
        for data in self.tasks {
            if let Some(validation) = &data.validation {
                let task = data.corpus.label_task(data.tags.clone());
                let labeller = Labeller::new(self.model, self.tokenizer, task, &self.options.decode)?;
                counts.push(count(&labeller, own.of(validation), self.options.mode)?.0);
            }
        }
        if counts.is_empty() {
            return Ok(None);
        }
        let names = self.tasks.iter().filter(|data| data.validation.is_some()).map(|data| &data.corpus.name);
        let scores = added(ranks, counts)?.into_iter().map(|counts| counts.report().scores.micro_f1);
        let mut scalars: Vec<_> = names.map(|name| format!("validation/{name}/micro_f1")).zip(scores).collect();
        let average = scalars.iter().map(|(_, f1)| f1).sum::<f64>() / scalars.len() as f64;
        scalars.push(("validation/average_micro_f1".to_owned(), average));
        Ok(Some(Score { selection: average, scalars }))
    }

    fn state(&self) -> Result<serde_json::Value> {
        serde_json::to_value(self.sampler.state()).map_err(|e| Error::Training(format!("the sampler's state: {e}")))
    }

    fn restore(&mut self, state: serde_json::Value) -> Result<()> {
        let state = peft_files::from_json_value(&state)
            .map_err(|e| Error::Training(format!("the checkpoint holds no sampler state: {e}")))?;
        // A running prefetcher draws from the old state.
        self.prefetcher = None;
        Ok(self.sampler.restore(state)?)
    }
}
