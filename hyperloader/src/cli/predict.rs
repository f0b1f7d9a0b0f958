//! `predict`: tags for text, while it is read.

use std::io::{Read, Write};

use candle_core::Device;

use super::args::{Global, PredictArgs};
use crate::config::EvalConfig;
use crate::label::{Decoding, Labeller};
use crate::predict::{Lines, PredictionFormat, PredictionWriter};
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
    let mut lines = Lines::open(&args.input)?;
    let mut writer = PredictionWriter::new(out, args.format)?.with_n_best(args.n_best.is_some());
    let answered = answer(&labeller, &mut lines, chunk, &mut writer);
    // A page that is cut short is closed all the same.
    answered.and(writer.finish())
}

/// Labels line by line. What was answered before an error has been written.
fn answer<R: Read>(
    labeller: &Labeller<'_>,
    lines: &mut Lines<R>,
    chunk: usize,
    writer: &mut PredictionWriter<'_>,
) -> Result<()> {
    while let Some(sentences) = lines.next(chunk)? {
        for sentence in labeller.label(&sentences)? {
            writer.sentence(&sentence)?;
        }
        writer.flush()?;
    }
    Ok(())
}

/// Overrides the run's configuration with the arguments of the call.
fn decode_as_asked(args: &PredictArgs, eval: &mut EvalConfig) -> Result<()> {
    eval.decoding = args.decoding.unwrap_or(eval.decoding);
    let Some(n_best) = args.n_best else { return Ok(()) };
    if args.format != PredictionFormat::Jsonl {
        return Err(Error::Config("--n-best: only --format jsonl can hold several sequences".into()));
    }
    if eval.decoding == Decoding::Free {
        return Err(Error::Config("--n-best needs structured decoding; give --decoding structured".into()));
    }
    eval.num_beams = n_best;
    Ok(())
}
