//! The arguments of `predict`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

use super::number::{count, share};
use crate::config::MOST_BEAMS;
use crate::label::Decoding;
use crate::predict::{InputFormat, PredictionFormat};
use crate::shards::ShardChoice;

#[derive(Debug, Args)]
pub(in crate::cli) struct PredictArgs {
    /// The folder of a trained run
    pub(in crate::cli) run: PathBuf,
    /// The name of the task
    #[arg(long)]
    pub(in crate::cli) task: String,
    /// The input, one text per line or row; - for standard input
    #[arg(default_value = "-")]
    pub(in crate::cli) input: PathBuf,
    /// What a line of the input is [default: parquet for a file of that name, otherwise text]
    #[arg(long, value_enum)]
    pub(in crate::cli) input_format: Option<InputFormat>,
    /// The column of a Parquet file that holds a text, or a list of words: its name or its number [default: text, tokens, words or
    /// sentence]
    #[arg(long, value_name = "COLUMN")]
    pub(in crate::cli) column: Option<String>,
    /// The whole input is one text
    #[arg(long)]
    pub(in crate::cli) document: bool,
    /// Label each text sentence by sentence; offsets still count in the text
    #[arg(long)]
    pub(in crate::cli) split_sentences: bool,
    /// The format of the output
    #[arg(long, value_enum, default_value_t = PredictionFormat::Bio)]
    pub(in crate::cli) format: PredictionFormat,
    /// A file for the output, which is written whole or not at all; with --shard, the folder of all shards [default: standard output]
    #[arg(long, value_name = "PATH")]
    pub(in crate::cli) out: Option<PathBuf>,
    /// Label one part of the input, while other processes label the others: part I of N, counted from 0. Their outputs together are that
    /// of one process. A part that is finished is left as it is. auto: task and size of a Slurm array. auto/N: SLURM_ARRAY_TASK_ID or
    /// JOB_COMPLETION_INDEX, of N
    #[arg(long, value_name = "I/N", requires = "out")]
    pub(in crate::cli) shard: Option<ShardChoice>,
    /// How to decode tags [default: the run's eval.decoding]
    #[arg(long, value_enum)]
    pub(in crate::cli) decoding: Option<Decoding>,
    /// Also write the N best tag sequences of each sentence with their scores; needs --format jsonl
    #[arg(long, value_name = "N", value_parser = count(MOST_BEAMS))]
    pub(in crate::cli) n_best: Option<NonZeroUsize>,
    /// Drop spans with a lower score, from 0 to 1: their words get the tag O
    #[arg(long, value_name = "SCORE", value_parser = share)]
    pub(in crate::cli) threshold: Option<f32>,
}
