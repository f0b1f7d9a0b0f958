//! A position bias that depends on the offset of the key from the query alone.

/// A bias for each head and each offset of the key's position from the query's.
#[derive(Debug, Clone)]
pub struct OffsetBias {
    /// For each head the biases of the offsets from `-back` on.
    heads: Vec<Vec<f32>>,
    back: usize,
}

impl OffsetBias {
    /// The bias whose head `h` has `heads[h][i]` for the offset `i - back`.
    pub fn new(heads: Vec<Vec<f32>>, back: usize) -> Self {
        Self { heads, back }
    }

    /// Whether it covers queries before position `end`, with all keys before them.
    pub fn reaches(&self, end: usize) -> bool {
        end <= self.back + 1
    }

    /// How many keys after the query it covers.
    pub fn ahead(&self) -> usize {
        self.heads.first().map_or(0, |head| head.len().saturating_sub(self.back + 1))
    }

    /// The bias of the query at `position` on the keys from 0 on, in head `head`; empty where it is not covered.
    pub fn of(&self, head: usize, position: usize) -> &[f32] {
        self.heads.get(head).and_then(|head| head.get(self.back.checked_sub(position)?..)).unwrap_or_default()
    }
}
