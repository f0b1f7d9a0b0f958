//! Mean and spread over seeds, a paired bootstrap over test sentences, and Holm's correction.

mod bootstrap;
mod counts;
mod holm;
mod moments;

pub use bootstrap::{Difference, paired_bootstrap};
pub use counts::{Counts, sentence_counts};
pub use holm::holm;
pub use moments::{mean, standard_deviation};
