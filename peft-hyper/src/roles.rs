//! Roles that share something.

use peft_core::{Error, Result, SiteRole};
use serde::{Deserialize, Serialize};

/// Roles that share an embedding or the heads: in files one name, `"ffn"`, or a list of names, `["self.q", "self.v"]`.
///
/// ```
/// use peft_hyper::RoleGroup;
///
/// let alone = RoleGroup::from("ffn");
/// let together = RoleGroup::from(["self.q", "self.v"]);
/// # let _ = (alone, together);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct RoleGroup(Vec<SiteRole>);

/// How a file has it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected the name of a role, such as \"ffn\", or a list of such names")]
enum Written {
    One(SiteRole),
    Several(Vec<SiteRole>),
}

impl From<Written> for RoleGroup {
    fn from(written: Written) -> Self {
        match written {
            Written::One(role) => Self(vec![role]),
            Written::Several(roles) => Self(roles),
        }
    }
}

impl From<RoleGroup> for Written {
    fn from(group: RoleGroup) -> Self {
        match <[SiteRole; 1]>::try_from(group.0) {
            Ok([role]) => Self::One(role),
            Err(roles) => Self::Several(roles),
        }
    }
}

impl From<SiteRole> for RoleGroup {
    fn from(role: SiteRole) -> Self {
        Self(vec![role])
    }
}

impl From<&str> for RoleGroup {
    fn from(role: &str) -> Self {
        Self::from(SiteRole::from(role.to_owned()))
    }
}

impl<const N: usize> From<[&str; N]> for RoleGroup {
    fn from(roles: [&str; N]) -> Self {
        Self(roles.into_iter().map(|role| SiteRole::from(role.to_owned())).collect())
    }
}

impl RoleGroup {
    /// Whether `role` is one of them.
    pub fn contains(&self, role: &SiteRole) -> bool {
        self.0.contains(role)
    }
}

/// The number of the group of `role`.
pub(crate) fn group_of(groups: &[RoleGroup], role: &SiteRole) -> Option<usize> {
    groups.iter().position(|group| group.contains(role))
}

/// Refuses groups that are empty or share a role; `field` is their name in files.
pub(crate) fn check(field: &'static str, groups: &[RoleGroup]) -> Result<()> {
    if groups.iter().any(|group| group.0.is_empty()) {
        return Err(Error::invalid("hypernetwork", field, "holds an empty list of roles; leave it out".to_owned()));
    }
    let roles: Vec<&SiteRole> = groups.iter().flat_map(|group| &group.0).collect();
    let twice = roles.iter().enumerate().find(|(n, role)| roles.iter().take(*n).any(|before| before == *role));
    match twice {
        None => Ok(()),
        Some((_, role)) => {
            Err(Error::invalid("hypernetwork", field, format!("names {:?} twice; a role has one place", role.as_str())))
        }
    }
}
