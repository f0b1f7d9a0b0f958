//! Methods that act on activations, on backbones that offer only weights.

use crate::{Error, PeftConfig, Result, Site, SiteKind, SiteRole, Sites, Stack};

/// Features of the probes. A bottleneck is a fraction of them, so they are many.
const DIM: usize = 1 << 16;

/// Refuses `method` if it acts on activations and `sites` are weights only. Without this check, a union of such a method and another one
/// would lose the first without a word.
///
/// # Errors
/// [`Error::ActsOnActivations`].
pub(super) fn check_activations(method: &dyn PeftConfig, sites: &Sites) -> Result<()> {
    let only_weights = !sites.is_empty() && sites.iter().all(|site| site.kind.has_weight());
    // A method that cannot work at a probe says so by an error. It is then judged by the backbone's own sites.
    let acts = |probe: &Site| method.module(probe).is_ok_and(|module| module.is_some());
    match only_weights && probes().iter().any(acts) {
        true => Err(Error::ActsOnActivations { peft_type: method.typetag_name().to_owned() }),
        false => Ok(()),
    }
}

/// Sites of every kind without a weight, with the roles that have the same meaning in all backbones. Their path is one that no
/// `target_modules` names.
fn probes() -> Vec<Site> {
    let sub_layer = SiteKind::SubLayer { dim: DIM };
    let key_value = SiteKind::KeyValue { dim: DIM, queries: DIM, heads: 1 };
    let kinds = [
        (SiteRole::INPUT, SiteKind::Input { dim: DIM }),
        (SiteRole::SELF_ATTENTION, sub_layer),
        (SiteRole::CROSS_ATTENTION, sub_layer),
        (SiteRole::FEED_FORWARD, sub_layer),
        (SiteRole::SELF_KEY_VALUES, key_value),
        (SiteRole::CROSS_KEY_VALUES, key_value),
    ];
    let at = |stack: Stack| {
        let site =
            move |(role, kind)| Site { path: String::new(), stack: stack.clone(), layer: 0, role, kind, bias: false };
        kinds.clone().map(site)
    };
    [Stack::ENCODER, Stack::DECODER].into_iter().flat_map(at).collect()
}
