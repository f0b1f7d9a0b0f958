//! The configuration of a run: one TOML (or JSON) file for `pretrain`, `train`, `params` and `eval`.
//!
//! The structs of this module are the reference of the file: a table is a struct, and a key is a field. A key that the file
//! leaves out has the default of the field, which is the paper's. An unknown key, a value of the wrong type and values that
//! cannot work together are errors, which name the file, the line, the key and the nearest known spelling. `--set key=value`
//! on the command line changes single keys. The [resolved](Config::to_toml) configuration is written into the run folder.
//!
//! Paths in a configuration are relative to the current folder, not to the file, and `~` is not expanded.
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
mod corpus;
mod data;
mod eval;
mod model;
mod optional;
mod parse;
mod pretrain;
mod root;
mod shape;
mod sizes;
mod task;
mod train;

pub(crate) use check::MOST_BEAMS;
pub use data::DataConfig;
pub use eval::EvalConfig;
pub use model::ModelConfig;
pub use pretrain::PretrainConfig;
pub use root::Config;
pub use shape::T5Shape;
pub use task::TaskConfig;
pub use train::TrainConfig;

#[cfg(test)]
mod tests;
