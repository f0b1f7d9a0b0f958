//! The options of a combination.

use std::num::NonZeroUsize;

use peft_core::{Error, Result, setters};
use serde::{Deserialize, Serialize};

use super::arithmetic::{Arithmetic, Drop, MajoritySignMethod};

/// How LoRA adapters `ΔW_i = s_i B_i A_i` with factors `w_i` are combined. The names are those of Hugging Face `peft`.
///
/// Types without `_svd` (except `Cat`) combine `A` and `B` separately, each with the factor `√|w_i s_i|`. This is cheap, but the
/// result contains products of different adapters' `A` and `B`. They need equal ranks. Types with `_svd` combine the `ΔW_i`
/// and take the best factors of rank `svd_rank`. TIES and DARE drop elements of each adapter first; see the field `density`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CombinationType {
    /// `Σ w_i ΔW_i`, cut to rank `svd_rank` (Eckart and Young 1936). The default.
    #[default]
    Svd,
    /// `A = Σ ±√|w_i s_i| A_i`, `B = Σ √|w_i s_i| B_i`.
    Linear,
    /// Exactly `Σ w_i ΔW_i`: `A` and `B` are stacked, so the rank is the sum of the ranks.
    Cat,
    /// TIES (Yadav et al. 2023, arXiv 2306.01708, section 4): the largest elements of each adapter are kept, their signs
    /// put to the vote, and what agrees with the majority is averaged.
    Ties,
    /// TIES of the `ΔW_i`.
    TiesSvd,
    /// DARE (Yu et al. 2024, arXiv 2311.03099, section 3.2): random elements are dropped, the others divided by `density`,
    /// and the sum taken.
    DareLinear,
    /// DARE, then TIES' vote and average in place of the sum.
    DareTies,
    /// `DareLinear` of the `ΔW_i`.
    DareLinearSvd,
    /// `DareTies` of the `ΔW_i`.
    DareTiesSvd,
    /// The sum of the adapters' largest elements.
    MagnitudePrune,
    /// `MagnitudePrune` of the `ΔW_i`.
    MagnitudePruneSvd,
}

impl CombinationType {
    /// Whether the result comes from a singular value decomposition.
    pub(super) fn is_svd(self) -> bool {
        use CombinationType::{DareLinearSvd, DareTiesSvd, MagnitudePruneSvd, Svd, TiesSvd};
        matches!(self, Svd | TiesSvd | DareLinearSvd | DareTiesSvd | MagnitudePruneSvd)
    }
}

/// The options of [`add_weighted_adapter`](super::add_weighted_adapter), with the names and defaults of Hugging Face
/// `peft`, and a seed.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Combination {
    /// How they are combined. Default `svd`.
    pub combination_type: CombinationType,
    /// The rank of the result of a type with `svd`. Default: the largest rank of the adapters.
    pub svd_rank: Option<NonZeroUsize>,
    /// The share of each adapter's elements that TIES, DARE and magnitude pruning keep, at most 1. These types need it; there
    /// is no default.
    pub density: Option<f64>,
    /// How TIES decides the sign of an element. Default `total`.
    pub majority_sign_method: MajoritySignMethod,
    /// The seed of DARE's random choice, which also depends on the names of adapter and weight. Default 0.
    pub seed: u64,
}

setters! {
    Combination {
        density => density: f64,
        majority_sign_method => majority_sign_method: MajoritySignMethod,
        seed => seed: u64,
    }
}

impl Combination {
    /// This type with the defaults of the other options.
    pub fn new(combination_type: CombinationType) -> Self {
        Self { combination_type, ..Self::default() }
    }

    /// Sets the field `svd_rank`. A rank of 0 means the default, the largest rank of the adapters.
    #[must_use]
    pub fn svd_rank(self, rank: usize) -> Self {
        Self { svd_rank: NonZeroUsize::new(rank), ..self }
    }

    /// The element-wise rule of `kind`; `None` if it has none.
    pub(super) fn arithmetic(&self, kind: CombinationType) -> Result<Option<Arithmetic>> {
        use CombinationType as T;
        let magnitude = || self.checked_density(0.).map(Drop::Smallest);
        let random =
            || self.checked_density(f64::MIN_POSITIVE).map(|density| Drop::Random { density, seed: self.seed });
        let majority = self.majority_sign_method;
        Ok(Some(match kind {
            T::Svd | T::Cat => return Ok(None),
            T::Linear => Arithmetic::Sum,
            T::Ties | T::TiesSvd => Arithmetic::Vote { drop: magnitude()?, majority },
            T::DareTies | T::DareTiesSvd => Arithmetic::Vote { drop: random()?, majority },
            T::DareLinear | T::DareLinearSvd => Arithmetic::Sparse(random()?),
            T::MagnitudePrune | T::MagnitudePruneSvd => Arithmetic::Sparse(magnitude()?),
        }))
    }

    fn checked_density(&self, least: f64) -> Result<f64> {
        let invalid = |reason: String| Error::invalid("add_weighted_adapter", "density", reason);
        match self.density {
            Some(density) if (least..=1.).contains(&density) => Ok(density),
            Some(density) if least > 0. => Err(invalid(format!("is {density}, expected above 0 and at most 1"))),
            Some(density) => Err(invalid(format!("is {density}, expected 0 to 1"))),
            None => {
                Err(invalid(format!("is missing; {:?} needs the share of elements to keep", self.combination_type)))
            }
        }
    }
}
