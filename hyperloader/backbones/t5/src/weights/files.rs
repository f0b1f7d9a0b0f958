//! Safetensors files of a model folder, mapped into memory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use candle_core::safetensors::Load;
use candle_core::{Device, Tensor};
use peft_files::is_possible;
use peft_kernels as ops;
use rayon::prelude::*;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde::Deserialize;

use super::mapped::Mapped;
use crate::error::{Error, Result};

const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
/// What older versions of `transformers` wrote, which is not read.
const PICKLE: &str = "pytorch_model.bin";

/// Bytes that are copied out of a map before their pages are released; a multiple of a number's and of a page's size.
const AT_ONCE: usize = 4 << 20;

/// Bytes that are checked and then copied: they are still in the processor's cache when they are copied.
const IN_CACHE: usize = 128 << 10;

/// The part of `model.safetensors.index.json` that matters here.
#[derive(Deserialize)]
struct Index {
    /// Which file holds which tensor.
    weight_map: BTreeMap<String, PathBuf>,
}

/// Maps `model.safetensors` of `folder`, or all the files that its `model.safetensors.index.json` names.
///
/// # Errors
/// [`Error::Config`] if there is neither; [`Error::File`] if one of them does not hold what it should.
pub(super) fn open(folder: &Path) -> Result<Mapped> {
    let (single, index) = (folder.join(SINGLE), folder.join(INDEX));
    let paths = match (single.is_file(), index.is_file()) {
        (true, _) => vec![single],
        (false, true) => shards(folder, &index)?,
        (false, false) => {
            let hint = match folder.join(PICKLE).is_file() {
                true => format!(
                    "; {PICKLE} must be converted first, in Python: model.save_pretrained(..) writes safetensors"
                ),
                false => String::new(),
            };
            let folder = folder.display();
            return Err(Error::Config(format!("{folder}: there is no {SINGLE} and no {INDEX} in this folder{hint}")));
        }
    };
    for path in &paths {
        peft_files::check_file(path)?;
    }
    let files = Mapped::open(&paths)?;
    match files.tensors().iter().find(|(_, view)| !is_possible(view.shape())) {
        Some((name, view)) => {
            Err(Error::malformed(folder, format!("tensor {name:?}: impossible shape {:?}", view.shape())))
        }
        None => Ok(files),
    }
}

/// The distinct files that an index names, each directly in `folder`.
fn shards(folder: &Path, index: &Path) -> Result<Vec<PathBuf>> {
    let parsed: Index = peft_files::read_json(index)?;
    let names: BTreeSet<PathBuf> = parsed.weight_map.into_values().collect();
    let is_plain = |name: &Path| matches!(name.components().collect::<Vec<_>>()[..], [Component::Normal(_)]);
    match names.iter().find(|name| !is_plain(name)) {
        Some(name) => Err(Error::malformed(index, format!("{:?} is not the name of a file in this folder", name))),
        None => Ok(names.iter().map(|name| folder.join(name)).collect()),
    }
}

/// What a tensor becomes, with allocated memory that nothing has touched yet.
pub(super) enum Room {
    /// An `f32` tensor stays what it is.
    Whole(Vec<f32>),
    /// An `f32` matrix gets [eight bits](ops::quantize).
    Int8(Vec<u8>),
    /// A tensor of another type is converted, which allocates by itself.
    None,
}

impl Room {
    fn new(view: &TensorView<'_>, int8: bool) -> Self {
        let bytes = Self::bytes(view, int8);
        match (view.dtype(), view.shape()) {
            (Dtype::F32, [_, _]) if int8 => Self::Int8(Vec::with_capacity(bytes)),
            (Dtype::F32, _) => Self::Whole(Vec::with_capacity(bytes / size_of::<f32>())),
            _ => Self::None,
        }
    }

    /// How many bytes it takes.
    fn bytes(view: &TensorView<'_>, int8: bool) -> usize {
        match (view.dtype(), view.shape()) {
            (Dtype::F32, [rows, _]) if int8 => view.data().len() / size_of::<f32>() + rows * ops::INT8_TRAILER,
            (Dtype::F32, _) => view.data().len(),
            _ => 0,
        }
    }
}

