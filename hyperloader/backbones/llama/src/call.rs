//! What the blocks of one call share: the rotary angles of its tokens, and which keys they see.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use candle_core::Tensor;
use peft_core::Result;
use peft_core::layers::{Columns, Positions};

use crate::rope::{Angles, Frequencies};

/// The columns of one call. Angles and masks are made once for all blocks that need the same.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    columns: Columns<'a>,
    positions: Positions,
    frequencies: &'a Frequencies,
    /// Something of the type and on the device of what is computed.
    like: &'a Tensor,
    /// Angles by how far positions are moved.
    angles: BTreeMap<usize, Angles>,
    /// Masks by the number of keys in front.
    masks: BTreeMap<usize, Option<Tensor>>,
}

impl<'a> Call<'a> {
    pub(crate) fn new(
        columns: Columns<'a>,
        positions: Positions,
        frequencies: &'a Frequencies,
        like: &'a Tensor,
    ) -> Self {
        Self { columns, positions, frequencies, like, angles: BTreeMap::new(), masks: BTreeMap::new() }
    }

    /// The angles of the queries at positions that are moved up by `moved`.
    pub(crate) fn angles(&mut self, moved: usize) -> Result<Angles> {
        Ok(match self.angles.entry(moved) {
            Entry::Occupied(known) => known.get().clone(),
            Entry::Vacant(new) => {
                let positions = self.columns.positions(self.positions, moved);
                new.insert(self.frequencies.angles(&positions, self.like)?).clone()
            }
        })
    }

    /// The mask with `front` keys before the others ([`Columns::mask`]).
    pub(crate) fn mask(&mut self, front: usize) -> Result<Option<Tensor>> {
        Ok(match self.masks.entry(front) {
            Entry::Occupied(known) => known.get().clone(),
            Entry::Vacant(new) => new.insert(self.columns.mask(front, self.like)?).clone(),
        })
    }
}
