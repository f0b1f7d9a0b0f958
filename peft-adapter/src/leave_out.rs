//! `leave_out`: layers where a method does not act.

use std::collections::{BTreeMap, BTreeSet};

use peft_core::{Site, Sites, Stack};
use serde::{Deserialize, Serialize};

/// Layers where a method does not act, by stack: `{"encoder": [0], "decoder": [2, 3]}`.
///
/// AdapterHub writes one list of numbers for both stacks: the decoder's layers follow the encoder's.
/// [`LeaveOut::from_numbers`] and [`LeaveOut::numbers`] convert.
///
/// ```
/// use peft_adapter::LeaveOut;
/// use peft_core::Stack;
/// use peft_core::toy::toy_sites;
///
/// // The toy backbone is a decoder of three layers.
/// let sites = toy_sites(3, 4);
/// let left = LeaveOut::from([(Stack::Decoder, 1)]);
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

    /// The layers with these numbers. The decoder's numbers follow the encoder's.
    pub fn from_numbers(numbers: &[usize], sites: &Sites) -> Self {
        let first = encoder_layers(sites);
        Self::new(numbers.iter().map(|&number| match number.checked_sub(first) {
            Some(layer) => (Stack::Decoder, layer),
            None => (Stack::Encoder, number),
        }))
    }

    /// The layers' numbers. The decoder's follow the encoder's.
    pub fn numbers(&self, sites: &Sites) -> Vec<usize> {
        let first = encoder_layers(sites);
        let of = |stack: Stack| self.0.get(&stack).into_iter().flatten();
        of(Stack::Encoder).copied().chain(of(Stack::Decoder).map(|layer| first + layer)).collect()
    }

    /// Whether the layer of `site` is left out.
    pub fn contains(&self, site: &Site) -> bool {
        self.0.get(&site.stack).is_some_and(|layers| layers.contains(&site.layer))
    }

    /// Whether no layer is left out.
    pub fn is_empty(&self) -> bool {
        self.0.values().all(BTreeSet::is_empty)
    }
}

impl<const N: usize> From<[(Stack, usize); N]> for LeaveOut {
    fn from(layers: [(Stack, usize); N]) -> Self {
        Self::new(layers)
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

    /// Two layers of an encoder, then three of a decoder.
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
