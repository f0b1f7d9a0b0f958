//! The arguments of `adapt`.

use std::path::PathBuf;

use clap::Args;

use crate::session::Unfreeze;

#[derive(Debug, Args)]
pub(in crate::cli) struct AdaptArgs {
    /// The folder of a finished run whose generator is a hypernetwork; it is only read
    pub(in crate::cli) run: PathBuf,
    /// The name of the new task
    #[arg(long)]
    pub(in crate::cli) task: String,
    /// The training data of the new task: a file, or a folder with seq.in and seq.out
    #[arg(long, value_name = "PATH")]
    pub(in crate::cli) data: PathBuf,
    /// Its validation data, which select the best step [default: the last step is kept]
    #[arg(long, value_name = "PATH")]
    pub(in crate::cli) validation: Option<PathBuf>,
    /// Its test data, for eval
    #[arg(long, value_name = "PATH")]
    pub(in crate::cli) test: Option<PathBuf>,
    /// What trains. Each choice includes the one before; the run's own tasks stay the same with all of them, bit by bit
    #[arg(long, value_enum, default_value_t)]
    pub(in crate::cli) unfreeze: Unfreeze,
    /// Change a setting of training, for example train.max_steps=300, or of the new task, for example task.format=bio; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(in crate::cli) overrides: Vec<String>,
    /// The new run folder
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) out: PathBuf,
    /// Continue from the newest checkpoint of the new run folder
    #[arg(long)]
    pub(in crate::cli) resume: bool,
}
