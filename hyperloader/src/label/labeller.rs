//! The labeller: it generates and merges the weights of one task once, then labels sentences.

use std::num::NonZeroUsize;
use std::ops::Range;

use datasets::encode::{Encoder, Pair, decode_tags};
use datasets::labels::OUTSIDE;
use datasets::tokenizer::{T5Tokenizer, WordEncoder};
use peft_core::PeftModel;

use super::at_once::each_batch;
use super::batches::batches;
use super::entity::Entity;
use super::item::SplitText;
use super::join::{Piece, SentenceTags};
use super::options::{DecodeOptions, Decoding};
use super::sentence::TaggedSentence;
use super::task::LabelTask;
use super::task_t5::TaskT5;
use super::windows::{Limits, windows};
use super::words::Words;
use crate::{Error, Result};
use peft_t5::T5;
use peft_t5::decode::{GenerationConfig, TagDecoder, TagSequence, generate};

/// Labels sentences for one task.
///
/// The task's weights are generated once, detached from the graph and merged into the backbone where that is possible. A generator
/// that sees the encoder's output makes them for each batch instead.
///
/// **An answer depends on its sentence alone.** On one machine, tags, confidences and scores have the same bits whatever other
/// sentences are given to [`label`](Self::label), in whatever order, with any batch size and any number of threads, in `f32`, `bf16` and
/// eight bits. There are two exceptions: processors other than x86-64 with AVX2, and methods with a gate (`use_gating`), whose mean
/// counts the padding where sentences are padded.
#[derive(Debug)]
pub struct Labeller<'a> {
    t5: TaskT5<'a>,
    tokenizer: &'a T5Tokenizer,
    task: LabelTask,
    method: Method,
    batch_size: usize,
}

/// How tags are decoded.
#[derive(Debug)]
enum Method {
    /// Over the task's tags, with so many beams.
    Structured {
        decoder: TagDecoder,
        beams: usize,
    },
    Free(GenerationConfig),
}

/// A window of a sentence, as the encoder reads it.
struct Window {
    /// The number of the sentence, counted over all texts.
    sentence: usize,
    /// Its words, counted in the sentence.
    words: Range<usize>,
    pair: Pair,
    /// Whether its only word has more tokens than a window holds.
    truncated: bool,
}

impl Window {
    /// Roughly how many tokens it has, of source and target.
    fn tokens(&self) -> usize {
        self.pair.source.len() + TagDecoder::room(&[self.words.len()])
    }
}

/// A decoder that chooses from the tags of `task`.
///
/// # Errors
/// If there are no tags, or two of them cannot be told apart.
pub(crate) fn tag_decoder(t5: &T5, tokenizer: &T5Tokenizer, task: &LabelTask) -> Result<TagDecoder> {
    let words: Vec<&str> = task.tags.iter().map(|tag| task.words.word(tag)).collect();
    let named: Vec<(&str, Vec<u32>)> = words.iter().copied().zip(tokenizer.encode_words(&words)?).collect();
    Ok(TagDecoder::new(t5, &named, tokenizer.sentinels())?)
}

impl<'a> Labeller<'a> {
    /// A labeller for `task`, which the model must know by its name.
    ///
    /// # Errors
    /// If the model does not know the task, if structured decoding has no tags or cannot tell two tags apart, or if a tensor
    /// operation fails.
    pub fn new(
        model: &'a PeftModel<T5>,
        tokenizer: &'a T5Tokenizer,
        task: LabelTask,
        options: &DecodeOptions,
    ) -> Result<Self> {
        let t5 = TaskT5::new(model, task.name.as_str(), options.int8)?;
        let method = match options.decoding {
            Decoding::Structured => {
                let decoder = tag_decoder(t5.t5(), tokenizer, &task)?;
                Method::Structured { decoder, beams: options.num_beams.get() }
            }
            Decoding::Free => Method::Free(GenerationConfig {
                max_length: options.max_length,
                num_beams: options.num_beams,
                length_penalty: options.length_penalty,
                ..GenerationConfig::default()
            }),
        };
        Ok(Self { t5, tokenizer, task, method, batch_size: options.batch_size.get() })
    }

    /// The task.
    pub fn task(&self) -> &LabelTask {
        &self.task
    }

