//! Tensors of candle in safetensors files.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::Path;

use candle_core::safetensors::Load;
use candle_core::{DType, Device, Tensor};
use safetensors::SafeTensors;

use crate::atomic::{Staged, stage_file};
use crate::{Error, check_contents};

/// The metadata without which `transformers` and `peft` refuse a file: whose memory layout the tensors have.
pub const PYTORCH: Option<[&str; 2]> = Some(["format", "pt"]);

/// The key of the metadata in a safetensors header.
const METADATA: &str = "__metadata__";

/// Writes tensors (f32, f64, f16, bf16, u8, u32, i64; on any device, of any layout) as a safetensors file, atomically.
///
/// Equal content gives equal bytes: wider types come first, then names in order, and there is at most one pair of
/// `metadata`, a key and its text.
///
/// # Errors
/// [`Error`] naming `path`, and the tensor if its type cannot be written or it is named `__metadata__`.
pub fn save_tensors(
    path: impl AsRef<Path>,
    tensors: &BTreeMap<String, Tensor>,
    metadata: Option<[&str; 2]>,
) -> Result<(), Error> {
    stage_tensors(path, tensors, metadata)?.commit()
}

/// The first half of [`save_tensors`], for files that belong together: see [`stage`](crate::stage).
///
/// # Errors
/// As [`save_tensors`].
pub fn stage_tensors(
    path: impl AsRef<Path>,
    tensors: &BTreeMap<String, Tensor>,
    metadata: Option<[&str; 2]>,
) -> Result<Staged, Error> {
    let path = path.as_ref();
    if let Some((name, reason)) = tensors.iter().find_map(|(name, tensor)| Some((name, refusal(name, tensor)?))) {
        return Err(Error::malformed(path, format!("tensor {name:?}: {reason}")));
    }
    let metadata = metadata.map(|[key, text]| HashMap::from([(key.to_owned(), text.to_owned())]));
    stage_file(path, |temporary| {
        let host = |tensor: &Tensor| tensor.to_device(&Device::Cpu)?.contiguous();
        let tensors = tensors.iter().map(|(name, tensor)| Ok((name, host(tensor)?)));
        let tensors = tensors.collect::<candle_core::Result<Vec<_>>>().map_err(io::Error::other)?;
        safetensors::serialize_to_file(tensors, metadata, temporary).map_err(|error| match error {
            safetensors::SafeTensorError::IoError(error) => error,
            error => io::Error::other(error),
        })
    })
}

/// Why a tensor cannot be written, if it cannot.
fn refusal(name: &str, tensor: &Tensor) -> Option<String> {
    const KNOWN: [DType; 7] = [DType::F32, DType::F64, DType::F16, DType::BF16, DType::U8, DType::U32, DType::I64];
    if name == METADATA {
        return Some("the name is reserved".to_owned());
    }
    let dtype = tensor.dtype();
    (!KNOWN.contains(&dtype)).then(|| format!("type {dtype:?} is none of {KNOWN:?}"))
}

/// Reads all tensors of a safetensors file onto the CPU. The whole file is held in memory: this is for adapters and states,
/// not for backbones of gigabytes.
///
/// # Errors
/// [`Error`] naming `path` if it cannot be read, differs from what a manifest says ([`check_listed`](crate::check_listed)), is no
/// safetensors file, is cut short, or holds a type that candle lacks.
pub fn load_tensors(path: impl AsRef<Path>) -> Result<BTreeMap<String, Tensor>, Error> {
    let path = path.as_ref();
    let bytes = crate::read_listed(path)?;
    check_contents(path, &bytes)?;
    let views = SafeTensors::deserialize(&bytes).map_err(|error| Error::malformed(path, not_safetensors(&error)))?;
    let load = |(name, view): (&str, safetensors::tensor::TensorView<'_>)| {
        if !is_possible(view.shape()) {
            return Err(Error::malformed(path, format!("tensor {name:?}: impossible shape {:?}", view.shape())));
        }
        let tensor = view.load(&Device::Cpu);
        let tensor = tensor.map_err(|error| Error::malformed(path, format!("tensor {name:?}: {error}")))?;
        Ok((name.to_owned(), tensor))
    };
    views.iter().map(load).collect()
}

/// What to say of a file that cannot be read as safetensors because of `error`.
pub fn not_safetensors(error: &dyn std::fmt::Display) -> String {
    format!("not a whole safetensors file: {error}; fetch or copy it again")
}

