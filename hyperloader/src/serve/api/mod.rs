//! What clients see: one file a route, and what routes share.

mod ask;
mod body;
mod count;
mod describe;
mod fields;
mod hugging_face;
mod label;
mod models;
mod openapi;
mod page;
mod status;

pub(super) use body::skip;
pub(super) use hugging_face::hugging_face;
pub(super) use label::label;
pub(super) use models::{load_model, unload_model};
pub(super) use openapi::openapi;
pub(super) use page::page;
pub(super) use status::{health, metrics, ready, tasks};
