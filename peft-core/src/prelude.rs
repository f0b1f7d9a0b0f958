//! What every user and every author of a method needs: `use peft_core::prelude::*;`.

pub use crate::active::{ActiveAdapters, Merge, Residual, SiteInput};
pub use crate::adapters::{AdapterCheckpoint, Adapters};
pub use crate::ctx::Ctx;
pub use crate::generators::{
    Condition, GeneratorConfig, Needs, RowTasks, States, StaticConfig, Tasks, WeightGenerator,
};
pub use crate::methods::{Fused, ParamSpec, PeftConfig, PeftModule, SiteCall};
pub use crate::model::{Backbone, BatchAdapters, Merged, PeftModel, Refusal};
pub use crate::plan::{Plan, TargetedModule};
pub use crate::sites::{Site, SiteId, SiteKind, SiteRole, Sites, Stack, TargetModules};
pub use crate::weights::{AdapterWeights, ParamStore};
pub use crate::wrapped::Wrapped;
