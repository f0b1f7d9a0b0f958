//! Which method acts at which site.

mod activations;

use std::collections::HashMap;

use activations::check_activations;

use crate::near::likeness;
use crate::{Error, ParamSpec, PeftConfig, PeftModule, Result, Scope, Site, SiteId, Sites, Stack};

/// One method at one site.
#[derive(Debug)]
pub struct TargetedModule {
    /// The site.
    pub site: Site,
    /// The index of the configuration that asked for it.
    pub method: usize,
    /// The name of the method's configuration, for messages.
    pub peft_type: &'static str,
    /// What happens there.
    pub module: Box<dyn PeftModule>,
    /// The weights that it needs, in the order in which it receives them.
    pub params: Vec<ParamSpec>,
}

impl TargetedModule {
    /// The full name of one of its weights: the site's path, a dot and the weight's name. If sites share the weight, its name
    /// alone.
    pub fn key(&self, param: &ParamSpec) -> String {
        match param.scope {
            Scope::Site => format!("{}.{}", self.site.path, param.name),
            Scope::Model => param.name.to_string(),
        }
    }
}

/// Which method acts at which site, in the order of the backbone's sites and, within a site, of the configurations.
///
/// ```
/// use peft_core::toy::{Scale, toy_sites};
/// use peft_core::{PeftConfig, Plan};
///
/// let methods: Vec<Box<dyn PeftConfig>> = vec![Box::new(Scale::new(["v"]))];
/// let plan = Plan::resolve(&toy_sites(2, 8), &methods)?;
/// assert_eq!(plan.targets().len(), 2); // one `v` in each of two layers
/// # Ok::<(), peft_core::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Plan {
    targets: Vec<TargetedModule>,
    by_site: Vec<Vec<usize>>,
    sites: Sites,
}

impl Plan {
    /// Asks every configuration about every site, once.
    ///
    /// # Errors
    /// [`Error::NoSiteMatched`] for a configuration that matches no site, [`Error::DuplicateKey`] if two methods claim one
    /// weight, [`Error::ActsOnActivations`] for a method that needs other sites than weights on a backbone that has none, and the
    /// configurations' own errors.
    pub fn resolve(sites: &Sites, methods: &[Box<dyn PeftConfig>]) -> Result<Self> {
        let mut plan = Self { targets: Vec::new(), by_site: vec![Vec::new(); sites.len()], sites: sites.clone() };
        methods.iter().try_for_each(|method| method.check_sites(sites))?;
        let mut matched = vec![false; methods.len()];
        for (site, here) in sites.iter().zip(&mut plan.by_site) {
            for (number, (method, matched)) in methods.iter().zip(&mut matched).enumerate() {
                if let Some(module) = method.module(site)? {
                    *matched = true;
                    here.push(plan.targets.len());
                    let params = module.params();
                    let peft_type = method.typetag_name();
                    plan.targets.push(TargetedModule { site: site.clone(), method: number, peft_type, module, params });
                }
            }
        }
        for (method, matched) in methods.iter().zip(matched) {
            // A method may act at other sites too, such as modules to save. The modules that it names must still exist.
            let named = method.target_modules().is_none_or(|targets| sites.iter().any(|site| targets.matches(site)));
            check_activations(method.as_ref(), sites)?;
            if matched && named {
                continue;
            }
            return Err(no_site_matched(method.as_ref(), sites));
        }
        plan.check_keys()?;
        Ok(plan)
    }

    /// The plan with modules whose gradients are the derivative of their results
    /// ([`PeftModule::make_gradients_exact`]); `None` if that is true of this plan.
    pub fn with_exact_gradients(mut self) -> Option<Self> {
        let mut changed = false;
        for target in &mut self.targets {
            changed |= target.module.make_gradients_exact();
        }
        changed.then_some(self)
    }

    /// All targets, in order.
    pub fn targets(&self) -> &[TargetedModule] {
        &self.targets
    }

