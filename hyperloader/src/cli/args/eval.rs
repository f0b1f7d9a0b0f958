//! The arguments of `eval`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::label::Decoding;
use crate::shards::ShardChoice;
use crate::tasks::SplitName;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(in crate::cli) struct EvalArgs {
    #[command(subcommand)]
    pub(in crate::cli) verb: Option<EvalVerb>,
    #[command(flatten)]
    pub(in crate::cli) score: Option<ScoreArgs>,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum EvalVerb {
    /// Add the counts of all shards that eval --shard has scored
    #[command(after_help = "Example: hyperloader eval merge runs/first --split test --json")]
    Merge(MergeArgs),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ScoreArgs {
    /// The folder of a trained run
    pub(in crate::cli) run: PathBuf,
    /// The split to score
    #[arg(long, value_enum, default_value_t = SplitName::Test)]
    pub(in crate::cli) split: SplitName,
    /// A task to score; may be given several times [default: all]
    #[arg(long = "task", value_name = "TASK")]
    pub(in crate::cli) tasks: Vec<String>,
    /// How to decode tags [default: the configuration's eval.decoding]
    #[arg(long, value_enum)]
    pub(in crate::cli) decoding: Option<Decoding>,
    /// Also keep the predicted tags and spans of each sentence, in predictions/<split>/<task>.jsonl of the run folder
    #[arg(long)]
    pub(in crate::cli) predictions: bool,
    /// Score a part of each task's sentences and keep the counts in the run folder, for eval merge: part I of N, counted from 0; auto or
    /// auto/N as in predict
    #[arg(long, value_name = "I/N", conflicts_with = "json")]
    pub(in crate::cli) shard: Option<ShardChoice>,
    /// Print the scores as one JSON document
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct MergeArgs {
    /// The folder of a trained run
    pub(in crate::cli) run: PathBuf,
    /// The split that was scored
    #[arg(long, value_enum, default_value_t = SplitName::Test)]
    pub(in crate::cli) split: SplitName,
    /// Print the scores as one JSON document
    #[arg(long)]
    pub(in crate::cli) json: bool,
}
