//! The command `hyperloader`, started as a user starts it. One program holds these tests, so that it is linked once, and the tiny run
//! that most of them need is trained once.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "../common/mod.rs"]
mod common;

mod adapt;
mod contract;
mod labelling;
mod launched;
mod paper;
mod predict;
mod report;
mod reproduce;
mod resume;
#[cfg(feature = "serve")]
mod serve;
mod shards;
