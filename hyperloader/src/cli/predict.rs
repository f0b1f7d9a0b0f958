//! `predict`: tags for text, as it comes.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use candle_core::Device;

use super::args::{Global, PredictArgs, PredictFormat};
use crate::eval::Labeller;
use crate::predict::{PredictionFormat, PredictionWriter};
use crate::run::RunDir;
use crate::session::Session;
use crate::tasks::Corpus;
use crate::{Error, Result};

/// Sentences that are read before any is labelled, in batches: enough to sort by length, few enough to stream.
const BATCHES_AT_ONCE: usize = 8;

pub(super) fn predict(args: &PredictArgs, global: &Global, device: &Device, out: &mut dyn Write) -> Result<()> {
    let (session, _) = Session::load_in(&RunDir::new(&args.run), device, global.dtype.map(Into::into))?;
    let corpus = Corpus::new(&session.config, session.config.task(&args.task)?)?;
    let labeller = Labeller::new(&session.model, &session.tokenizer, &corpus, &session.config.eval)?;
    let chunk = session.config.eval.batch_size.get() * BATCHES_AT_ONCE;
    let format = match args.format {
        PredictFormat::Bio => PredictionFormat::Bio,
        PredictFormat::Jsonl => PredictionFormat::Jsonl,
        PredictFormat::Inline => PredictionFormat::Inline,
        PredictFormat::Html => PredictionFormat::Html,
    };
    let mut writer = PredictionWriter::new(out, format)?;
    let mut lines = open(&args.input)?;
    let mut cut = 0;
    loop {
        let sentences = next_sentences(&mut lines, &args.input, chunk)?;
        if sentences.is_empty() {
            break;
        }
        for (tokens, labelled) in sentences.iter().zip(labeller.label(&sentences)?) {
            cut += usize::from(labelled.truncated);
            writer.sentence(tokens, &labelled.tags)?;
        }
        writer.flush()?;
    }
    if cut > 0 {
        eprintln!(
            "{cut} sentences were too long to be read whole; the words after data.max_source_length tokens are tagged O"
        );
    }
    writer.finish()
}

fn open(input: &Path) -> Result<Box<dyn BufRead>> {
    if input == Path::new("-") {
        return Ok(Box::new(BufReader::new(std::io::stdin())));
    }
    Ok(Box::new(BufReader::new(File::open(input).map_err(|e| Error::io(input, e))?)))
}

/// The words of up to `count` more lines; blank lines are passed over.
fn next_sentences(lines: &mut dyn BufRead, input: &Path, count: usize) -> Result<Vec<Vec<String>>> {
    let mut sentences = Vec::new();
    let mut line = String::new();
    while sentences.len() < count {
        line.clear();
        if lines.read_line(&mut line).map_err(|e| Error::io(input, e))? == 0 {
            break;
        }
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        if !words.is_empty() {
            sentences.push(words);
        }
    }
    Ok(sentences)
}
