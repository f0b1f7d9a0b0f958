//! The run folder of several ranks.

use crate::run::{RunDir, Workplace};
use crate::train::{Ranks, share_folder, share_value};
use crate::{Error, Result};

/// The files of a run that its continuation is compared with.
const NEEDED: [&str; 4] = ["config.toml", "tags.json", "config.json", "tokenizer.json"];

/// Opens the folder of `run` on rank 0, and gives the other ranks copies of the files that a run continues from: they need not see rank
/// 0's disk.
///
/// # Errors
/// As [`Workplace::open`]; if a rank is gone.
pub(super) fn open_place(ranks: &Ranks, run: RunDir, resume: bool) -> Result<Workplace> {
    if !ranks.are_many() {
        return Workplace::open(run, resume);
    }
    if ranks.is_first() {
        let place = Workplace::open(run, resume)?;
        share(ranks, place.run(), place.checkpoint())?;
        return Ok(place);
    }
    let copy = tempfile::tempdir().map_err(|source| Error::io(std::env::temp_dir(), source))?;
    let checkpoint = share(ranks, &RunDir::new(copy.path()), None)?;
    Ok(Workplace::copy(copy, checkpoint))
}

/// Shares rank 0's `checkpoint` and its files.
fn share(ranks: &Ranks, run: &RunDir, checkpoint: Option<usize>) -> Result<Option<usize>> {
    let checkpoint = share_value(ranks, &checkpoint)?;
    if let Some(step) = checkpoint {
        share_folder(ranks, run.root(), Some(&NEEDED))?;
        share_folder(ranks, &run.checkpoint(step), None)?;
    }
    Ok(checkpoint)
}
