//! The `hyperloader` command: it parses the arguments, runs one verb, and writes results to stdout and messages to stderr.

mod adapt;
mod args;
mod bench;
mod compile;
mod complete;
mod crash;
mod data;
mod device;
mod eval;
mod output;
mod params;
mod predict;
mod ranks;
mod report;
mod reproduce;
mod run;
#[cfg(feature = "serve")]
mod serve;

pub use run::main;
