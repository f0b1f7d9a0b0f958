//! Small safetensors files, written with the same bytes for the same content.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use candle_core::safetensors::Load;
use candle_core::{CpuStorage, DType, Device, Storage, Tensor};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorInfo};

use super::write_atomic;
use crate::{Error, Result};

/// The key of the metadata in a safetensors header.
const METADATA: &str = "__metadata__";

/// The content of a safetensors file.
#[derive(Debug, Clone, Default)]
pub struct TensorFile {
    /// Tensors by name, on the CPU.
    pub tensors: BTreeMap<String, Tensor>,
    /// The free-form texts of the header, such as `format = pt`.
    pub metadata: BTreeMap<String, String>,
}

/// Writes tensors (f32, f64, f16, bf16, u8, u32, i64; on any device, of any layout) as a safetensors file, atomically.
///
/// The order is the one of the `safetensors` library (wider types first, then names), but the metadata are sorted
/// too, so that equal content gives equal bytes. `transformers` refuses files whose metadata lack `format = pt`.
///
/// # Errors
/// [`Error::Malformed`] naming the tensor if its type cannot be written or it is named `__metadata__`;
/// [`Error::Io`] naming `path`.
pub fn save_tensors(
    path: impl AsRef<Path>,
    tensors: &BTreeMap<String, Tensor>,
    metadata: &BTreeMap<String, String>,
) -> Result<()> {
    let path = path.as_ref();
    if let Some((name, reason)) = tensors.iter().find_map(|(name, tensor)| Some((name, refusal(name, tensor)?))) {
        return Err(Error::malformed(path, format!("tensor {name:?}: {reason}")));
    }
    let mut ordered: Vec<(&String, &Tensor, Dtype)> =
        tensors.iter().map(|(name, tensor)| (name, tensor, tensor.dtype().into())).collect();
    ordered.sort_by(|one, other| other.2.cmp(&one.2).then(one.0.cmp(other.0)));
    write_atomic(path, |file| {
        let header = header(&ordered, metadata)?;
        file.write_all(&(header.len() as u64).to_le_bytes())?;
        file.write_all(&header)?;
        ordered.iter().try_for_each(|(_, tensor, _)| write_values(file, tensor))
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

/// The JSON header, padded with spaces to a multiple of eight bytes.
fn header(ordered: &[(&String, &Tensor, Dtype)], metadata: &BTreeMap<String, String>) -> io::Result<Vec<u8>> {
    let mut entries = Vec::with_capacity(ordered.len() + 1);
    if !metadata.is_empty() {
        entries.push(format!("\"{METADATA}\":{}", serde_json::to_string(metadata)?));
    }
    let mut start = 0;
    for (name, tensor, dtype) in ordered {
        let end = start + tensor.elem_count() * tensor.dtype().size_in_bytes();
        let info = TensorInfo { dtype: *dtype, shape: tensor.dims().to_vec(), data_offsets: (start, end) };
        entries.push(format!("{}:{}", serde_json::to_string(name)?, serde_json::to_string(&info)?));
        start = end;
    }
    let mut header = format!("{{{}}}", entries.join(",")).into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    Ok(header)
}

/// Writes the values of a tensor in row-major order, little-endian.
fn write_values(file: &mut impl Write, tensor: &Tensor) -> io::Result<()> {
    let host = tensor.to_device(&Device::Cpu).and_then(|tensor| tensor.contiguous()).map_err(io::Error::other)?;
    let (storage, layout) = host.storage_and_layout();
    let (Storage::Cpu(storage), Some((start, end))) = (&*storage, layout.contiguous_offsets()) else {
        return Err(io::Error::other("a contiguous tensor on the CPU was expected"));
    };
    let range = start..end;
    match storage {
        CpuStorage::F32(values) => write_slice(file, values.get(range), |value| value.to_le_bytes()),
        CpuStorage::F64(values) => write_slice(file, values.get(range), |value| value.to_le_bytes()),
        CpuStorage::F16(values) => write_slice(file, values.get(range), |value| value.to_le_bytes()),
        CpuStorage::BF16(values) => write_slice(file, values.get(range), |value| value.to_le_bytes()),
        CpuStorage::U8(values) => write_slice(file, values.get(range), |value| [value]),
        CpuStorage::U32(values) => write_slice(file, values.get(range), |value| value.to_le_bytes()),
        CpuStorage::I64(values) => write_slice(file, values.get(range), |value| value.to_le_bytes()),
        _ => Err(io::Error::other(format!("type {:?} cannot be written", host.dtype()))),
    }
}

fn write_slice<T: Copy, const N: usize>(
    file: &mut impl Write,
    values: Option<&[T]>,
    bytes: impl Fn(T) -> [u8; N],
) -> io::Result<()> {
    let values = values.ok_or_else(|| io::Error::other("the layout of a tensor exceeds its storage"))?;
    values.iter().try_for_each(|value| file.write_all(&bytes(*value)))
}

/// Reads all tensors of a safetensors file onto the CPU. The file is read whole: this is for adapters and states, not
/// for backbones of gigabytes.
///
/// # Errors
/// [`Error::Io`]; [`Error::Malformed`] if it is not a safetensors file, is cut short, or holds a type that candle lacks.
pub fn load_tensors(path: impl AsRef<Path>) -> Result<BTreeMap<String, Tensor>> {
    Ok(read_tensor_file(path)?.tensors)
}

/// Like [`load_tensors`], with the metadata of the header.
///
/// # Errors
/// As [`load_tensors`].
pub fn read_tensor_file(path: impl AsRef<Path>) -> Result<TensorFile> {
    let path = path.as_ref();
    let bytes = fs::read(path).map_err(|source| Error::io(path, source))?;
    let malformed =
        |error: safetensors::SafeTensorError| Error::malformed(path, format!("not a whole safetensors file: {error}"));
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(malformed)?;
    let views = SafeTensors::deserialize(&bytes).map_err(malformed)?;
    let mut tensors = BTreeMap::new();
    for (name, view) in views.iter() {
        let tensor =
            view.load(&Device::Cpu).map_err(|error| Error::malformed(path, format!("tensor {name:?}: {error}")))?;
        tensors.insert(name.to_owned(), tensor);
    }
    let metadata = header.metadata().iter().flatten();
    Ok(TensorFile { tensors, metadata: metadata.map(|(key, text)| (key.clone(), text.clone())).collect() })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
        entries.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect()
    }

    fn bytes_of(tensors: &BTreeMap<String, Tensor>, metadata: &BTreeMap<String, String>) -> Vec<u8> {
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
        let (tensors, metadata) = (every_type(), texts(&[("format", "pt"), ("about", "\"quoted\"\n")]));
        save_tensors(&path, &tensors, &metadata).unwrap();
        let read = read_tensor_file(&path).unwrap();
        assert_eq!(read.metadata, metadata);
        assert_eq!(read.tensors.keys().collect::<Vec<_>>(), tensors.keys().collect::<Vec<_>>());
        for (name, tensor) in &read.tensors {
            let expected = &tensors[name];
            assert_eq!((tensor.dtype(), tensor.dims()), (expected.dtype(), expected.dims()));
            let values = |tensor: &Tensor| tensor.to_dtype(DType::F64).unwrap().to_vec2::<f64>().unwrap();
            assert_eq!(values(tensor), values(expected), "{name}");
        }
    }

    #[test]
    fn the_bytes_are_those_of_the_safetensors_library() {
        let tensors = every_type();
        assert_eq!(bytes_of(&tensors, &texts(&[])), safetensors::serialize(&tensors, None).unwrap());
        let one = texts(&[("format", "pt")]);
        let theirs = safetensors::serialize(&tensors, Some(one.clone().into_iter().collect())).unwrap();
        assert_eq!(bytes_of(&tensors, &one), theirs);
    }

    #[test]
    fn the_metadata_are_sorted() {
        let keys: Vec<String> = (0..20).map(|number| format!("key{number:02}")).collect();
        let metadata = keys.iter().map(|key| (key.clone(), "x".to_owned())).collect();
        let bytes = bytes_of(&BTreeMap::new(), &metadata);
        let text = String::from_utf8_lossy(&bytes);
        let places: Vec<_> = keys.iter().map(|key| text.find(key).unwrap()).collect();
        assert!(places.is_sorted(), "{text}");
    }

    #[test]
    fn views_are_written_by_their_shape_not_their_memory() {
        let whole = Tensor::arange(0f32, 6.0, &Device::Cpu).unwrap().reshape((2, 3)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.safetensors");
        let views = [("column", whole.narrow(1, 1, 1).unwrap()), ("turned", whole.t().unwrap())];
        let views = views.map(|(name, view)| (name.to_owned(), view)).into_iter().collect();
        save_tensors(&path, &views, &texts(&[])).unwrap();
        let read = load_tensors(&path).unwrap();
        assert_eq!(read["column"].to_vec2::<f32>().unwrap(), [[1.0], [4.0]]);
        assert_eq!(read["turned"].to_vec2::<f32>().unwrap(), [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]);
    }

    #[test]
    fn what_cannot_be_written_or_read_names_the_file_and_the_tensor() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.safetensors");
        let one = |name: &str, dtype| {
            let tensor = Tensor::zeros(2, dtype, &Device::Cpu).unwrap();
            [(name.to_owned(), tensor)].into_iter().collect::<BTreeMap<_, _>>()
        };
        let refused = |tensors| save_tensors(&path, &tensors, &texts(&[])).unwrap_err().to_string();
        assert!(refused(one("short", DType::I16)).contains("\"short\": type I16"));
        assert!(refused(one(METADATA, DType::F32)).contains("reserved"));
        assert!(!path.exists());
        let bytes = bytes_of(&one("w", DType::F32), &texts(&[]));
        for length in [0, 7, 9, bytes.len() - 1] {
            fs::write(&path, &bytes[..length]).unwrap();
            let message = load_tensors(&path).unwrap_err().to_string();
            assert!(message.contains("t.safetensors"), "{message}");
        }
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
            save_tensors(&path, &tensors, &texts(&[])).unwrap();
            let read = load_tensors(&path).unwrap();
            prop_assert_eq!(read.len(), entries.len());
            for (name, values) in &entries {
                let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
                prop_assert_eq!(bits(read[name].to_vec1().unwrap()), bits(values.clone()));
            }
        }
    }
}