/// Memory for the tensors that `wanted` names, the smallest first; matrices that `int8` names get eight bits.
pub(super) fn rooms(files: &Mapped, wanted: impl Fn(&str) -> bool, int8: impl Fn(&str) -> bool) -> Vec<(String, Room)> {
    let mut views: Vec<_> = files.tensors().into_iter().filter(|(name, _)| wanted(name)).collect();
    views.sort_by_key(|(_, view)| view.data().len());
    prefer_huge_pages(views.iter().map(|(name, view)| Room::bytes(view, int8(name))).sum());
    let room = |(name, view): (String, TensorView<'_>)| {
        let room = Room::new(&view, int8(&name));
        (name, room)
    };
    views.into_iter().map(room).collect()
}

/// The tensor called `name`, copied out of its file onto the CPU.
pub(super) fn load(files: &Mapped, name: &str, room: Room) -> Result<Tensor> {
    filled(&files.get(name)?, room, |bytes| files.check(bytes))
}

/// Copies a tensor into its `room`, after `check` of each part.
fn filled(view: &TensorView<'_>, room: Room, check: impl Fn(&[u8]) -> Result<()>) -> Result<Tensor> {
    match (room, view.shape()) {
        (Room::Whole(mut room), shape) => {
            for bytes in view.data().chunks(AT_ONCE) {
                for bytes in bytes.chunks(IN_CACHE) {
                    check(bytes)?;
                    room.extend(numbers(bytes));
                }
                let_go(bytes);
            }
            Ok(Tensor::from_vec(room, shape, &Device::Cpu)?)
        }
        (Room::Int8(mut room), &[rows, depth]) => {
            let length = (depth * size_of::<f32>()).max(1);
            let mut row = Vec::with_capacity(depth);
            for bytes in view.data().chunks((AT_ONCE / length).max(1) * length) {
                check(bytes)?;
                for bytes in bytes.chunks_exact(length) {
                    row.clear();
                    row.extend(numbers(bytes));
                    ops::quantize_row(&row, &mut room);
                }
                let_go(bytes);
            }
            Ok(Tensor::from_vec(room, (rows, depth + ops::INT8_TRAILER), &Device::Cpu)?)
        }
        (Room::Int8(_) | Room::None, _) => {
            check(view.data())?;
            Ok(view.load(&Device::Cpu)?)
        }
    }
}

fn numbers(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes))
}

/// Tells the system that these bytes of a map have been read. Without this, a model is in memory twice until all of it is
/// loaded.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code, reason = "advice about memory is a system call")]
pub(super) fn let_go(bytes: &[u8]) {
    const PAGE: usize = 4096;
    // Whole pages alone: the first and the last may hold parts of other tensors.
    let skip = bytes.as_ptr().addr().next_multiple_of(PAGE) - bytes.as_ptr().addr();
    let Some(pages) = bytes.get(skip..).map(|rest| rest.len() / PAGE * PAGE).filter(|length| *length > 0) else {
        return;
    };
    // SAFETY: the range is inside a read-only map of a file: its pages are read again from there if they are touched.
    unsafe {
        libc::madvise(bytes.as_ptr().add(skip).cast_mut().cast(), pages, libc::MADV_DONTNEED);
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(super) fn let_go(_bytes: &[u8]) {}

/// Asks the system to use huge pages for the next `bytes` that are allocated. A model is sixty thousand small pages, and the
/// first touch of each is a fault.
///
/// The advice cannot be given for each tensor: a tensor is not a whole number of huge pages, and the allocator writes between
/// tensors, which makes the page that it touches a small one. So this function allocates one block, gives the advice, touches
/// the pages on all cores (the system clears a page at its first touch), and frees the block. The next allocations then use
/// this memory if the allocator keeps it, which the binary tells it to do. With another allocator only time is lost.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code, reason = "advice about memory is a system call")]
fn prefer_huge_pages(bytes: usize) {
    const PAGE: usize = 4096;
    const HUGE_PAGE: usize = 2 << 20;
    let mut room: Vec<u8> = Vec::with_capacity(bytes);
    let space = room.spare_capacity_mut();
    let skip = space.as_ptr().addr().next_multiple_of(PAGE) - space.as_ptr().addr();
    let Some(pages) = space.get_mut(skip..).filter(|pages| pages.len() >= PAGE) else { return };
    // SAFETY: the range is whole pages of `room`; the advice changes no byte of them. It is a hint: where the system does not
    // take it, nothing but time is lost.
    unsafe {
        libc::madvise(pages.as_mut_ptr().cast(), pages.len() / PAGE * PAGE, libc::MADV_HUGEPAGE);
    }
    pages.par_chunks_mut(HUGE_PAGE).filter_map(|page| page.first_mut()).for_each(|byte| {
        byte.write(0);
    });
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn prefer_huge_pages(_bytes: usize) {}