    /// The indices of the targets at `site`.
    pub fn at(&self, site: SiteId) -> &[usize] {
        self.by_site.get(site.index()).map_or(&[], Vec::as_slice)
    }

    /// The sites that the plan was resolved for.
    pub fn sites(&self) -> &Sites {
        &self.sites
    }

    /// The indices of the targets in `stack` or before it, in the order of the sites: those that may change the output of `stack`.
    pub fn before_end_of(&self, stack: &Stack) -> impl Iterator<Item = usize> {
        let end = self.sites.iter().rposition(|site| site.stack == *stack).map_or(0, |last| last + 1);
        self.by_site.iter().take(end).flatten().copied()
    }

    /// The number of elements of all weights, each counted once.
    pub fn num_parameters(&self) -> usize {
        let weights = self.targets.iter().flat_map(|e| e.params.iter().map(|p| (e.key(p), p.num_parameters())));
        weights.collect::<HashMap<_, _>>().values().sum()
    }

    fn check_keys(&self) -> Result<()> {
        let mut seen: HashMap<String, &ParamSpec> = HashMap::new();
        for target in &self.targets {
            for param in &target.params {
                let key = target.key(param);
                match seen.insert(key.clone(), param) {
                    None => {}
                    Some(first) if first.scope != Scope::Model || param.scope != Scope::Model => {
                        return Err(Error::DuplicateKey { key });
                    }
                    Some(first) if first.dims != param.dims => {
                        let (expected, found) = (first.dims.clone(), param.dims.clone());
                        return Err(Error::ShapeMismatch { key, expected, found });
                    }
                    Some(_) => {}
                }
            }
        }
        Ok(())
    }
}

/// The error for a method that found no site, with the module names that are most like its targets.
fn no_site_matched(method: &dyn PeftConfig, sites: &Sites) -> Error {
    const NEAR: usize = 5;
    let targets = method.target_modules().map_or_else(|| "(its own rule)".to_owned(), ToString::to_string);
    let wanted: Vec<&str> =
        targets.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|w| !w.is_empty()).collect();
    let mut names: Vec<&str> = sites.iter().filter_map(|s| s.path.rsplit('.').next()).collect();
    // The path of a sub-layer ends in its number, which nobody misspells.
    names.retain(|name| name.parse::<usize>().is_err());
    names.sort_unstable();
    names.dedup();
    names.sort_by(|a, b| {
        let score = |name| wanted.iter().map(|word| likeness(word, name)).fold(0., f64::max);
        score(b).total_cmp(&score(a)).then(a.cmp(b))
    });
    Error::NoSiteMatched {
        peft_type: method.typetag_name().to_owned(),
        targets,
        near: names.into_iter().take(NEAR).map(str::to_owned).collect(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::toy::{Scale, toy_sites};

    fn scale(targets: &[&str]) -> Box<dyn PeftConfig> {
        Box::new(Scale::new(targets))
    }

    #[test]
    fn entries_follow_the_order_of_the_sites() {
        let plan = Plan::resolve(&toy_sites(2, 4), &[scale(&["v", "q"])]).unwrap();
        let paths: Vec<_> = plan.targets().iter().map(|e| e.site.path.as_str()).collect();
        assert_eq!(paths, ["layers.0.q", "layers.0.v", "layers.1.q", "layers.1.v"]);
    }

    #[test]
    fn a_config_that_matches_nothing_names_what_is_near() {
        let error = Plan::resolve(&toy_sites(1, 4), &[scale(&["query"])]).unwrap_err();
        let message = error.to_string();
        assert!(
            message.starts_with("TOY_SCALE: no site of this backbone matches target_modules [\"query\"]"),
            "{message}"
        );
        assert!(message.contains("near misses: q"), "{message}");
    }

    #[test]
    fn two_methods_may_not_claim_one_weight() {
        let error = Plan::resolve(&toy_sites(1, 4), &[scale(&["q"]), scale(&["q", "v"])]).unwrap_err();
        assert!(matches!(error, Error::DuplicateKey { ref key } if key == "layers.0.q.scale"), "{error}");
    }
}
