//! `predict`: tags for text, as it comes.

use std::io::Write;

use candle_core::Device;

use super::args::{Global, PredictArgs, PredictFormat};
use crate::config::{Decoding, EvalConfig};
use crate::predict::{Lines, PredictionFormat, PredictionWriter};
use crate::run::RunDir;
use crate::session::Session;
use crate::tasks::Corpus;
use crate::{Error, Result};

/// Sentences that are read before any is labelled, in batches: enough to sort by length, few enough to stream.
const BATCHES_AT_ONCE: usize = 8;

pub(super) fn predict(args: &PredictArgs, global: &Global, device: &Device, out: &mut dyn Write) -> Result<()> {
    let (mut session, _) = Session::load_in(&RunDir::new(&args.run), device, global.dtype.map(Into::into))?;
    decode_as_asked(args, &mut session.config.eval)?;
    let corpus = Corpus::new(&session.config, session.config.task(&args.task)?)?;
    let labeller = session.labeller(&corpus)?;
    let chunk = session.config.eval.batch_size.get() * BATCHES_AT_ONCE;
    let format = match args.format {
        PredictFormat::Bio => PredictionFormat::Bio,
        PredictFormat::Jsonl => PredictionFormat::Jsonl,
        PredictFormat::Inline => PredictionFormat::Inline,
        PredictFormat::Html => PredictionFormat::Html,
    };
    let mut lines = Lines::open(&args.input)?;
    let mut writer = PredictionWriter::new(out, format)?.with_n_best(args.n_best.is_some());
    while let Some(sentences) = lines.next(chunk)? {
        for (tokens, labelled) in sentences.iter().zip(labeller.label(&sentences)?) {
            writer.sentence(tokens, &labelled)?;
        }
        writer.flush()?;
    }
    writer.finish()
}

/// Puts what the call says in place of what the run's configuration says.
fn decode_as_asked(args: &PredictArgs, eval: &mut EvalConfig) -> Result<()> {
    if let Some(decoding) = args.decoding {
        eval.decoding = decoding.into();
    }
    let Some(n_best) = args.n_best else { return Ok(()) };
    if args.format != PredictFormat::Jsonl {
        return Err(Error::Config("--n-best: only --format jsonl has a place for several sequences".into()));
    }
    if eval.decoding == Decoding::Free {
        return Err(Error::Config("--n-best needs structured decoding; give --decoding structured".into()));
    }
    eval.num_beams = n_best;
    Ok(())
}
