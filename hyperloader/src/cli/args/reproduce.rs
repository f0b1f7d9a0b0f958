//! The arguments of `reproduce`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

use super::number::count;
use crate::reproduce::{Scale, Suite};

/// More cells at once than any machine trains.
const MOST_JOBS: usize = 1024;
/// More seeds than anyone has time for.
const MOST_SEEDS: usize = 1000;

pub(in crate::cli) const AFTER_HELP: &str = "\
Example: hyperloader reproduce --suite high-resource --scale tiny --seeds 3 --data data --out suites/high

The suite's folder gets suite.json, cells/<system>/<task or all>/<share>/seed-<n>/ (a run folder each, and cell.json once it is \
finished), results.csv and results.md. The same command continues a suite that was stopped or killed: finished cells are kept. It may \
run several times at once, also on several machines that share the folder.";

#[derive(Debug, Args)]
pub(in crate::cli) struct ReproduceArgs {
    /// The comparison
    #[arg(long, value_enum)]
    pub(in crate::cli) suite: Suite,
    /// The size of models and training
    #[arg(long, value_enum, default_value = "tiny")]
    pub(in crate::cli) scale: Scale,
    /// The number of seeds: 42 and those after it
    #[arg(long, value_name = "N", default_value = "3", value_parser = count(MOST_SEEDS))]
    pub(in crate::cli) seeds: NonZeroUsize,
    /// The folder of the corpora; what is missing is named, with where to get it
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) data: PathBuf,
    /// The folder of the suite
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) out: PathBuf,
    /// The corpora, separated by commas [default: all that are in the data folder]
    #[arg(long, value_name = "TASK", value_delimiter = ',')]
    pub(in crate::cli) tasks: Vec<String>,
    /// The systems, separated by commas [default: the suite's]
    #[arg(long, value_name = "SYSTEM", value_delimiter = ',')]
    pub(in crate::cli) systems: Vec<String>,
    /// The shares of training and validation data, separated by commas [default: 0.1,0.2,0.5 of low-resource, else 1]
    #[arg(long, value_name = "SHARE", value_delimiter = ',')]
    pub(in crate::cli) fractions: Vec<f64>,
    /// The backbone: a folder or a name on the hub [default: the scale's; tiny pretrains its own]
    #[arg(long, value_name = "MODEL")]
    pub(in crate::cli) backbone: Option<String>,
    /// The number of cells to train at once; they share the threads
    #[arg(long, value_name = "N", default_value = "1", value_parser = count(MOST_JOBS))]
    pub(in crate::cli) jobs: NonZeroUsize,
    /// Draws of the bootstrap for differences between systems
    #[arg(long, value_name = "N", default_value = "10000", value_parser = count(10_000_000))]
    pub(in crate::cli) draws: NonZeroUsize,
    /// Print what the cells would be and cost, and run nothing
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    /// With --dry-run: print each cell with its whole configuration, as one JSON document
    #[arg(long, requires = "dry_run")]
    pub(in crate::cli) json: bool,
}
