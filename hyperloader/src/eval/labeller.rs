//! Tags for sentences: one task of a model, its weights generated and folded once.

use std::ops::Range;

use datasets::encode::{Encoder, Pair, decode_tags};
use datasets::labels::OUTSIDE;
use datasets::tokenizer::{T5Tokenizer, WordEncoder};
use peft_core::{AdapterWeights, Condition, Ctx};
use rayon::prelude::*;

use super::batches::batches;
use super::labelled::{Labelled, Piece, join};
use super::windows::{Limits, windows};
use crate::config::{Decoding, EvalConfig};
use crate::model::PeftT5;
use crate::tasks::Corpus;
use crate::{Error, Result};
use peft_t5::T5;
use peft_t5::decode::{GenerationConfig, Source, TagDecoder, TagSequence, generate};

/// Labels sentences for one task.
///
/// The task's weights are generated once, detached from the graph and folded into the backbone where they fold.
#[derive(Debug)]
pub struct Labeller<'a> {
    model: &'a PeftT5,
    tokenizer: &'a T5Tokenizer,
    corpus: &'a Corpus<'a>,
    t5: T5,
    weights: AdapterWeights,
    method: Method,
    batch_size: usize,
}

/// How tags are decoded.
#[derive(Debug)]
enum Method {
    /// The simplified tags by number, and how many sequences are kept.
    Structured {
        decoder: TagDecoder,
        tags: Vec<String>,
        beams: usize,
    },
    Free(GenerationConfig),
}

/// A window of a sentence, as the encoder reads it.
struct Window {
    sentence: usize,
    words: Range<usize>,
    pair: Pair,
}

impl Window {
    /// The tokens that it has about, of source and target.
    fn tokens(&self) -> usize {
        self.pair.source.len() + TagDecoder::room(&[self.words.len()])
    }
}

impl<'a> Labeller<'a> {
    /// A labeller for the task of `corpus`, whose simplified tags are `tags`; free decoding needs none.
    ///
    /// # Errors
    /// If the model does not know the task, structured decoding has no tags or cannot tell two apart, or a tensor operation
    /// fails.
    pub fn new(
        model: &'a PeftT5,
        tokenizer: &'a T5Tokenizer,
        corpus: &'a Corpus<'a>,
        eval: &EvalConfig,
        tags: &[String],
    ) -> Result<Self> {
        let task = model.tasks().index(corpus.name())?;
        let weights = model.weights(&Condition::Task(task))?.detach();
        let t5 = model.merge(&model.active(&weights)?)?;
        let method = match eval.decoding {
            Decoding::Structured => {
                let words: Vec<&str> = tags.iter().map(|tag| corpus.words().word(tag)).collect();
                let named: Vec<(&str, Vec<u32>)> = words.iter().copied().zip(tokenizer.encode_words(&words)?).collect();
                let decoder = TagDecoder::new(&t5, &named, tokenizer.sentinels())?;
                Method::Structured { decoder, tags: tags.to_vec(), beams: eval.num_beams.get() }
            }
            Decoding::Free => Method::Free(GenerationConfig {
                max_length: eval.max_length,
                num_beams: eval.num_beams,
                length_penalty: eval.length_penalty,
                ..GenerationConfig::default()
            }),
        };
        Ok(Self { model, tokenizer, corpus, t5, weights, method, batch_size: eval.batch_size.get() })
    }

    /// Labels sentences, in their order: exactly one tag for each word, however long a sentence is.
    ///
    /// # Errors
    /// If a word cannot be tokenized or a tensor operation fails.
    pub fn label<S: AsRef<[String]>>(&self, sentences: &[S]) -> Result<Vec<Labelled>> {
        let mut cut = Vec::with_capacity(sentences.len());
        let mut encoder = Encoder::new(self.tokenizer, &self.corpus.encode_options())?;
        let mut lengths = WordEncoder::new(self.tokenizer);
        for (number, sentence) in sentences.iter().enumerate() {
            cut.extend(self.windows(number, sentence.as_ref(), &mut encoder, &mut lengths)?);
        }
        // Sentences of like length share a batch, so that its rows are done together.
        let mut order: Vec<usize> = (0..cut.len()).collect();
        order.sort_by_key(|&i| cut.get(i).map_or((0, 0), |window| (window.words.len(), window.pair.source.len())));
        // Batches side by side: threads that share one wait for each other at every operation. As many at once as there are
        // threads, for a waiting thread would begin yet another and hold its memory; neighbours are of like length.
        let batches = batches(&order, |&i| cut.get(i).map_or(0, Window::tokens), self.batch_size);
        let write = |numbers: &&[usize]| {
            let batch: Vec<&Window> = numbers.iter().filter_map(|&i| cut.get(i)).collect();
            self.write(&batch)
        };
        let mut written: Vec<Vec<Piece>> = Vec::with_capacity(batches.len());
        for at_once in batches.chunks(rayon::current_num_threads().max(1)) {
            written.extend(at_once.par_iter().with_max_len(1).map(write).collect::<Result<Vec<_>>>()?);
        }
        let mut pieces = vec![Piece::default(); cut.len()];
        for (&number, piece) in batches.into_iter().flatten().zip(written.into_iter().flatten()) {
            if let Some(slot) = pieces.get_mut(number) {
                *slot = piece;
            }
        }
        let mut windows = cut.iter().map(|window| (window.sentence, window.words.clone())).zip(pieces).peekable();
        let joined = sentences.iter().enumerate().map(|(number, sentence)| {
            let (mut ranges, mut pieces) = (Vec::new(), Vec::new());
            while let Some(((_, range), piece)) = windows.next_if(|((sentence, _), _)| *sentence == number) {
                ranges.push(range);
                pieces.push(piece);
            }
            join(&ranges, &pieces, sentence.as_ref().len())
        });
        Ok(joined.collect())
    }

