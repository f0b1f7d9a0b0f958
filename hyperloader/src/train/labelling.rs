//! The labelling objective: temperature-mixed tasks, one task a step.

use candle_core::{Device, Tensor};
use datasets::encode::{Pair, collate};
use datasets::labels::TagSet;
use datasets::metrics::Mode;
use datasets::sample::TaskSampler;
use datasets::tokenizer::T5Tokenizer;
use peft_core::ops::SmoothedCrossEntropy;
use peft_core::{Condition, Ctx};

use super::{Draw, Objective, Score};
use crate::config::EvalConfig;
use crate::eval::{Labeller, evaluate};
use crate::model::{PeftT5, TensorBatch};
use crate::tasks::{Corpus, Split};
use crate::{Error, Result};

/// Sentences of one task in a gradient probe.
const PROBE_SENTENCES: usize = 2;

/// The data of one task.
#[derive(Debug)]
pub struct TaskData<'a> {
    /// How its sentences are read and written.
    pub corpus: Corpus<'a>,
    /// What is trained on.
    pub train: Split,
    /// What selects the best checkpoint.
    pub validation: Option<Split>,
}

impl TaskData<'_> {
    /// The simplified tags of the training sentences, sorted.
    ///
    /// # Errors
    /// If a tag is not one.
    pub fn tags(&self) -> Result<Vec<String>> {
        Ok(TagSet::of(&self.train.examples)?.simplified().map(str::to_owned).collect())
    }
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
    /// The loss.
    pub loss: SmoothedCrossEntropy,
    /// Decoding in validation.
    pub eval: EvalConfig,
    /// Spans in validation.
    pub mode: Mode,
}

/// Multi-task sequence labelling (arXiv 2407.01411, section 4): each step draws a task with probability `∝ n^(1/T)` and its
/// sentences uniformly with replacement.
#[derive(Debug)]
pub struct Labelling<'a> {
    model: &'a PeftT5,
    tokenizer: &'a T5Tokenizer,
    tasks: &'a [TaskData<'a>],
    options: LabellingOptions,
    device: Device,
    sampler: TaskSampler,
    /// The task of the current step.
    task: usize,
}

impl<'a> Labelling<'a> {
    /// An objective over `tasks`, which are in the order of the model's tasks.
    ///
    /// # Errors
    /// If there is no task or one has no sentences.
    pub fn new(
        model: &'a PeftT5,
        tokenizer: &'a T5Tokenizer,
        tasks: &'a [TaskData<'a>],
        options: LabellingOptions,
        device: &Device,
    ) -> Result<Self> {
        let sizes: Vec<usize> = tasks.iter().map(|t| t.train.pairs.len()).collect();
        let sampler = TaskSampler::new(&sizes, options.temperature, options.seed)?;
        Ok(Self { model, tokenizer, tasks, options, device: device.clone(), sampler, task: 0 })
    }

    fn data(&self, task: usize) -> Result<&'a TaskData<'a>> {
        self.tasks
            .get(task)
            .ok_or_else(|| Error::Training(format!("the sampler drew task {task} of {}", self.tasks.len())))
    }

    fn loss(&self, task: usize, pairs: &[&Pair], ctx: &mut Ctx) -> Result<Draw> {
        let pad = self.tokenizer.pad_id();
        let batch = TensorBatch::new(collate(pairs, pad), pad, &self.device)?;
        let loss = self.model.loss(&batch, &Condition::Task(task), &self.options.loss, ctx)?;
        Ok(Draw { loss, tokens: batch.label_tokens })
    }
}

impl Objective for Labelling<'_> {
    fn begin_step(&mut self) -> Result<Option<String>> {
        self.task = self.sampler.next_task();
        Ok(Some(self.data(self.task)?.corpus.name().to_owned()))
    }

    fn draw(&mut self, ctx: &mut Ctx) -> Result<Draw> {
        let items = self.sampler.next_items(self.task, self.options.batch_size)?;
        let data = self.data(self.task)?;
        let pairs: Vec<&Pair> = items.iter().filter_map(|&i| data.train.pairs.get(i)).collect();
        self.loss(self.task, &pairs, ctx)
    }

    fn probes(&mut self, ctx: &mut Ctx) -> Result<Vec<Tensor>> {
        let probe = |(task, data): (usize, &TaskData<'_>)| {
            let pairs: Vec<&Pair> = data.train.pairs.iter().take(PROBE_SENTENCES).collect();
            Ok(self.loss(task, &pairs, ctx)?.loss)
        };
        self.tasks.iter().enumerate().map(probe).collect()
    }

    fn validate(&self) -> Result<Option<Score>> {
        let mut scalars = Vec::new();
        for data in self.tasks {
            if let Some(validation) = &data.validation {
                let labeller =
                    Labeller::new(self.model, self.tokenizer, &data.corpus, &self.options.eval, &data.tags()?)?;
                let (report, _) = evaluate(&labeller, &validation.examples, self.options.mode)?;
                scalars.push((format!("validation/{}/micro_f1", data.corpus.name()), report.scores.micro_f1));
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
        Ok(self.sampler.restore(state)?)
    }
}
