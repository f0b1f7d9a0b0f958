//! `leave_out`: layers that a method leaves alone.

use std::collections::{BTreeMap, BTreeSet};

use peft_core::{Site, Sites, Stack};
use serde::{Deserialize, Serialize};

/// Layers that a method leaves alone, by stack: `{"encoder": [0], "decoder": [2, 3]}`.
///
/// AdapterHub writes one list that counts through both stacks, the encoder's layers first; [`LeaveOut::from_numbers`] and
/// [`LeaveOut::numbers`] translate, given how many layers the encoder has.
///
/// ```
/// use peft_adapter::LeaveOut;
/// use peft_core::Stack;
/// use peft_core::toy::toy_sites;
///
/// // The toy backbone is a decoder of three layers.
/// let sites = toy_sites(3, 4);
/// let left = LeaveOut::new([(Stack::Decoder, 1)]);
/// assert_eq!(left.numbers(&sites), [1]);
/// assert_eq!(LeaveOut::from_numbers(&[1], &sites), left);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LeaveOut(BTreeMap<Stack, BTreeSet<usize>>);

impl LeaveOut {
    /// These layers, numbered from 0 within their stack.
    pub fn new(layers: impl IntoIterator<Item = (Stack, usize)>) -> Self {
        let mut left = Self::default();
        for (stack, layer) in layers {
            left.0.entry(stack).or_default().insert(layer);
        }
        left
    }

    /// The layers with these numbers, where the decoder's count on from the encoder's.
    pub fn from_numbers(numbers: &[usize], sites: &Sites) -> Self {
        let first = encoder_layers(sites);
        Self::new(numbers.iter().map(|&number| match number.checked_sub(first) {
            Some(layer) => (Stack::Decoder, layer),
            None => (Stack::Encoder, number),
        }))
    }

    /// The layers' numbers, where the decoder's count on from the encoder's.
    pub fn numbers(&self, sites: &Sites) -> Vec<usize> {
        let first = encoder_layers(sites);
        let of = |stack: Stack| self.0.get(&stack).into_iter().flatten();
        of(Stack::Encoder).copied().chain(of(Stack::Decoder).map(|layer| first + layer)).collect()
    }

    /// Whether the layer of `site` is left alone.
    pub fn contains(&self, site: &Site) -> bool {
        self.0.get(&site.stack).is_some_and(|layers| layers.contains(&site.layer))
    }

    /// Whether no layer is left alone.
    pub fn is_empty(&self) -> bool {
        self.0.values().all(BTreeSet::is_empty)
    }
}

fn encoder_layers(sites: &Sites) -> usize {
    layers_of(Stack::Encoder, sites)
}

/// How many layers both stacks have together.
pub(crate) fn all_layers(sites: &Sites) -> usize {
    layers_of(Stack::Encoder, sites) + layers_of(Stack::Decoder, sites)
}

fn layers_of(stack: Stack, sites: &Sites) -> usize {
    sites.iter().filter(|site| site.stack == stack).map(|site| site.layer + 1).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use peft_core::SiteRole;
    use peft_core::toy::toy_sites;

    /// Two layers of an encoder in front of three of a decoder.
    fn sites() -> Sites {
        let mut sites = Sites::default();
        for site in &toy_sites(2, 4) {
            sites.add(Site { stack: Stack::Encoder, ..site.clone() });
        }
        for site in &toy_sites(3, 4) {
            sites.add(site.clone());
        }
        sites
    }

    #[test]
    fn the_decoders_layers_count_on_from_the_encoders() {
        let left = LeaveOut::from_numbers(&[1, 2, 4], &sites());
        assert_eq!(left, LeaveOut::new([(Stack::Encoder, 1), (Stack::Decoder, 0), (Stack::Decoder, 2)]));
        assert_eq!(left.numbers(&sites()), [1, 2, 4]);
        let layers: Vec<_> =
            sites().iter().filter(|s| s.role == SiteRole::FEED_FORWARD && left.contains(s)).map(|s| s.layer).collect();
        assert_eq!(layers, [1, 0, 2]);
    }

    #[test]
    fn configuration_names_the_stacks() {
        let left: LeaveOut = serde_json::from_str(r#"{"decoder": [2, 0]}"#).unwrap();
        assert_eq!(left, LeaveOut::new([(Stack::Decoder, 0), (Stack::Decoder, 2)]));
        assert_eq!(serde_json::to_string(&left).unwrap(), r#"{"decoder":[0,2]}"#);
    }
}
