//! The labelling objective: temperature-mixed tasks, one task a step.

use std::num::NonZeroUsize;
use std::sync::Arc;

use candle_core::{Device, Tensor};
use datasets::Example;
use datasets::encode::{Batch, PairView, Pairs, collate};
use datasets::metrics::Mode;
use datasets::sample::TaskSampler;
use datasets::tokenizer::T5Tokenizer;
use peft_core::{Condition, Ctx};
use peft_kernels::SmoothedCrossEntropy;

use super::feed::{Drawing, Prefetcher};
use super::{MicroBatch, Objective, Score};
use crate::eval::evaluate;
use crate::label::{DecodeOptions, Labeller};
use crate::model::{PeftT5, TensorBatch};
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
    /// What is trained on.
    pub train: Arc<Pairs>,
    /// What selects the best checkpoint.
    pub validation: Option<Vec<Example>>,
}

/// How a batch is drawn and scored.
#[derive(Debug, Clone)]
pub struct LabellingOptions {
    /// The temperature of the task mixing.
    pub temperature: f64,
    /// The seed of the sampler.
    pub seed: u64,
    /// Sentences of one micro-batch.
    pub batch_size: usize,
    /// Micro-batches of one step.
    pub micro_batches: NonZeroUsize,
    /// Whether a step's sentences are sorted by length before they are cut into micro-batches.
    pub length_buckets: bool,
    /// The loss.
    pub loss: SmoothedCrossEntropy,
    /// Decoding in validation.
    pub decode: DecodeOptions,
    /// Spans in validation.
    pub mode: Mode,
}

/// Multi-task sequence labelling (arXiv 2407.01411, section 4): each step draws a task with probability `∝ n^(1/T)` and its
/// sentences uniformly with replacement. A thread makes the batches of the next step while this one trains.
#[derive(Debug)]
pub struct Labelling<'a> {
    model: &'a PeftT5,
    tokenizer: &'a T5Tokenizer,
    tasks: &'a [TaskData],
    options: LabellingOptions,
    device: Device,
    /// Behind the steps that were begun, not behind those that the feed has drawn beforehand.
    sampler: TaskSampler,
    /// Started by the first step.
    feed: Option<Prefetcher>,
    /// The task of the current step.
    task: usize,
    /// Its micro-batches that are left, the next one last.
    batches: Vec<Batch>,
}

impl<'a> Labelling<'a> {
    /// An objective over `tasks`, which are in the order of the model's tasks.
    ///
    /// # Errors
    /// If there is no task or one has no sentences.
    pub fn new(
        model: &'a PeftT5,
        tokenizer: &'a T5Tokenizer,
        tasks: &'a [TaskData],
        options: LabellingOptions,
        device: &Device,
    ) -> Result<Self> {
        let sizes: Vec<usize> = tasks.iter().map(|t| t.train.len()).collect();
        let sampler = TaskSampler::new(&sizes, options.temperature, options.seed)?;
        Ok(Self {
            model,
            tokenizer,
            tasks,
            options,
            device: device.clone(),
            sampler,
            feed: None,
            task: 0,
            batches: Vec::new(),
        })
    }

    fn data(&self, task: usize) -> Result<&'a TaskData> {
        self.tasks
            .get(task)
            .ok_or_else(|| Error::Training(format!("the sampler drew task {task} of {}", self.tasks.len())))
    }

    fn feed(&mut self) -> Result<&mut Prefetcher> {
        let feed = match self.feed.take() {
            Some(feed) => feed,
            None => {
                let drawing = Drawing {
                    tasks: self.tasks.iter().map(|task| task.train.clone()).collect(),
                    batch_size: self.options.batch_size,
                    micro_batches: self.options.micro_batches,
                    by_length: self.options.length_buckets,
                    pad: self.tokenizer.pad_id(),
                };
                Prefetcher::start(drawing, self.sampler.clone())?
            }
        };
        Ok(self.feed.insert(feed))
    }

    fn loss(&self, task: usize, batch: Batch, ctx: &mut Ctx) -> Result<MicroBatch> {
        let batch = TensorBatch::new(batch, self.tokenizer.pad_id(), &self.device)?;
        let loss = self.model.loss(&batch, &Condition::Task(task), &self.options.loss, ctx)?;
        Ok(MicroBatch { loss, tokens: batch.label_tokens })
    }
}

impl Objective for Labelling<'_> {
    fn begin_step(&mut self) -> Result<Option<String>> {
        let step = self.feed()?.next()?;
        self.sampler.restore(step.state)?;
        self.task = step.task;
        self.batches = step.batches;
        self.batches.reverse();
        Ok(Some(self.data(self.task)?.corpus.name.clone()))
    }

    fn draw(&mut self, ctx: &mut Ctx) -> Result<MicroBatch> {
        let batch = self.batches.pop();
        let batch = batch.ok_or_else(|| Error::Training("more micro-batches asked for than a step has".to_owned()))?;
        self.loss(self.task, batch, ctx)
    }

    fn probes(&mut self, ctx: &mut Ctx) -> Result<Vec<Tensor>> {
        let probe = |(task, data): (usize, &TaskData)| {
            let pairs: Vec<PairView<'_>> = data.train.iter().take(PROBE_SENTENCES).collect();
            Ok(self.loss(task, collate(&pairs, self.tokenizer.pad_id()), ctx)?.loss)
        };
        self.tasks.iter().enumerate().map(probe).collect()
    }

    fn validate(&self) -> Result<Option<Score>> {
        let mut scalars = Vec::new();
        for data in self.tasks {
            if let Some(validation) = &data.validation {
                let task = data.corpus.label_task(data.tags.clone());
                let labeller = Labeller::new(self.model, self.tokenizer, task, &self.options.decode)?;
                let (report, _) = evaluate(&labeller, validation, self.options.mode)?;
                scalars.push((format!("validation/{}/micro_f1", data.corpus.name), report.scores.micro_f1));
            }
        }
        if scalars.is_empty() {
            return Ok(None);
        }
        let average = scalars.iter().map(|(_, f1)| f1).sum::<f64>() / scalars.len() as f64;
        scalars.push(("validation/average_micro_f1".to_owned(), average));
        Ok(Some(Score { selection: average, scalars }))
    }

    fn state(&self) -> Result<serde_json::Value> {
        serde_json::to_value(self.sampler.state()).map_err(|e| Error::Training(format!("the sampler's state: {e}")))
    }

    fn restore(&mut self, state: serde_json::Value) -> Result<()> {
        let state = serde_json::from_value(state)
            .map_err(|e| Error::Training(format!("the checkpoint's sampler state is not one: {e}")))?;
        // A feed that runs already draws from elsewhere.
        self.feed = None;
        self.batches.clear();
        Ok(self.sampler.restore(state)?)
    }
}
