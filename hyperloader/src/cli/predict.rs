//! `predict`: tags for text, while it is read.

use std::io::{Read, Write};

use candle_core::Device;
use tracing::warn;

use super::args::{Global, PredictArgs};
use crate::config::EvalConfig;
use crate::label::{Decoding, Item, Labeller};
use crate::predict::{InputFormat, Lines, PredictionFormat, PredictionWriter, Request};
use crate::run::RunDir;
use crate::session::Session;
use crate::{Error, Result};

/// The number of batches that are read before any is labelled: enough to sort by length, few enough to stream.
const BATCHES_AT_ONCE: usize = 8;

pub(super) fn predict(args: &PredictArgs, global: &Global, device: &Device, out: &mut dyn Write) -> Result<()> {
    let (mut session, _) = Session::load_in(&RunDir::new(&args.run), device, global.dtype)?;
    decode_as_asked(args, &mut session.config.eval)?;
    let labeller = session.labeller(&args.task)?;
    let chunk = session.config.eval.batch_size.get() * BATCHES_AT_ONCE;
    let lines = Lines::open(&args.input, args.input_format)?;
    let writer = PredictionWriter::new(out, args.format)?.with_n_best(args.n_best.is_some());
    let mut answers = Answers { labeller, writer, args, truncated: 0 };
    let answered = match args.document {
        true => lines.document().and_then(|document| answers.give(vec![document])),
        false => answers.stream(lines, chunk),
    };
    answers.say_what_was_cut();
    // A page that is cut short is closed all the same.
    answered.and(answers.writer.finish())
}

/// Answers what was asked.
struct Answers<'a> {
    labeller: Labeller<'a>,
    writer: PredictionWriter<'a>,
    args: &'a PredictArgs,
    /// The number of words that were too long for the model.
    truncated: usize,
}

impl Answers<'_> {
    /// Answers line by line. What was answered before an error has been written.
    fn stream<R: Read>(&mut self, mut lines: Lines<R>, chunk: usize) -> Result<()> {
        while let Some(requests) = lines.next(chunk)? {
            self.give(requests)?;
        }
        Ok(())
    }

    fn give(&mut self, requests: Vec<Request>) -> Result<()> {
        let split = self.args.split_sentences;
        let (items, ids): (Vec<Item<'_>>, Vec<_>) =
            requests.into_iter().map(|Request { item, id }| (item.split_sentences(split), id)).unzip();
        for (labelled, id) in self.labeller.label(items)?.into_iter().zip(ids) {
            self.truncated += labelled.truncated_words.len();
            let labelled = match self.args.threshold {
                Some(threshold) => labelled.with_threshold(threshold)?,
                None => labelled,
            };
            self.writer.sentence(labelled, id)?;
        }
        self.writer.flush()
    }

    fn say_what_was_cut(&self) {
        let words = match self.truncated {
            0 => return,
            1 => "1 word has".to_owned(),
            number => format!("{number} words have"),
        };
        warn!(
            "{words} more tokens than the model reads at once (data.max_source_length), so only the beginning was read; \
             --format jsonl names such words in truncated_words"
        );
    }
}

/// Checks that the arguments fit together, and overrides the run's configuration with them.
fn decode_as_asked(args: &PredictArgs, eval: &mut EvalConfig) -> Result<()> {
    eval.decoding = args.decoding.unwrap_or(eval.decoding);
    let wrong = |message: &str| Err(Error::Config(message.to_owned()));
    if args.document && args.input_format != InputFormat::Text {
        return wrong("--document: only a raw text can be one document; give --input-format text");
    }
    if args.n_best.is_some() && args.format != PredictionFormat::Jsonl {
        return wrong("--n-best: only --format jsonl can hold several sequences");
    }
    if eval.decoding == Decoding::Free {
        let needs = [
            ("--n-best", args.n_best.is_some()),
            ("--threshold", args.threshold.is_some()),
            ("--format hf", args.format == PredictionFormat::Hf),
        ];
        if let Some((option, _)) = needs.into_iter().find(|(_, given)| *given) {
            return wrong(&format!("{option} needs structured decoding; give --decoding structured"));
        }
    }
    eval.num_beams = args.n_best.unwrap_or(eval.num_beams);
    Ok(())
}
