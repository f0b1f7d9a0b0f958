//! The configuration of a run: one TOML (or JSON) file for `pretrain`, `train`, `params` and `eval`.
//!
//! The structs are the reference of the file: a key is a field, a table is a struct, and what a file leaves out has the
//! default named at the field, which is the paper's. Nothing is guessed: a key that no struct knows, a value of another
//! type and a combination that cannot work are errors that name the file, the line, the key and the nearest right
//! spelling. `--set key=value` on the command line changes single keys; the [resolved](Config::to_toml) configuration is
//! written into the run folder.
//!
//! Paths in a configuration are relative to the current folder, wherever the file lies, and `~` is not expanded.
//!
//! ```
//! # use hyperloader::config::Config;
//! let config = Config::from_toml(
//!     r#"
//!     [[tasks]]
//!     name = "atis"
//!     train = "data/atis/train"
//!
//!     [train]
//!     max_steps = 2000
//!     "#,
//! )?;
//! assert_eq!(config.train.max_steps.get(), 2000);
//! assert_eq!(config.train.learning_rate, 3e-4); // the paper's
//! # Ok::<(), hyperloader::Error>(())
//! ```

mod check;
mod data;
mod eval;
mod model;
mod near;
mod parse;
mod pretrain;
mod root;
mod shape;
mod task;
mod train;

pub use data::DataConfig;
pub use eval::EvalConfig;
pub use model::ModelConfig;
pub use near::nearest;
pub use pretrain::PretrainConfig;
pub use root::Config;
pub use shape::{FeedForward, T5Shape};
pub use task::TaskConfig;
pub use train::TrainConfig;

#[cfg(test)]
mod tests;
