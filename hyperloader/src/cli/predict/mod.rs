//! `predict`: tags for text, while it is read; or for one shard of it.

mod part;
mod shard;

use std::io::Write;
use std::ops::Range;
use std::path::Path;

use datasets::read::rows::TextRows;
use tracing::warn;

use super::args::{Global, PredictArgs};
use crate::config::EvalConfig;
use crate::files::write_whole;
use crate::label::Decoding;
use crate::predict::{AnswerOptions, Answers, InputFormat, Lines, PredictionFormat, PredictionWriter};
use crate::run::RunDir;
use crate::session::Session;
use crate::{Error, Result};

/// The number of batches that are read before any is labelled: enough to sort by length, few enough to stream.
const BATCHES_AT_ONCE: usize = 8;

pub(super) fn predict(args: &PredictArgs, global: &Global, out: &mut dyn Write) -> Result<()> {
    check_input(args)?;
    let shard = args.shard.map(|choice| choice.resolve()).transpose()?;
    let run = RunDir::new(&args.run);
    let (mut session, _) = Session::load_in(&run, &global.open_for(&run)?, global.dtype)?;
    decode_as_asked(args, &mut session.config.eval)?;
    match (shard, &args.out) {
        (Some(shard), Some(folder)) => shard::label(args, shard, folder, &session, out),
        (Some(_), None) => Err(Error::Config("--shard: give the folder for all shards with --out".into())),
        (None, Some(path)) => {
            let source = Source::open(args)?;
            write_whole(path, |file| answer(args, source, &mut answers(args, &session)?, file, path))
        }
        (None, None) => answer(args, Source::open(args)?, &mut answers(args, &session)?, out, Path::new("stdout")),
    }
}

/// Where texts come from.
enum Source {
    Lines(Lines<Box<dyn std::io::Read>>),
    Document(Lines<Box<dyn std::io::Read>>),
    /// Some rows of a Parquet file.
    Rows(TextRows, Range<u64>),
}

impl Source {
    /// All of the input.
    fn open(args: &PredictArgs) -> Result<Self> {
        match (input_format(args), args.document) {
            (InputFormat::Parquet, _) => {
                let rows = TextRows::open(&args.input, args.column.as_deref())?;
                let all = 0..rows.len();
                Ok(Self::Rows(rows, all))
            }
            (format, true) => Ok(Self::Document(Lines::open(&args.input, format)?)),
            (format, false) => Ok(Self::Lines(Lines::open(&args.input, format)?)),
        }
    }
}

/// The format of the input.
fn input_format(args: &PredictArgs) -> InputFormat {
    args.input_format.unwrap_or_else(|| InputFormat::of_file(&args.input))
}

/// What answers the texts.
fn answers<'a>(args: &PredictArgs, session: &'a Session) -> Result<Answers<'a>> {
    let options = AnswerOptions {
        split_sentences: args.split_sentences,
        threshold: args.threshold,
        at_once: session.config.eval.batch_size.get() * BATCHES_AT_ONCE,
    };
    Ok(Answers::new(session.labeller(&args.task)?, options))
}

/// Writes all answers to `out`, which errors call `name`.
fn answer(
    args: &PredictArgs,
    source: Source,
    answers: &mut Answers<'_>,
    mut out: &mut dyn Write,
    name: &Path,
) -> Result<()> {
    let answered = match source {
        Source::Rows(rows, range) if args.format == PredictionFormat::Parquet => {
            answers.table(&rows, range, &mut out, name)
        }
        source => {
            let writer = PredictionWriter::new(out, name, args.format)?;
            let mut writer = writer.with_n_best(args.n_best.is_some());
            let answered = match source {
                Source::Lines(lines) => answers.lines(lines, &mut writer),
                Source::Document(lines) => {
                    lines.document().and_then(|document| answers.give(vec![document], &mut writer))
                }
                Source::Rows(rows, range) => answers.rows(&rows, range, &mut writer),
            };
            // A page that is cut short is closed all the same.
            answered.and(writer.finish())
        }
    };
    say_what_was_cut(answers.truncated());
    answered
}

fn say_what_was_cut(words: usize) {
    let words = match words {
        0 => return,
        1 => "1 word has".to_owned(),
        number => format!("{number} words have"),
    };
    warn!(
        "{words} more tokens than the model reads at once (data.max_source_length), so only the beginning was read; \
         --format jsonl names such words in truncated_words"
    );
}

/// Checks that what is said of input and output fits together.
fn check_input(args: &PredictArgs) -> Result<()> {
    let wrong = |message: &str| Err(Error::Config(message.to_owned()));
    let input = input_format(args);
    if args.document && input != InputFormat::Text {
        return wrong("--document: only a raw text can be one document; give --input-format text");
    }
    if args.column.is_some() && input != InputFormat::Parquet {
        return wrong("--column: only a Parquet file has columns; give --input-format parquet");
    }
    if input == InputFormat::Parquet && peft_files::is_stdout(&args.input) {
        return wrong("--input-format parquet: standard input cannot be read from its end; name a file");
    }
    if args.format == PredictionFormat::Parquet && (input != InputFormat::Parquet || args.out.is_none()) {
        return wrong(
            "--format parquet keeps the columns of a Parquet file: name one as the input, and a file with --out",
        );
    }
    if args.shard.is_some() && args.document {
        return wrong("--shard: a document is one text, and its answer depends on all of it; label it without --shard");
    }
    if args.shard.is_some() && args.format == PredictionFormat::Html {
        return wrong("--shard: pages cannot be put together; give another --format");
    }
    Ok(())
}

/// Checks that the arguments fit the run's decoding, and overrides the run's configuration with them.
fn decode_as_asked(args: &PredictArgs, eval: &mut EvalConfig) -> Result<()> {
    eval.decoding = args.decoding.unwrap_or(eval.decoding);
    let wrong = |message: &str| Err(Error::Config(message.to_owned()));
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
