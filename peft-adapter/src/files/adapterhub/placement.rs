//! At which linear maps AdapterHub places LoRA and IA3.

use std::collections::BTreeSet;

use peft_core::{Result, Site, SiteKind, Sites, TargetModules, TargetedModule};
use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;

use super::fields::refused;
use crate::LeaveOut;
use crate::leave_out::all_layers;

/// AdapterHub's fields that say where LoRA acts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, SmartDefault)]
#[serde(default)]
pub(super) struct LoraPlacement {
    /// In attention, cross-attention too.
    #[default(true)]
    pub(super) selfattn_lora: bool,
    /// At `wi`, of a gated network at `wi_1`.
    pub(super) intermediate_lora: bool,
    /// At `wo`.
    pub(super) output_lora: bool,
    /// Layers without LoRA; the decoder's numbers continue the encoder's.
    pub(super) leave_out: Vec<usize>,
    /// Which of `q`, `k` and `v`.
    #[default(vec!["q".to_owned(), "v".to_owned()])]
    pub(super) attn_matrices: Vec<String>,
}

/// The last component of a path.
fn module(site: &Site) -> &str {
    site.path.rsplit('.').next().unwrap_or_default()
}

impl LoraPlacement {
    /// Whether AdapterHub places a LoRA at `site`.
    fn places(&self, site: &Site, left: &LeaveOut) -> bool {
        let named = match module(site) {
            matrix @ ("q" | "k" | "v") => self.selfattn_lora && self.attn_matrices.iter().any(|m| m == matrix),
            "wi" | "wi_1" => self.intermediate_lora,
            "wo" => self.output_lora,
            _ => false,
        };
        named && matches!(site.kind, SiteKind::Linear { .. }) && !left.contains(site)
    }

    /// The same modules as a configuration of this crate names them: by the ends of their paths, or by whole paths where
    /// layers are left out.
    pub(super) fn target_modules(&self, sites: &Sites) -> TargetModules {
        let left = LeaveOut::from_numbers(&self.leave_out, sites);
        let places = sites.iter().filter(|site| self.places(site, &left));
        if !left.is_empty() {
            return TargetModules::suffixes(places.map(|site| site.path.clone()));
        }
        let names: BTreeSet<&str> = places.map(module).collect();
        TargetModules::suffixes(names)
    }

    /// The fields that mean exactly the linear maps of `targets`.
    ///
    /// # Errors
    /// If no fields mean that; `kind` is the method's name.
    pub(super) fn of(targets: &[&TargetedModule], sites: &Sites, kind: &str) -> Result<Self> {
        let here: Vec<&Site> = targets.iter().map(|target| &target.site).collect();
        let has = |names: &[&str]| here.iter().any(|site| names.contains(&module(site)));
        let attn_matrices: Vec<String> =
            ["q", "k", "v"].into_iter().filter(|m| has(&[*m])).map(str::to_owned).collect();
        let layer = |site: &Site| LeaveOut::new([(site.stack.clone(), site.layer)]).numbers(sites);
        let used: BTreeSet<usize> = here.iter().flat_map(|site| layer(site)).collect();
        let placement = Self {
            selfattn_lora: !attn_matrices.is_empty(),
            intermediate_lora: has(&["wi", "wi_1"]),
            output_lora: has(&["wo"]),
            leave_out: (0..all_layers(sites)).filter(|number| !used.contains(number)).collect(),
            attn_matrices,
        };
        let left = LeaveOut::from_numbers(&placement.leave_out, sites);
        let ours: BTreeSet<&str> = here.iter().map(|site| site.path.as_str()).collect();
        for site in sites {
            let (wanted, placed) = (ours.contains(site.path.as_str()), placement.places(site, &left));
            if wanted != placed {
                let (verb, path) = (if wanted { "acts" } else { "does not act" }, &site.path);
                let reason = format!(
                    "mean that it {verb} at {path}, which AdapterHub's fields cannot say together with its other places; \
                     they know q, k and v of all attentions, wi (wi_1) and wo, layer by layer"
                );
                return Err(refused(kind, "target_modules", reason));
            }
        }
        Ok(placement)
    }
}
