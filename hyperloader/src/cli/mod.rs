//! The `hyperloader` command: arguments in, one verb's work, results on stdout, messages on stderr.

mod args;
mod bench;
mod compile;
mod complete;
mod data;
mod eval;
mod output;
mod params;
mod predict;
mod run;

pub use run::main;
