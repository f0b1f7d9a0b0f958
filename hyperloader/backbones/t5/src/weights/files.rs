//! The safetensors files of a model folder, and tensors copied out of them on several threads.

use std::io::ErrorKind;
use std::path::Path;

use candle_core::safetensors::Load;
use candle_core::{Device, Tensor};
use peft_files::MappedTensors;
use peft_kernels as ops;
use rayon::prelude::*;
use safetensors::Dtype;
use safetensors::tensor::TensorView;

use crate::error::{Error, Result};

/// Bytes that are copied out of a map before their pages are released; a multiple of a number's and of a page's size.
const AT_ONCE: usize = 4 << 20;

/// Bytes that are checked and then copied: they are still in the processor's cache when they are copied.
const IN_CACHE: usize = 128 << 10;

/// Maps the weights in `folder`.
///
/// # Errors
/// [`Error::Config`] if it has none; [`Error::File`] if one of its files does not hold what it should.
pub(super) fn open(folder: &Path) -> Result<MappedTensors> {
    MappedTensors::open_folder(folder).map_err(|error| match error.source.kind() {
        ErrorKind::NotFound if error.path == folder => Error::Config(error.to_string()),
        _ => error.into(),
    })
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
pub(super) fn rooms(
    files: &MappedTensors,
    wanted: impl Fn(&str) -> bool,
    int8: impl Fn(&str) -> bool,
) -> Vec<(String, Room)> {
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
pub(super) fn load(files: &MappedTensors, name: &str, room: Room) -> Result<Tensor> {
    let view = files.get(name).ok_or_else(|| Error::Mismatch(format!("there is no tensor {name:?}")))?;
    filled(&view, room, |bytes| Ok(files.check(bytes)?))
}

/// The tensor called `name`, straight from its file to `device`: the host holds no copy of it. The pages of the file are released then.
pub(super) fn load_on(files: &MappedTensors, name: &str, device: &Device) -> Result<Tensor> {
    let view = files.get(name).ok_or_else(|| Error::Mismatch(format!("there is no tensor {name:?}")))?;
    files.check(view.data())?;
    let tensor = view.load(device)?;
    let_go(view.data());
    Ok(tensor)
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use candle_core::{DType, Device};

    use super::super::Weights;
    use crate::testing::tiny;
    use crate::{T5, T5Config, save_backbone};

    const FILE: &str = "model.safetensors";

    #[test]
    fn damage_is_refused_by_name_where_it_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let config = T5Config { vocab_size: 20_000, ..tiny() };
        save_backbone(&T5::random(&config, 1).unwrap(), folder.path()).unwrap();
        peft_files::list_files(folder.path(), &[FILE]).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert!(bytes.len() > 1 << 20, "{} bytes are checked at once", bytes.len());
        let table = |ids: &[u32]| {
            let (_, table) = Weights::open(folder.path())?.leave_table(&config, &Device::Cpu)?;
            table.unwrap().rows(ids)
        };
        for at in [3, 30, bytes.len() / 3, bytes.len() / 2, bytes.len() - 1] {
            let mut damaged = bytes.clone();
            damaged[at] ^= 16;
            std::fs::write(&path, damaged).unwrap();
            let message = T5::from_folder(folder.path(), &Device::Cpu).unwrap_err().to_string();
            assert!(message.contains("model.safetensors: CRC-32C of block at byte"), "{message}");
            let one_by_one = Weights::open(folder.path())
                .and_then(|weights| T5::new(&config, weights.var_builder(DType::F32, &Device::Cpu)).map(drop));
            let message = one_by_one.unwrap_err().to_string();
            assert!(message.contains("model.safetensors: CRC-32C"), "{message}");
            let int8 = Weights::open(folder.path()).and_then(|w| w.prefetch(DType::U8, &Device::Cpu).finish());
            assert!(int8.is_err());
        }
        let row = |id: u32| {
            let row = T5::random(&config, 1).unwrap().tensors().unwrap()["shared.weight"].get(id as usize).unwrap();
            row.to_vec1::<f32>().unwrap().iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>()
        };
        let wanted = row(15_000);
        let at = bytes.windows(wanted.len()).position(|window| *window == wanted).unwrap();
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        std::fs::write(&path, damaged).unwrap();
        table(&[3, 100]).unwrap();
        assert!(table(&[3, 15_000]).unwrap_err().to_string().contains("model.safetensors"));
        std::fs::write(&path, bytes).unwrap();
        table(&[3, 15_000]).unwrap();
        T5::from_folder(folder.path(), &Device::Cpu).unwrap();
    }
}
