//! Tensors of candle in the files of PyTorch's `torch.save`.
//!
//! Such a file is a zip archive: `data.pkl` describes the tensors, and `data/KEY` holds the numbers of one storage. A pickle is a
//! program for a small stack machine. Python's own machine may call any function. The one here calls none, follows no path, and
//! uses memory in proportion to the file, whatever the file says. Candle's reader has no such bounds.
//!
//! | file | is |
//! |---|---|
//! | `bytes.rs` | the bytes of a program, read from front to back |
//! | `machine.rs` | the stack machine |
//! | `value.rs` | what it computes, as a table of values that refer to each other by number |
//! | `describe.rs` | the tensors that a value describes |
//! | `archive.rs` | the entries of the zip archive |

mod archive;
mod bytes;
mod describe;
mod machine;
mod reason;
mod value;

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{Device, Tensor};

use crate::Error;
use archive::Archive;
use describe::Described;
use reason::Reason;

/// Reads all tensors of a PyTorch checkpoint (`pytorch_model.bin`, `torch.save(model.state_dict(), path)`) onto the CPU. Entries
/// of the state dict that are not tensors are left out.
///
/// The file is not trusted: no code in it runs, and the tensors may not take much more memory than the file.
///
/// # Errors
/// [`Error`] naming `path` and the reason if it cannot be read, is not such a file, is damaged (checksums are compared), or holds
/// a tensor of a type that candle lacks.
pub fn load_pickle(path: impl AsRef<Path>) -> Result<BTreeMap<String, Tensor>, Error> {
    let path = path.as_ref();
    crate::check_file(path)?;
    crate::check_listed(path)?;
    let mut archive = Archive::open(path)?;
    tensors(&mut archive).map_err(|reason| Error::malformed(path, reason))
}

fn tensors(archive: &mut Archive) -> Result<BTreeMap<String, Tensor>, Reason> {
    let program = archive.program()?;
    let (values, root) = machine::run(&program).map_err(|reason| format!("data.pkl: {reason}"))?;
    let described = describe::tensors(&values, root)?;
    let mut by_storage: BTreeMap<&str, Vec<&Described>> = BTreeMap::new();
    for tensor in &described {
        by_storage.entry(&tensor.storage).or_default().push(tensor);
    }
    let mut room = archive.most_bytes();
    let mut tensors = BTreeMap::new();
    for (key, described) in by_storage {
        let storage = archive.storage(key)?;
        let mut copied: BTreeMap<_, Tensor> = BTreeMap::new();
        for described in described {
            // Tied weights are one tensor under several names.
            let tensor = match copied.get(&described.view()) {
                Some(tensor) => tensor.clone(),
                None => {
                    let bytes = described.bytes_of(&storage, &mut room)?;
                    let tensor = Tensor::from_raw_buffer(&bytes, described.dtype, &described.shape, &Device::Cpu);
                    tensor.map_err(|error| format!("tensor {:?}: {error}", described.name))?
                }
            };
            copied.insert(described.view(), tensor.clone());
            tensors.insert(described.name.clone(), tensor);
        }
    }
    Ok(tensors)
}

#[cfg(test)]
mod tests;
