//! The options of the loss, and the tokens that it counts.

use candle_core::{DType, Result, Tensor, bail};
use serde::{Deserialize, Serialize};

use crate::transfer::download;

/// How the losses of tokens become one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reduction {
    /// The sum over the tokens that are not ignored.
    #[default]
    Sum,
    /// The mean over the tokens that are not ignored.
    Mean,
}

/// The options of [`smoothed_cross_entropy`](fn@crate::smoothed_cross_entropy). The default is the sum of negative
/// log-likelihoods without smoothing, which ignores label 0, T5's padding.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct SmoothedCrossEntropy {
    /// `eps` in `[0, 1]`: the share of the target that is spread evenly over the vocabulary.
    pub label_smoothing: f64,
    /// Tokens with this label are ignored. It may be outside the vocabulary.
    pub ignore_index: u32,
    /// Sum or mean over the tokens that are not ignored.
    pub reduction: Reduction,
}

/// A token that is not ignored: its row of `hidden`, and its label.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) row: u32,
    pub(super) label: u32,
}

impl SmoothedCrossEntropy {
    /// Fails if the shapes do not fit or the options are invalid; for labels on the CPU, also if a label is out of range or there is no
    /// mean.
    pub(super) fn check(&self, [hidden, weight, labels]: [&Tensor; 3]) -> Result<()> {
        match labels.device().is_cpu() {
            true => self.tokens(hidden, weight, labels).map(drop),
            false => self.vocabulary(hidden, weight, labels).map(drop),
        }
    }

    /// `V`. Fails if the shapes do not fit or the options are invalid.
    fn vocabulary(&self, hidden: &Tensor, weight: &Tensor, labels: &Tensor) -> Result<usize> {
        let vocab = match (hidden.dims(), weight.dims(), labels.dims(), labels.dtype()) {
            ([n, d], [vocab, weight_d], [labels], DType::U32) if n == labels && d == weight_d => *vocab,
            (hidden, weight, labels, dtype) => bail!(
                "smoothed_cross_entropy: expected hidden [n, d], weight [V, d] and labels u32 [n], got {hidden:?}, {weight:?} and {dtype:?} {labels:?}"
            ),
        };
        if !(0.0..=1.0).contains(&self.label_smoothing) {
            bail!("smoothed_cross_entropy: label_smoothing = {} is not in [0, 1]", self.label_smoothing);
        }
        Ok(vocab)
    }

    /// The tokens that are not ignored. Fails if the shapes do not fit, the options are invalid or a label is out of range.
    pub(super) fn tokens(&self, hidden: &Tensor, weight: &Tensor, labels: &Tensor) -> Result<Vec<Token>> {
        let vocab = self.vocabulary(hidden, weight, labels)?;
        // On the CPU nothing is copied between devices.
        #[allow(clippy::disallowed_methods, reason = "labels on the CPU")]
        let numbers = if labels.device().is_cpu() { labels.to_vec1()? } else { download::<u32>(labels)? };
        let tokens: Vec<Token> = (0..)
            .zip(numbers)
            .filter(|(_, label)| *label != self.ignore_index)
            .map(|(row, label)| Token { row, label })
            .collect();
        if let Some(Token { row, label }) = tokens.iter().find(|t| t.label as usize >= vocab) {
            bail!("smoothed_cross_entropy: label {label} of row {row} is not below V = {vocab}");
        }
        if tokens.is_empty() && self.reduction == Reduction::Mean {
            bail!(
                "smoothed_cross_entropy: there is no mean, because every label is ignore_index = {}",
                self.ignore_index
            );
        }
        Ok(tokens)
    }
}
