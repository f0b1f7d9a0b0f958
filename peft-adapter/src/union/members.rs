//! What is in a union.

use peft_core::PeftConfig;

use super::{MamConfig, UniPeltConfig, UnionConfig};

/// `methods` with the members of unions, and of unions with a name, in place of the unions.
pub(crate) fn members(methods: &[Box<dyn PeftConfig>]) -> Vec<Box<dyn PeftConfig>> {
    let each = methods.iter().flat_map(|method| {
        let any = (**method).as_any();
        if let Some(union) = any.downcast_ref::<UnionConfig>() {
            members(&union.configs)
        } else if let Some(mam) = any.downcast_ref::<MamConfig>() {
            members(&mam.union().configs)
        } else if let Some(unipelt) = any.downcast_ref::<UniPeltConfig>() {
            members(&unipelt.union().configs)
        } else {
            vec![method.clone()]
        }
    });
    each.collect()
}
