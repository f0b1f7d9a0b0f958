//! What the cross-crate tests share.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

pub mod compat;
pub mod decoders;
pub mod encoder;
pub mod golden;
pub mod llama_backbone;
pub mod matrix;
pub mod registry;
pub mod sentences;
pub mod t5_backbone;
