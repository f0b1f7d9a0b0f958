//! What is on disk survives: processes that are killed, disks that are full, folders that vanish, bytes that change.
//!
//! | variable | what it sets | default |
//! |---|---|---|
//! | `HYPERLOADER_KILLS` | how often a process is killed | 20 |
//! | `HYPERLOADER_CORRUPTIONS` | how many changes of a file are tried | 100 |
//! | `HYPERLOADER_SEED` | where, when and what | 1 |
//!
//! `--nocapture` shows what was hit.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "tests")]

#[path = "../common/mod.rs"]
mod common;
mod damage;
mod kills;
mod settings;
mod space;
mod subjects;
mod tree;
mod work;
