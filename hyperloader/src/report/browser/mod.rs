//! The sentences that can be looked at: which, and as the data that the page's script reads.

mod choose;
mod corpora;
mod data;

pub(super) use data::{BrowserData, browser_data};