    /// The spans in `text`, from left to right.
    ///
    /// # Errors
    /// As [`label`](Self::label).
    pub fn label_text(&self, text: &str) -> Result<Vec<Entity>> {
        self.label([text])?.first().map_or_else(|| Ok(Vec::new()), TaggedSentence::spans)
    }

    /// Labels texts and returns them in their order. Each word gets exactly one tag, however long its text is.
    ///
    /// A text is raw text, which the task's splitter splits into words, or a list of words: see [`Words`]. A text without words has
    /// no tags.
    ///
    /// # Errors
    /// If a word cannot be tokenized or a tensor operation fails.
    pub fn label<S: Words>(&self, texts: impl IntoIterator<Item = S>) -> Result<Vec<TaggedSentence>> {
        let beams = match &self.method {
            Method::Structured { beams, .. } => *beams,
            Method::Free(_) => 1,
        };
        self.label_with(texts, beams)
    }

    /// Like [`label`](Self::label), with the `n` best sequences of tags of each text.
    ///
    /// # Errors
    /// As [`label`](Self::label); [`Error::Config`] with free decoding.
    pub fn label_n_best<S: Words>(
        &self,
        texts: impl IntoIterator<Item = S>,
        n: NonZeroUsize,
    ) -> Result<Vec<TaggedSentence>> {
        match &self.method {
            Method::Structured { .. } => self.label_with(texts, n.get()),
            Method::Free(_) => Err(Error::Config("the n best sequences need structured decoding".into())),
        }
    }

    fn label_with<S: Words>(&self, texts: impl IntoIterator<Item = S>, beams: usize) -> Result<Vec<TaggedSentence>> {
        let splitter = &self.task.splitter;
        let texts: Vec<SplitText> = texts.into_iter().map(|text| text.item().split(splitter)).collect();
        let windows = self.cut(&texts)?;
        let pieces = self.write_all(&windows, beams)?;
        let mut windows = windows.into_iter().zip(pieces).peekable();
        let mut number = 0;
        let joined = texts.into_iter().map(|text| {
            let sentence = |words: &Range<usize>| {
                let mut own = std::iter::from_fn(|| windows.next_if(|(window, _)| window.sentence == number));
                let joined = joined(words.len(), &mut own);
                number += 1;
                joined
            };
            let tags = text.sentences.iter().map(sentence).collect();
            TaggedSentence::new(text, tags)
        });
        Ok(joined.collect())
    }

    /// The windows of all sentences, in their order.
    fn cut(&self, texts: &[SplitText]) -> Result<Vec<Window>> {
        let mut encoder = Encoder::new(self.tokenizer, &self.task.encoding)?;
        let mut lengths = WordEncoder::new(self.tokenizer);
        let limits = self.limits()?;
        let (mut cut, mut number) = (Vec::new(), 0);
        for text in texts {
            for words in &text.sentences {
                let words = text.read(words.clone(), &self.task.splitter);
                cut.extend(sentence_windows(number, &words, limits, &mut encoder, &mut lengths)?);
                number += 1;
            }
        }
        Ok(cut)
    }

    /// What the model writes for each window, in the order of the windows.
    fn write_all(&self, windows: &[Window], beams: usize) -> Result<Vec<Piece>> {
        // Sentences of similar length share a batch, so that the rows of a batch end together.
        let mut order: Vec<usize> = (0..windows.len()).collect();
        order.sort_by_key(|&i| windows.get(i).map_or((0, 0), |window| (window.words.len(), window.pair.source.len())));
        let batches = batches(&order, |&i| windows.get(i).map_or(0, Window::tokens), self.batch_size);
        let write = |numbers: &&[usize]| {
            let batch: Vec<&Window> = numbers.iter().filter_map(|&i| windows.get(i)).collect();
            self.write(&batch, beams)
        };
        let written = each_batch(&batches, self.t5.t5().device(), write)?;
        let mut pieces = vec![Piece::default(); windows.len()];
        for (&number, piece) in batches.into_iter().flatten().zip(written.into_iter().flatten()) {
            if let Some(slot) = pieces.get_mut(number) {
                *slot = piece;
            }
        }
        Ok(pieces)
    }