    /// The windows of one sentence: one, unless it is too long.
    fn windows(
        &self,
        sentence: usize,
        words: &[String],
        encoder: &mut Encoder<'_>,
        lengths: &mut WordEncoder<'_>,
    ) -> Result<Vec<Window>> {
        let mut window = |range: Range<usize>| -> Result<(bool, Window)> {
            let encoded = encoder.source(words.get(range.clone()).unwrap_or_default())?;
            let pair = Pair { source: encoded.ids, ..Pair::default() };
            Ok((encoded.truncated, Window { sentence, words: range, pair }))
        };
        let limits = self.limits()?;
        if words.len() <= limits.words {
            let (truncated, whole) = window(0..words.len())?;
            if !truncated {
                return Ok(vec![whole]);
            }
        }
        let lengths: Vec<usize> = words.iter().map(|word| Ok(1 + lengths.ids(word)?.len())).collect::<Result<_>>()?;
        windows(&lengths, limits).into_iter().map(|range| Ok(window(range)?.1)).collect()
    }

    /// What one window holds: no more than the model was trained to read and to write, since nothing taught it what comes
    /// behind. A source is closed by a sentinel and `</s>`; so is a target, where each tag has a sentinel and a token at
    /// least; the last sentinel closes.
    fn limits(&self) -> Result<Limits> {
        let options = self.corpus.encode_options();
        let tokens = options.max_source_length.saturating_sub(self.tokenizer.pieces(&options.prefix)?.len() + 2);
        let trained = options.max_target_length.saturating_sub(2) / 2;
        let words = trained.min(self.tokenizer.sentinels().len() - 1).max(1);
        Ok(Limits { tokens, words })
    }

    fn write(&self, batch: &[&Window]) -> Result<Vec<Piece>> {
        let active = self.model.active(&self.weights)?;
        let words: Vec<usize> = batch.iter().map(|window| window.words.len()).collect();
        let sources: Vec<&[u32]> = batch.iter().map(|window| window.pair.source.as_slice()).collect();
        let encoded = self.t5.encode_packed(&sources, &active, &mut Ctx::eval())?;
        let source = Source { t5: &self.t5, encoded: &encoded, active: &active };
        match &self.method {
            Method::Structured { decoder, tags, beams } => {
                let found = decoder.decode(&source, &words, *beams)?;
                found.into_iter().map(|sequences| structured(sequences, tags)).collect()
            }
            Method::Free(generation) => {
                let written = generate(&source, generation)?;
                written.iter().zip(words).map(|(ids, words)| self.free(ids, words)).collect()
            }
        }
    }

    /// What was written freely, cut or filled with `O` to as many tags as words.
    fn free(&self, ids: &[u32], words: usize) -> Result<Piece> {
        let written = decode_tags(self.tokenizer, ids)?;
        let malformed = written.len() != words;
        let mut tags: Vec<String> = written.iter().map(|word| self.corpus.words().tag(word).to_owned()).collect();
        tags.resize_with(words, || OUTSIDE.to_owned());
        Ok(Piece { sequences: vec![(tags, 0.)], confidences: Vec::new(), malformed })
    }
}

fn structured(sequences: Vec<TagSequence>, tags: &[String]) -> Result<Piece> {
    let name = |tag: &usize| {
        tags.get(*tag).cloned().ok_or_else(|| Error::Config(format!("tag {tag} was written, of {}", tags.len())))
    };
    let confidences = sequences.first().map(|best| best.confidences.clone()).unwrap_or_default();
    let named = |s: &TagSequence| Ok((s.tags.iter().map(name).collect::<Result<_>>()?, s.score));
    let sequences = sequences.iter().map(named).collect::<Result<_>>()?;
    Ok(Piece { sequences, confidences, malformed: false })
}
