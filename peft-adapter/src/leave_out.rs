//! `leave_out`: layers where a method does not act.

use std::collections::{BTreeMap, BTreeSet};

use peft_core::near::did_you_mean;
use peft_core::{Error, Result, Site, Sites, Stack};
use serde::{Deserialize, Serialize};

/// Layers where a method does not act, by stack: `{"encoder": [0], "decoder": [2, 3]}`.
///
/// AdapterHub writes one list of numbers for all stacks: the layers of each stack follow those of the stack before, in the
/// backbone's order. In an encoder-decoder, the decoder's layers follow the encoder's.
/// [`LeaveOut::from_numbers`] and [`LeaveOut::numbers`] convert.
///
/// ```
/// use peft_adapter::LeaveOut;
/// use peft_core::Stack;
/// use peft_core::toy::toy_sites;
///
/// // The toy backbone is a decoder of three layers.
/// let sites = toy_sites(3, 4);
/// let left = LeaveOut::from([(Stack::DECODER, 1)]);
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

    /// The layers with these numbers. Each stack's numbers follow those of the stack before. A number after the last layer
    /// counts on in the last stack.
    pub fn from_numbers(numbers: &[usize], sites: &Sites) -> Self {
        let starts = starts(sites);
        let place = |&number: &usize| {
            let (stack, first) = starts.iter().rev().find(|(_, first)| *first <= number)?;
            Some(((*stack).clone(), number - first))
        };
        Self::new(numbers.iter().filter_map(place))
    }

    /// The layers' numbers. Each stack's follow those of the stack before.
    pub fn numbers(&self, sites: &Sites) -> Vec<usize> {
        let number = |(stack, first)| self.0.get(stack).into_iter().flatten().map(move |layer| first + layer);
        starts(sites).into_iter().flat_map(number).collect()
    }

    /// Whether the layer of `site` is left out.
    pub fn contains(&self, site: &Site) -> bool {
        self.0.get(&site.stack).is_some_and(|layers| layers.contains(&site.layer))
    }

    /// Refuses the name of a stack that the backbone does not have. `kind` is the name of the method.
    pub(crate) fn check(&self, kind: &str, sites: &Sites) -> Result<()> {
        let known = sites.stacks();
        let Some(unknown) = self.0.keys().find(|stack| !known.contains(stack)) else {
            return Ok(());
        };
        let names: Vec<&str> = known.iter().map(|stack| stack.as_str()).collect();
        let hint = did_you_mean(unknown.as_str(), names.iter().copied());
        let (unknown, known) = (unknown.as_str(), names.join(", "));
        let reason = format!("names the stack {unknown:?}, which this backbone does not have;{hint} it has: {known}");
        Err(Error::invalid(kind, "leave_out", reason))
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

/// Each stack with the number of its first layer.
fn starts(sites: &Sites) -> Vec<(&Stack, usize)> {
    let next = |first: &mut usize, stack| {
        let start = *first;
        *first += sites.layers(stack);
        Some((stack, start))
    };
    sites.stacks().into_iter().scan(0, next).collect()
}

/// How many layers all stacks have together.
pub(crate) fn all_layers(sites: &Sites) -> usize {
    sites.stacks().into_iter().map(|stack| sites.layers(stack)).sum()
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
            sites.add(Site { stack: Stack::ENCODER, ..site.clone() });
        }
        for site in &toy_sites(3, 4) {
            sites.add(site.clone());
        }
        sites
    }

    #[test]
    fn the_decoders_layers_count_on_from_the_encoders() {
        let left = LeaveOut::from_numbers(&[1, 2, 4], &sites());
        assert_eq!(left, LeaveOut::new([(Stack::ENCODER, 1), (Stack::DECODER, 0), (Stack::DECODER, 2)]));
        assert_eq!(left.numbers(&sites()), [1, 2, 4]);
        let layers: Vec<_> =
            sites().iter().filter(|s| s.role == SiteRole::FEED_FORWARD && left.contains(s)).map(|s| s.layer).collect();
        assert_eq!(layers, [1, 0, 2]);
    }

    #[test]
    fn each_stack_counts_on_from_the_stack_before() {
        let mut sites = Sites::default();
        for (stack, layers) in [("vision.encoder", 2), ("text.encoder", 1), ("decoder", 2)] {
            for site in &toy_sites(layers, 4) {
                sites.add(Site { stack: Stack::new(stack), ..site.clone() });
            }
        }
        let left = LeaveOut::from_numbers(&[1, 2, 4], &sites);
        let stacks = [Stack::new("vision.encoder"), Stack::new("text.encoder"), Stack::DECODER];
        assert_eq!(left, LeaveOut::new(stacks.into_iter().zip([1, 0, 1])));
        assert_eq!(left.numbers(&sites), [1, 2, 4]);
        assert_eq!(all_layers(&sites), 5);
    }

    #[test]
    fn a_stack_that_the_backbone_does_not_have_is_refused() {
        let error = LeaveOut::from([(Stack::new("decodr"), 0)]).check("BOTTLENECK", &sites()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "BOTTLENECK: leave_out names the stack \"decodr\", which this backbone does not have; did you mean \"decoder\"? \
             it has: encoder, decoder"
        );
    }

    #[test]
    fn configuration_names_the_stacks() {
        let left: LeaveOut = serde_json::from_str(r#"{"decoder": [2, 0]}"#).unwrap();
        assert_eq!(left, LeaveOut::new([(Stack::DECODER, 0), (Stack::DECODER, 2)]));
        assert_eq!(serde_json::to_string(&left).unwrap(), r#"{"decoder":[0,2]}"#);
        let both = LeaveOut::new([(Stack::DECODER, 1), (Stack::ENCODER, 0)]);
        assert_eq!(serde_json::to_string(&both).unwrap(), r#"{"encoder":[0],"decoder":[1]}"#);
    }
}
