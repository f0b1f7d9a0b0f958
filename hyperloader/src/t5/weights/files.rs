//! Safetensors files of a model folder, mapped into memory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use candle_core::safetensors::{Load, MmapedSafetensors};
use candle_core::{Device, Tensor};
use rayon::prelude::*;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde::Deserialize;

use crate::{Error, Result};

const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// Bytes that are copied out of a map before it lets go of them; whole numbers and whole pages.
const AT_ONCE: usize = 4 << 20;

/// The part of `model.safetensors.index.json` that matters here.
#[derive(Deserialize)]
struct Index {
    /// Which file holds which tensor.
    weight_map: BTreeMap<String, PathBuf>,
}

/// Maps `model.safetensors` of `folder`, or all the files that its `model.safetensors.index.json` names.
///
/// # Errors
/// [`Error::Config`] if there is neither; [`Error::Malformed`] if one of them does not hold what it should.
pub(super) fn open(folder: &Path) -> Result<MmapedSafetensors> {
    let (single, index) = (folder.join(SINGLE), folder.join(INDEX));
    let paths = match (single.is_file(), index.is_file()) {
        (true, _) => vec![single],
        (false, true) => shards(folder, &index)?,
        (false, false) => {
            let folder = folder.display();
            return Err(Error::Config(format!("{folder}: there is no {SINGLE} and no {INDEX} in this folder")));
        }
    };
    map(&paths).map_err(|e| Error::malformed(folder, e.to_string()))
}

/// The distinct files that an index names, each directly in `folder`.
fn shards(folder: &Path, index: &Path) -> Result<Vec<PathBuf>> {
    let text = std::fs::read_to_string(index).map_err(|e| Error::io(index, e))?;
    let parsed: Index = serde_json::from_str(&text).map_err(|e| Error::malformed(index, e.to_string()))?;
    let names: BTreeSet<PathBuf> = parsed.weight_map.into_values().collect();
    let is_plain = |name: &Path| matches!(name.components().collect::<Vec<_>>()[..], [Component::Normal(_)]);
    match names.iter().find(|name| !is_plain(name)) {
        Some(name) => Err(Error::malformed(index, format!("{:?} is not the name of a file in this folder", name))),
        None => Ok(names.iter().map(|name| folder.join(name)).collect()),
    }
}

/// Maps files into memory: a checkpoint larger than the free memory loads, and the pages are shared between processes.
#[allow(unsafe_code, reason = "a memory map cannot be made safely: another process could change the file")]
fn map(paths: &[PathBuf]) -> candle_core::Result<MmapedSafetensors> {
    // SAFETY: the map is read-only and private to this crate, and every tensor is copied out of it. Its bytes change only
    // if someone truncates or rewrites the file in place meanwhile; checkpoints are written beside and renamed.
    unsafe { MmapedSafetensors::multi(paths) }
}

/// The tensors that `wanted` names, copied out of their files on all cores, onto the CPU.
///
/// One after the other, a model's first touch of its memory takes longer than reading the files does.
pub(super) fn load_all(
    files: &MmapedSafetensors,
    wanted: impl Fn(&str) -> bool,
) -> candle_core::Result<BTreeMap<String, Tensor>> {
    // Side by side before any is filled, so that small tensors share huge pages too.
    let empty: Vec<(String, TensorView<'_>, Vec<f32>)> = files
        .tensors()
        .into_iter()
        .filter(|(name, _)| wanted(name))
        .map(|(name, view)| {
            let room = room_for(&view);
            (name, view, room)
        })
        .collect();
    empty.into_par_iter().map(|(name, view, room)| Ok((name, filled(&view, room)?))).collect()
}

/// Untouched memory for the values of an f32 tensor; none for other types, which need a conversion.
fn room_for(view: &TensorView<'_>) -> Vec<f32> {
    if view.dtype() != Dtype::F32 {
        return Vec::new();
    }
    let mut room = Vec::with_capacity(view.data().len() / size_of::<f32>());
    prefer_huge_pages(&mut room);
    room
}

fn filled(view: &TensorView<'_>, mut room: Vec<f32>) -> candle_core::Result<Tensor> {
    if view.dtype() != Dtype::F32 {
        return view.load(&Device::Cpu);
    }
    for bytes in view.data().chunks(AT_ONCE) {
        let (values, _) = bytes.as_chunks::<4>();
        room.extend(values.iter().map(|bytes| f32::from_le_bytes(*bytes)));
        let_go(bytes);
    }
    Tensor::from_vec(room, view.shape(), &Device::Cpu)
}

/// Tells the system that these bytes of a map have been read: without that a model is in memory twice until all is loaded.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code, reason = "advice about memory is a system call")]
pub(super) fn let_go(bytes: &[u8]) {
    const PAGE: usize = 4096;
    // Whole pages alone: the first and the last may hold parts of other tensors.
    let skip = bytes.as_ptr().addr().next_multiple_of(PAGE) - bytes.as_ptr().addr();
    let Some(pages) = bytes.get(skip..).map(|rest| rest.len() / PAGE * PAGE).filter(|length| *length > 0) else {
        return;
    };
    // SAFETY: the range lies inside a read-only map of a file: its pages are read again from there if they are touched.
    unsafe {
        libc::madvise(bytes.as_ptr().add(skip).cast_mut().cast(), pages, libc::MADV_DONTNEED);
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(super) fn let_go(_bytes: &[u8]) {}

/// Asks the system to back memory that nobody has touched yet with huge pages: a model is sixty thousand small ones, each a
/// fault.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code, reason = "advice about memory is a system call")]
fn prefer_huge_pages(room: &mut Vec<f32>) {
    const PAGE: usize = 4096;
    let space = room.spare_capacity_mut();
    // Every page that holds a part of it, so that neighbours join: a gap between them would stay one of small pages.
    let before = space.as_ptr().addr() % PAGE;
    let first = space.as_mut_ptr().cast::<u8>().wrapping_sub(before);
    let length = (before + size_of_val(space)).next_multiple_of(PAGE);
    // SAFETY: the range is those whole pages, all mapped, since `room` owns a byte of each; the advice changes no byte of
    // them, whoever else has a part in the first or the last. It is a hint: where the system does not take it, nothing but
    // time is lost.
    unsafe {
        libc::madvise(first.cast(), length, libc::MADV_HUGEPAGE);
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn prefer_huge_pages(_: &mut Vec<f32>) {}
