//! One process.

use std::num::NonZeroUsize;

use super::{Collective, add_up, length_of};
use crate::Result;

/// A process that trains alone.
#[derive(Debug, Clone, Copy, Default)]
pub struct Alone;

impl Collective for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> NonZeroUsize {
        NonZeroUsize::MIN
    }

    fn sum(&self, parts: Vec<Vec<f32>>) -> Result<Vec<f32>> {
        length_of(&parts)?;
        let mut parts = parts.into_iter();
        let mut sums = parts.next().unwrap_or_default();
        parts.for_each(|part| add_up(&mut sums, [part.as_slice()]));
        Ok(sums)
    }

    fn gather(&self, own: &[u8]) -> Result<Vec<Vec<u8>>> {
        Ok(vec![own.to_vec()])
    }

    fn broadcast(&self, _bytes: &mut Vec<u8>) -> Result<()> {
        Ok(())
    }

    fn barrier(&self) -> Result<()> {
        Ok(())
    }
}
