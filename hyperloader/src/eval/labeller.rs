//! Tags for sentences: one task of a model, its weights generated and folded once.

use candle_core::Tensor;
use datasets::encode::{Encoder, Pair, collate, decode_tags};
use datasets::labels::{fit, restore};
use datasets::tokenizer::T5Tokenizer;
use peft_core::{Condition, Ctx, WeightBank};

use crate::Result;
use crate::config::EvalConfig;
use crate::decode::{GenerationConfig, generate};
use crate::model::PeftT5;
use crate::t5::T5;
use crate::tasks::Corpus;

/// One labelled sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labelled {
    /// One BIO tag for each word.
    pub tags: Vec<String>,
    /// Whether the sentence was too long and its tail was not read; those words are tagged `O`.
    pub truncated: bool,
    /// Whether the model wrote another number of tags than the sentence has words: missing ones are `O`, others dropped.
    pub malformed: bool,
}

/// What the model wrote about one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Token ids, the start token first.
    pub ids: Vec<u32>,
    /// Whether the sentence was too long and its tail was not read.
    pub truncated: bool,
}

/// Labels sentences for one task.
///
/// The task's weights are generated once, detached from the graph and folded into the backbone where they fold.
#[derive(Debug)]
pub struct Labeller<'a> {
    model: &'a PeftT5,
    tokenizer: &'a T5Tokenizer,
    corpus: &'a Corpus<'a>,
    t5: T5,
    bank: WeightBank,
    generation: GenerationConfig,
    batch_size: usize,
}

impl<'a> Labeller<'a> {
    /// A labeller for the task of `corpus`.
    ///
    /// # Errors
    /// If the model does not know the task, or a tensor operation fails.
    pub fn new(
        model: &'a PeftT5,
        tokenizer: &'a T5Tokenizer,
        corpus: &'a Corpus<'a>,
        eval: &EvalConfig,
    ) -> Result<Self> {
        let task = model.tasks().index(corpus.name())?;
        let bank = model.bank(&Condition::Task(task))?.detach();
        let t5 = model.t5().fold(&model.active(&bank)?)?;
        Ok(Self {
            model,
            tokenizer,
            corpus,
            t5,
            bank,
            generation: GenerationConfig {
                max_length: eval.max_length,
                num_beams: eval.num_beams,
                length_penalty: eval.length_penalty,
                ..GenerationConfig::default()
            },
            batch_size: eval.batch_size.get(),
        })
    }

    /// Labels sentences, in their order.
    ///
    /// # Errors
    /// If a word cannot be tokenized or a tensor operation fails.
    pub fn label<S: AsRef<[String]>>(&self, sentences: &[S]) -> Result<Vec<Labelled>> {
        let written = self.write(sentences)?;
        let read = |(written, sentence): (&Written, &S)| self.read(written, sentence.as_ref().len());
        written.iter().zip(sentences).map(read).collect()
    }

    /// What the model writes about sentences, in their order.
    ///
    /// # Errors
    /// As [`label`](Self::label).
    pub fn write<S: AsRef<[String]>>(&self, sentences: &[S]) -> Result<Vec<Written>> {
        let mut encoder = Encoder::new(self.tokenizer, &self.corpus.encode_options())?;
        let mut sources = Vec::with_capacity(sentences.len());
        for sentence in sentences {
            let encoded = encoder.source(sentence.as_ref())?;
            sources.push(Pair { source: encoded.ids, source_truncated: encoded.truncated, ..Pair::default() });
        }
        // Sentences of like length share a batch, so that little of it is padding.
        let mut order: Vec<usize> = (0..sources.len()).collect();
        order.sort_by_key(|&i| sources.get(i).map_or(0, |pair| pair.source.len()));
        let mut all: Vec<(usize, Written)> = Vec::with_capacity(order.len());
        for numbers in order.chunks(self.batch_size) {
            let batch: Vec<&Pair> = numbers.iter().filter_map(|&i| sources.get(i)).collect();
            for ((&number, pair), ids) in numbers.iter().zip(&batch).zip(self.generate(&batch)?) {
                all.push((number, Written { ids, truncated: pair.source_truncated }));
            }
        }
        all.sort_by_key(|(number, _)| *number);
        Ok(all.into_iter().map(|(_, written)| written).collect())
    }

    fn generate(&self, batch: &[&Pair]) -> Result<Vec<Vec<u32>>> {
        let batch = collate(batch, self.tokenizer.pad_id());
        let shape = (batch.shape.batch, batch.shape.source_length);
        let device = self.t5.device();
        let source = Tensor::from_vec(batch.source, shape, device)?;
        let mask = Tensor::from_vec(batch.source_mask, shape, device)?;
        let active = self.model.active(&self.bank)?;
        let encoded = self.t5.encode(&source, &mask, &active, &mut Ctx::eval())?;
        generate(&self.t5, &encoded, &mask, &active, &self.generation)
    }

    fn read(&self, Written { ids, truncated }: &Written, words: usize) -> Result<Labelled> {
        let truncated = *truncated;
        let written = decode_tags(self.tokenizer, ids)?;
        let malformed = written.len() != words;
        let tags: Vec<&str> = written.iter().map(|word| self.corpus.words().tag(word)).collect();
        Ok(Labelled { tags: fit(restore(&tags), words), truncated, malformed })
    }
}