    /// The most that one window holds: no more than the model was trained to read and to write.
    ///
    /// A source ends with a sentinel and `</s>`. So does a target, in which each tag takes a sentinel and at least one token.
    /// The last sentinel of the vocabulary can only close a target.
    fn limits(&self) -> Result<Limits> {
        let options = &self.task.encoding;
        let tokens = options.max_source_length.saturating_sub(self.tokenizer.pieces(&options.prefix)?.len() + 2);
        let trained = options.max_target_length.saturating_sub(2) / 2;
        let words = trained.min(self.tokenizer.sentinels().len().saturating_sub(1)).max(1);
        Ok(Limits { tokens, words })
    }

    fn write(&self, batch: &[&Window], beams: usize) -> Result<Vec<Piece>> {
        let words: Vec<usize> = batch.iter().map(|window| window.words.len()).collect();
        let sources: Vec<&[u32]> = batch.iter().map(|window| window.pair.source.as_slice()).collect();
        let encoded = self.t5.encode(&sources)?;
        let source = encoded.source();
        match &self.method {
            Method::Structured { decoder, .. } => {
                let found = decoder.decode(&source, &words, beams)?;
                found.into_iter().map(|sequences| structured(sequences, &self.task.tags)).collect()
            }
            Method::Free(generation) => {
                let written = generate(&source, generation)?;
                written.iter().zip(words).map(|(ids, words)| self.free(ids, words)).collect()
            }
        }
    }

    /// The tags of a free output: extra ones are dropped, missing ones become `O`.
    fn free(&self, ids: &[u32], words: usize) -> Result<Piece> {
        let written = decode_tags(self.tokenizer, ids)?;
        let malformed = written.len() != words;
        let mut tags: Vec<String> = written.iter().map(|word| self.task.words.tag(word).to_owned()).collect();
        tags.resize_with(words, || OUTSIDE.to_owned());
        Ok(Piece { sequences: vec![(tags, 0.)], confidences: Vec::new(), malformed })
    }
}

/// The tags of a sentence of `words` words in these windows.
fn joined(words: usize, windows: &mut dyn Iterator<Item = (Window, Piece)>) -> SentenceTags {
    let (mut ranges, mut pieces, mut truncated) = (Vec::new(), Vec::new(), Vec::new());
    for (window, piece) in windows {
        truncated.extend(Some(window.words.start).filter(|_| window.truncated));
        ranges.push(window.words);
        pieces.push(piece);
    }
    SentenceTags { truncated, ..SentenceTags::join(words, &ranges, &pieces) }
}

/// The windows of the sentence with this number: one, unless it is too long.
fn sentence_windows(
    sentence: usize,
    words: &[String],
    limits: Limits,
    encoder: &mut Encoder<'_>,
    lengths: &mut WordEncoder<'_>,
) -> Result<Vec<Window>> {
    let mut window = |range: Range<usize>| -> Result<Window> {
        let encoded = encoder.source(words.get(range.clone()).unwrap_or_default())?;
        let pair = Pair { source: encoded.ids, ..Pair::default() };
        Ok(Window { sentence, words: range, pair, truncated: encoded.truncated })
    };
    if words.len() <= limits.words {
        let whole = window(0..words.len())?;
        if !whole.truncated {
            return Ok(vec![whole]);
        }
    }
    let lengths: Vec<usize> = words.iter().map(|word| Ok(1 + lengths.ids(word)?.len())).collect::<Result<_>>()?;
    windows(&lengths, limits).into_iter().map(window).collect()
}

fn structured(sequences: Vec<TagSequence>, tags: &[String]) -> Result<Piece> {
    let name = |tag: &usize| {
        let unknown =
            || Error::Internal(format!("the decoder returned tag {tag}, but the task has {} tags", tags.len()));
        tags.get(*tag).cloned().ok_or_else(unknown)
    };
    let confidences = sequences.first().map(|best| best.confidences.clone()).unwrap_or_default();
    let named = |s: &TagSequence| Ok((s.tags.iter().map(name).collect::<Result<_>>()?, s.score));
    let sequences = sequences.iter().map(named).collect::<Result<_>>()?;
    Ok(Piece { sequences, confidences, malformed: false })
}
