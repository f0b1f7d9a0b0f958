//! What rank 0 has on its disk, for the other ranks.

use std::fs;
use std::path::Path;

use peft_core::ParamStore;
use peft_kernels::transfer;

use super::Ranks;
use crate::{Error, Result};

/// Gives every rank the files of rank 0's `folder` in a `folder` of its own: all, or those that `wanted` has. A folder that rank 0 does not
/// have stays away.
///
/// # Errors
/// If a file cannot be read or written, or a rank is gone.
pub(crate) fn share_folder(ranks: &Ranks, folder: &Path, wanted: Option<&[&str]>) -> Result<()> {
    if !ranks.are_many() {
        return Ok(());
    }
    let mut names = Vec::new();
    if ranks.is_first() && folder.is_dir() {
        for item in fs::read_dir(folder).map_err(|e| Error::io(folder, e))? {
            let item = item.map_err(|e| Error::io(folder, e))?;
            let name = item.file_name().into_string().ok().filter(|_| item.path().is_file());
            names.extend(name.filter(|name| wanted.is_none_or(|wanted| wanted.contains(&name.as_str()))));
        }
        names.sort();
    }
    let names: Vec<String> = share_value(ranks, &names)?;
    names.iter().try_for_each(|name| share_file(ranks, &folder.join(name)))
}

/// Gives every rank the content of rank 0's file at `path`.
fn share_file(ranks: &Ranks, path: &Path) -> Result<()> {
    let failed = |e| Error::io(path, e);
    let mut bytes = if ranks.is_first() { fs::read(path).map_err(failed)? } else { Vec::new() };
    ranks.broadcast(&mut bytes)?;
    if ranks.is_first() {
        return Ok(());
    }
    fs::create_dir_all(peft_files::parent(path)).and_then(|()| fs::write(path, bytes)).map_err(failed)
}

/// Rank 0's value.
///
/// # Errors
/// If a rank is gone.
pub(crate) fn share_value<T: serde::Serialize + serde::de::DeserializeOwned>(ranks: &Ranks, own: &T) -> Result<T> {
    let wrong = |e: serde_json::Error| Error::Internal(format!("ranks cannot share a value: {e}"));
    let mut bytes = serde_json::to_vec(own).map_err(wrong)?;
    ranks.broadcast(&mut bytes)?;
    serde_json::from_slice(&bytes).map_err(wrong)
}

/// The CRC-32C of all variables of `store`.
///
/// # Errors
/// If a tensor operation fails.
pub(super) fn weights_hash(store: &ParamStore) -> Result<String> {
    let mut crc = 0;
    for (_, variable) in store.vars() {
        for value in transfer::download::<f32>(&variable)? {
            crc = crc32c::crc32c_append(crc, &value.to_le_bytes());
        }
    }
    Ok(format!("{crc:08x}"))
}
