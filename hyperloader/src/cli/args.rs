//! The arguments of the command.

mod adapt;
mod data;
mod eval;
mod number;
mod predict;
mod reproduce;
#[cfg(feature = "serve")]
mod serve;

pub(super) use adapt::AdaptArgs;
pub(super) use data::{ConvertArgs, DataArgs, DataVerb, InspectArgs, LengthArgs, SampleArgs, SourceArgs, TokenizeArgs};
pub(super) use eval::{EvalArgs, EvalVerb, MergeArgs, ScoreArgs};
pub(super) use predict::PredictArgs;
pub(super) use reproduce::ReproduceArgs;
#[cfg(feature = "serve")]
pub(super) use serve::ServeArgs;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use self::number::{ANY, MOST_THREADS, MOST_TOKENS, count, whole};
use crate::config::Config;
use crate::export::ExportFormat;
use crate::model::Precision;
use crate::tasks::SplitName;
use crate::{Error, Result};

/// Fine-tune one T5 for several tasks of sequence labelling, with LoRA and adapters that a hypernetwork generates.
#[derive(Debug, Parser)]
#[command(
    name = "hyperloader",
    version,
    about,
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Start with: hyperloader quickstart --out quickstart"
)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) verb: Verb,
    #[command(flatten)]
    pub(super) global: Global,
}

/// The options of every command.
#[derive(Debug, Clone, Args)]
pub(super) struct Global {
    /// The device: cpu, cuda, cuda:N or metal [default: the first GPU, if this program was built for it and it works, else cpu]
    #[arg(long, global = true, value_name = "DEVICE")]
    pub(super) device: Option<String>,
    /// Let an NVIDIA GPU multiply f32 matrices in TF32: faster, with factors rounded to 11 bits
    #[arg(long, global = true)]
    pub(super) tf32: bool,
    /// The float type of the backbone's frozen matrices [default: the configuration's model.dtype]
    #[arg(long, global = true, value_enum)]
    pub(super) dtype: Option<Precision>,
    /// The number of threads [default: one per core]
    #[arg(long, global = true, value_name = "N", value_parser = count(MOST_THREADS))]
    pub(super) threads: Option<NonZeroUsize>,
    /// Show no progress
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,
    /// Show every cause of an error
    #[arg(long, short, global = true)]
    pub(super) verbose: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Try everything offline in minutes: make a corpus and a small T5, train HyperLoader on it, print the scores
    #[command(after_help = "Example: hyperloader quickstart --out quickstart")]
    Quickstart(QuickstartArgs),
    /// Train a model from a configuration file, into a run folder
    #[command(
        after_help = "Example: hyperloader train --config docs/configs/paper/hyperloader.toml --set train.max_steps=1000 --out runs/first"
    )]
    Train(TrainArgs),
    /// Add a task to a trained run without training it again; the run's own tasks stay the same, bit by bit
    #[command(
        after_help = "Example: hyperloader adapt runs/first --task restaurant --data restaurant.bio --test restaurant-test.bio --out runs/second"
    )]
    Adapt(AdaptArgs),
    /// Score a trained run on one split of its tasks' sentences
    #[command(after_help = "Example: hyperloader eval runs/first --split test --json")]
    Eval(EvalArgs),
    /// Tag text, line by line or as a whole
    #[command(
        after_help = "Example: echo 'play some jazz by miles davis' | hyperloader predict runs/first --task snips -"
    )]
    Predict(PredictArgs),
    /// Label text over HTTP, with the tasks of several models
    #[cfg(feature = "serve")]
    #[command(after_help = serve::AFTER_HELP)]
    Serve(ServeArgs),
    /// Show runs and suites on one page: scores, curves, errors, sentences
    #[command(
        after_help = "Next to the page, the same tables are written as CSV (a line for each cell) and as Markdown: report.csv and \
                      report.md for report.html. A run needs predictions first: hyperloader eval RUN --predictions\n\n\
                      Example: hyperloader report runs/first runs/second --out report.html"
    )]
    Report(ReportArgs),
    /// Count the parameters of a configuration's model, without loading weights
    #[command(after_help = "Example: hyperloader params --config docs/configs/paper/hyperloader.toml --json")]
    Params(ParamsArgs),
    /// Measure a training step, part by part, and labelling on this machine
    #[command(after_help = "Example: hyperloader bench --config docs/configs/bench/t5-small.toml --dtype bf16 --json")]
    Bench(BenchArgs),
    /// Turn one task of a trained run into a model of its own, without hypernetwork
    #[command(after_help = "Example: hyperloader compile runs/first --task snips --out models/snips")]
    Compile(CompileArgs),
    /// Write one task of a trained run as a folder that Python loads
    #[command(
        after_help = "Example: hyperloader export runs/first --task snips --format adapterhub --out adapters/snips"
    )]
    Export(ExportArgs),
    /// Turn a checkpoint of the paper's authors into a run folder
    #[command(
        after_help = "Example: hyperloader import pytorch_model.bin --config docs/configs/paper/hyperloader.toml --out runs/authors"
    )]
    Import(ImportArgs),
    /// Pretrain a T5 backbone on plain text by span corruption
    #[command(after_help = "Example: hyperloader pretrain --config docs/configs/real-small.toml --out runs/backbone")]
    Pretrain(PretrainArgs),
    /// Run the paper's comparisons: every system, ablation and share of the data, with several seeds
    #[command(after_help = reproduce::AFTER_HELP)]
    Reproduce(ReproduceArgs),
    /// Inspect, convert, sample or tokenize a corpus
    Data(DataArgs),
    /// Print a shell's completion script
    #[command(after_help = "Example: hyperloader completions bash > /etc/bash_completion.d/hyperloader")]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page
    #[command(after_help = "Example: hyperloader man | man -l -")]
    Man,
}

