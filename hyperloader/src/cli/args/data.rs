//! `data inspect|convert|sample|tokenize`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use datasets::labels::TagScheme;
use datasets::read::{Format, OnBadLine, ReadOptions, TextEncoding};

use super::number::{ANY, MOST_TOKENS, count, decimal, whole};

/// `data VERB`.
#[derive(Debug, Clone, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "\
Examples:
  hyperloader data inspect data/atis/train
  hyperloader data convert data/atis/train atis.jsonl --to jsonl"
)]
pub(in crate::cli) struct DataArgs {
    /// What to do with the data.
    #[command(subcommand)]
    pub(in crate::cli) verb: DataVerb,
}

/// What to do with the data.
#[derive(Debug, Clone, Subcommand)]
pub(in crate::cli) enum DataVerb {
    /// Count sentences, tokens, tags and spans; show lengths, bad lines and truncation.
    Inspect(InspectArgs),
    /// Write a corpus in another format.
    Convert(ConvertArgs),
    /// Draw random sentences of a corpus.
    Sample(SampleArgs),
    /// Show sentences as the model reads and writes them.
    Tokenize(TokenizeArgs),
}

/// A corpus, and how to read it.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct SourceArgs {
    /// The corpus: a file, or a folder with seq.in and seq.out.
    #[arg(value_name = "PATH")]
    pub(in crate::cli) path: PathBuf,
    /// The format of the corpus [default: detected from the file].
    #[arg(long, value_name = "FORMAT", value_parser = format())]
    pub(in crate::cli) format: Option<Format>,
    /// The column of tokens, by name or by number counted from 1 [default: found].
    #[arg(long, value_name = "COLUMN")]
    pub(in crate::cli) tokens_column: Option<String>,
    /// The column of tags, by name or by number counted from 1 [default: found].
    #[arg(long, value_name = "COLUMN")]
    pub(in crate::cli) tags_column: Option<String>,
    /// The names of tags that are written as numbers, separated by commas; the first is for 0.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(in crate::cli) tag_names: Option<Vec<String>>,
    /// The encoding of a text, such as windows-1252 [default: by its byte order mark, otherwise utf-8].
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) encoding: Option<TextEncoding>,
}

impl SourceArgs {
    /// The reader's options, with `on_bad_line` for bad lines.
    pub(in crate::cli) fn options(&self, on_bad_line: OnBadLine, scheme: Option<TagScheme>) -> ReadOptions {
        ReadOptions {
            format: self.format,
            on_bad_line,
            tokens_column: self.tokens_column.clone(),
            tags_column: self.tags_column.clone(),
            scheme,
            tag_names: self.tag_names.clone(),
            encoding: self.encoding,
        }
    }
}

/// The tag scheme of the corpus.
#[derive(Debug, Clone, Copy, Args)]
pub(in crate::cli) struct SchemeArgs {
    /// The tag scheme of the corpus [default: recognized by all of its tags].
    #[arg(long, value_name = "SCHEME", value_parser = tag_scheme())]
    pub(in crate::cli) scheme: Option<TagScheme>,
}

/// The lengths to which sentences are cut.
#[derive(Debug, Clone, Copy, Args)]
pub(in crate::cli) struct LengthArgs {
    /// Cut sources to this many tokens.
    #[arg(long, value_name = "N", default_value = "128", value_parser = count(MOST_TOKENS))]
    pub(in crate::cli) max_source_length: NonZeroUsize,
    /// Cut targets to this many tokens.
    #[arg(long, value_name = "N", default_value = "128", value_parser = count(MOST_TOKENS))]
    pub(in crate::cli) max_target_length: NonZeroUsize,
}

/// `data inspect PATH`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  hyperloader data inspect data/atis/train
  hyperloader data inspect train.csv --tokens-column words --tags-column ner --json
  hyperloader data inspect train.bio --tokenizer models/t5-base")]
