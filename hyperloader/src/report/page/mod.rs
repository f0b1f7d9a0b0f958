//! The page: what is on it, and the template that it goes into.

mod contents;
mod overview;
mod render;
mod results;
mod study;

pub(super) use contents::Page;
