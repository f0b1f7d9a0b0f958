//! **Where** a method can act: the sites that a backbone names, and how a method chooses among them.
//!
//! - `pattern`: regular expressions on module paths.
//! - `role`: what a site does within its layer.
//! - `site`: one site, and all sites of a backbone.
//! - `stack`: the stack of layers that a site belongs to.
//! - `target`: `target_modules`, the names that a method asks for.

mod pattern;
mod role;
mod site;
mod stack;
mod target;

pub use pattern::PathPattern;
pub use role::SiteRole;
pub use site::{KeyValuePrefix, PrefixPlacement, Site, SiteId, SiteKind, Sites};
pub use stack::Stack;
pub use target::TargetModules;