/// Whether candle can have a tensor of this shape. The sizes of an empty tensor may be any numbers in a file, but candle
/// multiplies those after the zero without a check.
pub fn is_possible(shape: &[usize]) -> bool {
    shape.iter().try_fold(1usize, |product, size| product.checked_mul((*size).max(1))).is_some()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;

    fn bytes_of(tensors: &BTreeMap<String, Tensor>, metadata: Option<[&str; 2]>) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.safetensors");
        save_tensors(&path, tensors, metadata).unwrap();
        fs::read(path).unwrap()
    }

    fn every_type() -> BTreeMap<String, Tensor> {
        let base = Tensor::new(&[[1f32, 2.5], [0.0, 250.0]], &Device::Cpu).unwrap();
        let types = [DType::F32, DType::F64, DType::F16, DType::BF16, DType::U8, DType::U32, DType::I64];
        let named = types.iter().map(|dtype| (format!("a.{dtype:?}"), base.to_dtype(*dtype).unwrap()));
        named.collect()
    }

    #[test]
    fn every_type_comes_back_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.safetensors");
        let tensors = every_type();
        save_tensors(&path, &tensors, PYTORCH).unwrap();
        let read = load_tensors(&path).unwrap();
        assert_eq!(read.keys().collect::<Vec<_>>(), tensors.keys().collect::<Vec<_>>());
        for (name, tensor) in &read {
            let expected = &tensors[name];
            assert_eq!((tensor.dtype(), tensor.dims()), (expected.dtype(), expected.dims()));
            let values = |tensor: &Tensor| tensor.to_dtype(DType::F64).unwrap().to_vec2::<f64>().unwrap();
            assert_eq!(values(tensor), values(expected), "{name}");
        }
    }

    #[test]
    fn the_bytes_are_those_of_the_safetensors_library() {
        let tensors = every_type();
        assert_eq!(bytes_of(&tensors, None), safetensors::serialize(&tensors, None).unwrap());
        let one = HashMap::from([("format".to_owned(), "pt".to_owned())]);
        let theirs = safetensors::serialize(&tensors, Some(one)).unwrap();
        assert_eq!(bytes_of(&tensors, PYTORCH), theirs);
    }

    #[test]
    fn views_are_written_by_their_shape_not_their_memory() {
        let whole = Tensor::arange(0f32, 6.0, &Device::Cpu).unwrap().reshape((2, 3)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.safetensors");
        let views = [("column", whole.narrow(1, 1, 1).unwrap()), ("turned", whole.t().unwrap())];
        let views = views.map(|(name, view)| (name.to_owned(), view)).into_iter().collect();
        save_tensors(&path, &views, None).unwrap();
        let read = load_tensors(&path).unwrap();
        assert_eq!(read["column"].to_vec2::<f32>().unwrap(), [[1.0], [4.0]]);
        assert_eq!(read["turned"].to_vec2::<f32>().unwrap(), [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]);
    }

    #[test]
    fn an_empty_tensor_of_impossible_sizes_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.safetensors");
        for (shape, possible) in [("[0,4294967296,4294967296]", false), ("[0,4294967296,1]", true)] {
            let header = format!(r#"{{"t":{{"dtype":"F32","shape":{shape},"data_offsets":[0,0]}}}}"#);
            let length = u64::try_from(header.len()).unwrap().to_le_bytes();
            fs::write(&path, [&length, header.as_bytes()].concat()).unwrap();
            let read = load_tensors(&path).map_err(|error| error.to_string());
            assert_eq!(read.is_ok(), possible);
            assert!(read.is_ok() || read.is_err_and(|error| error.contains("\"t\": impossible shape [0, ")));
        }
    }

    #[test]
    fn what_cannot_be_written_or_read_names_the_file_and_the_tensor() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.safetensors");
        let one = |name: &str, dtype| {
            let tensor = Tensor::zeros(2, dtype, &Device::Cpu).unwrap();
            [(name.to_owned(), tensor)].into_iter().collect::<BTreeMap<_, _>>()
        };
        let refused = |tensors| save_tensors(&path, &tensors, None).unwrap_err().to_string();
        assert!(refused(one("short", DType::I16)).contains("\"short\": type I16"));
        assert!(refused(one(METADATA, DType::F32)).contains("reserved"));
        assert!(!path.exists());
        let bytes = bytes_of(&one("w", DType::F32), None);
        for length in [0, 7, 9, bytes.len() - 1] {
            fs::write(&path, &bytes[..length]).unwrap();
            let message = load_tensors(&path).unwrap_err().to_string();
            assert!(message.contains("t.safetensors"), "{message}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_new_file_is_readable_by_others_and_a_replaced_one_keeps_its_permissions() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let (path, usual) = (folder.path().join("t.safetensors"), folder.path().join("usual"));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        fs::write(&usual, "").unwrap();
        save_tensors(&path, &every_type(), None).unwrap();
        assert_eq!(mode(&path), mode(&usual));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        save_tensors(&path, &every_type(), None).unwrap();
        assert_eq!(mode(&path), 0o640);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left next to it");
        assert!(save_tensors("/dev/null", &every_type(), None).is_err());
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }

    proptest! {
        #[test]
        fn any_named_values_survive_bitwise(
            entries in prop::collection::btree_map(".{0,12}", prop::collection::vec(any::<u32>(), 0..20), 0..6),
        ) {
            let entries: BTreeMap<String, Vec<f32>> = entries
                .into_iter()
                .filter(|(name, _)| name != METADATA)
                .map(|(name, bits)| (name, bits.into_iter().map(f32::from_bits).collect()))
                .collect();
            let tensor = |values: &Vec<f32>| Tensor::from_slice(values, values.len(), &Device::Cpu).unwrap();
            let tensors = entries.iter().map(|(name, values)| (name.clone(), tensor(values))).collect();
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("t.safetensors");
            save_tensors(&path, &tensors, None).unwrap();
            let read = load_tensors(&path).unwrap();
            prop_assert_eq!(read.len(), entries.len());
            for (name, values) in &entries {
                let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
                prop_assert_eq!(bits(read[name].to_vec1().unwrap()), bits(values.clone()));
            }
        }
    }
}