pub(in crate::cli) struct InspectArgs {
    /// The corpus; its bad lines are counted and shown.
    #[command(flatten)]
    pub(in crate::cli) source: SourceArgs,
    /// How it marks spans.
    #[command(flatten)]
    pub(in crate::cli) tags: SchemeArgs,
    /// The validation data of the same task, to compare with the corpus.
    #[arg(long, value_name = "PATH")]
    pub(in crate::cli) validation: Option<PathBuf>,
    /// The test data of the same task, to compare with the corpus.
    #[arg(long, value_name = "PATH")]
    pub(in crate::cli) test: Option<PathBuf>,
    /// Also count the sentences that are too long, with this tokenizer: a folder, a tokenizer.json or a spiece.model.
    #[arg(long, value_name = "PATH")]
    pub(in crate::cli) tokenizer: Option<PathBuf>,
    /// The lengths to which its sentences are cut.
    #[command(flatten)]
    pub(in crate::cli) lengths: LengthArgs,
    /// Print one JSON document.
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// `data convert PATH OUT --to FORMAT`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  hyperloader data convert data/mtod/train.tsv mtod.jsonl --to jsonl
  hyperloader data convert train.conll train-bioes.bio --to bio --scheme bioes")]
pub(in crate::cli) struct ConvertArgs {
    /// The corpus.
    #[command(flatten)]
    pub(in crate::cli) source: SourceArgs,
    /// The file to write, or - for stdout; for the format seq, a folder.
    #[arg(value_name = "OUT")]
    pub(in crate::cli) out: PathBuf,
    /// The format to write.
    #[arg(long, value_name = "FORMAT", value_parser = format())]
    pub(in crate::cli) to: Format,
    /// The tag scheme to write [default: iob2].
    #[arg(long, value_name = "SCHEME", value_parser = tag_scheme())]
    pub(in crate::cli) scheme: Option<TagScheme>,
    /// The tag scheme of the corpus [default: recognized by all of its tags].
    #[arg(long, value_name = "SCHEME", value_parser = tag_scheme())]
    pub(in crate::cli) from_scheme: Option<TagScheme>,
    /// Skip and count bad sentences instead of stopping.
    #[arg(long)]
    pub(in crate::cli) skip_bad_lines: bool,
}

/// `data sample PATH`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  hyperloader data sample train.bio -n 5
  hyperloader data sample data/atis/train --fraction 0.1 --seed 1 --out atis-10.bio --to bio")]
pub(in crate::cli) struct SampleArgs {
    /// The corpus.
    #[command(flatten)]
    pub(in crate::cli) source: SourceArgs,
    /// How it marks spans.
    #[command(flatten)]
    pub(in crate::cli) tags: SchemeArgs,
    /// The share of sentences to draw, above 0 and at most 1; they keep the order of the file.
    #[arg(long, value_name = "F", required_unless_present = "number", conflicts_with = "number", value_parser = decimal)]
    pub(in crate::cli) fraction: Option<f64>,
    /// The number of sentences to draw; they come in random order.
    #[arg(short, long, value_name = "N", value_parser = count(ANY))]
    pub(in crate::cli) number: Option<NonZeroUsize>,
    /// The seed of the random choice.
    #[arg(long, default_value_t = 42, value_parser = whole::<u64>)]
    pub(in crate::cli) seed: u64,
    /// The file to write, or - for stdout; for the format seq, a folder [default: JSON Lines on stdout].
    #[arg(long, short, value_name = "OUT", requires = "to")]
    pub(in crate::cli) out: Option<PathBuf>,
    /// The format to write.
    #[arg(long, value_name = "FORMAT", value_parser = format(), requires = "out")]
    pub(in crate::cli) to: Option<Format>,
    /// Skip and count bad sentences instead of stopping.
    #[arg(long)]
    pub(in crate::cli) skip_bad_lines: bool,
}

/// `data tokenize PATH --tokenizer T`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  hyperloader data tokenize train.bio --tokenizer models/t5-base -n 2
  hyperloader data tokenize train.bio --tokenizer models/t5-base --timing")]
pub(in crate::cli) struct TokenizeArgs {
    /// The corpus.
    #[command(flatten)]
    pub(in crate::cli) source: SourceArgs,
    /// How it marks spans.
    #[command(flatten)]
    pub(in crate::cli) tags: SchemeArgs,
    /// The tokenizer: a folder, a tokenizer.json or a spiece.model.
    #[arg(long, value_name = "PATH")]
    pub(in crate::cli) tokenizer: PathBuf,
    /// The number of sentences to show, from the start.
    #[arg(short, long, value_name = "N", default_value = "3", value_parser = count(ANY))]
    pub(in crate::cli) number: NonZeroUsize,
    /// A text to put before every source.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(in crate::cli) prefix: String,
    /// The lengths to which sentences are cut.
    #[command(flatten)]
    pub(in crate::cli) lengths: LengthArgs,
    /// Show no sentences; encode all of them and print the time that each part takes.
    #[arg(long, conflicts_with = "number")]
    pub(in crate::cli) timing: bool,
    /// Print one JSON object per sentence, or one object with the times.
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// A format's name. The help and the completions list the known names.
fn format() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::ALL.map(Format::name)).try_map(|name| name.parse::<Format>())
}

/// A tag scheme's name.
fn tag_scheme() -> impl TypedValueParser<Value = TagScheme> {
    let names = TagScheme::ALL.map(TagScheme::name).into_iter().chain(["bio", "iob", "iobes", "bioul", "bmeso"]);
    PossibleValuesParser::new(names).try_map(|name| name.parse::<TagScheme>())
}