impl Verb {
    /// The configuration that the verb reads, if it reads one.
    pub(super) fn config(&self) -> Option<&ConfigArgs> {
        match self {
            Self::Train(args) => Some(&args.config),
            Self::Pretrain(args) => Some(&args.config),
            Self::Params(args) => Some(&args.config),
            Self::Bench(args) => Some(&args.config),
            Self::Import(args) => Some(&args.config),
            _ => None,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct QuickstartArgs {
    /// The folder for corpus, backbone and run; it must be new or empty
    #[arg(long, value_name = "DIR", default_value = "quickstart")]
    pub(super) out: PathBuf,
    /// The seed of all random numbers
    #[arg(long, default_value_t = 42, value_parser = whole::<u64>)]
    pub(super) seed: u64,
    /// Print the scores as one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

/// A configuration file and changes to it.
#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    /// The configuration file, TOML or JSON
    #[arg(long, value_name = "FILE")]
    pub(super) config: PathBuf,
    /// Change a key of the configuration, for example train.max_steps=1000 or tasks.0.train=data/train.bio; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(super) overrides: Vec<String>,
}

impl ConfigArgs {
    /// The configuration.
    pub(super) fn load(&self) -> Result<Config> {
        Config::load(&self.config, &self.overrides).map_err(|error| error.asked_by("--config"))
    }

    /// `error` with the override that gave the setting which it is about, if one did. Errors of the configuration alone name it by
    /// themselves; this is for what is found out later, such as a file that is missing.
    pub(super) fn blame(&self, error: Error) -> Error {
        let Error::Setting { key, source } = error else { return error };
        let key = match self.overrides.iter().rfind(|text| sets(text, &key)) {
            Some(text) => format!("--set {text}: {key}"),
            None => key,
        };
        Error::Setting { key, source }
    }
}

/// Whether the override `text` sets `key`, or a table that holds it.
fn sets(text: &str, key: &str) -> bool {
    let own = text.split_once('=').map(|(own, _)| own.trim());
    let rest = own.and_then(|own| key.strip_prefix(own));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[derive(Debug, Args)]
pub(super) struct BenchArgs {
    #[command(flatten)]
    pub(super) config: ConfigArgs,
    /// The number of steps to measure
    #[arg(long, value_name = "N", default_value = "5", value_parser = count(ANY))]
    pub(super) steps: NonZeroUsize,
    /// The number of steps to run before the measured ones
    #[arg(long, value_name = "N", default_value = "2", value_parser = whole::<usize>)]
    pub(super) warmup: usize,
    /// The number of tokens of each source
    #[arg(long, value_name = "N", default_value = "48", value_parser = count(MOST_TOKENS))]
    pub(super) source_length: NonZeroUsize,
    /// The number of tokens of each target
    #[arg(long, value_name = "N", default_value = "64", value_parser = count(MOST_TOKENS))]
    pub(super) target_length: NonZeroUsize,
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct TrainArgs {
    #[command(flatten)]
    pub(super) config: ConfigArgs,
    /// The run folder [default: the configuration's train.output_dir]
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Continue from the newest checkpoint of the run folder
    #[arg(long)]
    pub(super) resume: bool,
}

#[derive(Debug, Args)]
pub(super) struct PretrainArgs {
    #[command(flatten)]
    pub(super) config: ConfigArgs,
    /// The folder for the backbone [default: the configuration's pretrain.output_dir]
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Continue from the newest checkpoint of the folder
    #[arg(long)]
    pub(super) resume: bool,
}

#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// The folders of runs and of suites
    #[arg(required = true, value_name = "RUN_OR_SUITE")]
    pub(super) inputs: Vec<PathBuf>,
    /// The page, a file that ends in .html; - for standard output, without the tables
    #[arg(long, value_name = "FILE")]
    pub(super) out: PathBuf,
    /// The split whose scores and predictions are shown
    #[arg(long, value_enum, default_value_t = SplitName::Test)]
    pub(super) split: SplitName,
    /// The most sentences of a corpus that the page holds; sentences with errors come first
    #[arg(long, value_name = "N", default_value = "300", value_parser = whole::<usize>)]
    pub(super) sentences: usize,
}

#[derive(Debug, Args)]
pub(super) struct CompileArgs {
    /// The folder of a trained run
    pub(super) run: PathBuf,
    /// The name of the task
    #[arg(long)]
    pub(super) task: String,
    /// The new folder for the model; it must not exist
    #[arg(long, value_name = "DIR")]
    pub(super) out: PathBuf,
    /// Print the report as one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// The folder of a trained run
    pub(super) run: PathBuf,
    /// The name of the task
    #[arg(long)]
    pub(super) task: String,
    /// The library that will load the files
    #[arg(long, value_enum)]
    pub(super) format: ExportFormat,
    /// The new folder; it must not exist
    #[arg(long, value_name = "DIR")]
    pub(super) out: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// The checkpoint: a pytorch_model.bin or a safetensors file
    pub(super) checkpoint: PathBuf,
    #[command(flatten)]
    pub(super) config: ConfigArgs,
    /// The new run folder; it must not exist
    #[arg(long, value_name = "DIR")]
    pub(super) out: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct ParamsArgs {
    #[command(flatten)]
    pub(super) config: ConfigArgs,
    /// Print the counts as one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

#[cfg(test)]
mod tests;
