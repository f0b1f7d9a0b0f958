//! The tensors that a state dict describes: `torch._utils._rebuild_tensor_v2(storage, offset, size, stride, …)`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use candle_core::DType;

use super::reason::Reason;
use super::value::{Id, Value, Values};
use crate::is_possible;

/// A tensor: which elements of which storage it is.
#[derive(Debug)]
pub(super) struct Described {
    pub(super) name: String,
    pub(super) dtype: DType,
    pub(super) shape: Vec<usize>,
    /// The key of its storage.
    pub(super) storage: String,
    /// Its first element.
    offset: usize,
    /// How many elements further the next one is, in each dimension.
    stride: Vec<usize>,
}

/// The most dimensions. Each costs memory in candle.
const MOST_DIMENSIONS: usize = 16;

/// The tensors of the state dict `root`. Of several with one name it is the last, as in Python.
pub(super) fn tensors(values: &Values<'_>, root: Id) -> Result<Vec<Described>, Reason> {
    // The state of an instance, which TorchScript's modules are.
    let root = match values.get(root) {
        Some(Value::Instance(state)) => *state,
        _ => root,
    };
    let Some(Value::Dict(entries)) = values.get(root) else {
        return Err("no state dict: expected what `torch.save(model.state_dict(), path)` writes".to_owned());
    };
    let named: BTreeMap<&str, Id> =
        entries.iter().filter_map(|(name, value)| Some((values.text(*name)?, *value))).collect();
    let describe = |(name, value): (&str, Id)| of(values, name, value).map_err(|e| format!("tensor {name:?}: {e}"));
    named.into_iter().filter_map(|named| describe(named).transpose()).collect()
}

/// The tensor that `value` describes; `None` if it is something else.
fn of(values: &Values<'_>, name: &str, value: Id) -> Result<Option<Described>, Reason> {
    let mut call = values.call(value);
    // A parameter and a subclass of a tensor describe a tensor in another call.
    for _ in 0..2 {
        let Some((function, arguments)) = call else { return Ok(None) };
        call = match (values.global(function), arguments) {
            (Some(("torch._utils", "_rebuild_parameter")), [tensor, ..]) => values.call(*tensor),
            (Some(("torch._tensor", "_rebuild_from_type_v2")), [function, _, arguments, ..]) => {
                values.tuple(*arguments).map(|arguments| (*function, arguments))
            }
            _ => break,
        };
    }
    let Some((function, arguments)) = call else { return Ok(None) };
    match (values.global(function), arguments) {
        (Some(("torch._utils", "_rebuild_tensor_v2")), [storage, offset, size, stride, ..]) => {
            let sizes = |id: &Id| values.tuple(*id)?.iter().map(|id| values.size(*id)).collect::<Option<Vec<usize>>>();
            let (Some(offset), Some(shape), Some(stride)) = (values.size(*offset), sizes(size), sizes(stride)) else {
                return Err("its offset, size or stride are no numbers".to_owned());
            };
            if shape.len() != stride.len() || shape.len() > MOST_DIMENSIONS {
                return Err(format!("{} sizes and {} strides", shape.len(), stride.len()));
            }
            let (dtype, storage) = self::storage(values, *storage)?;
            Ok(Some(Described { name: name.to_owned(), dtype, shape, storage, offset, stride }))
        }
        (Some(("torch._utils", function)), _) => {
            Err(format!("`{function}` makes a kind of tensor that is not supported"))
        }
        _ => Ok(None),
    }
}

/// The type and the key of a storage: `("storage", torch.FloatStorage, key, device, elements)`.
fn storage(values: &Values<'_>, id: Id) -> Result<(DType, String), Reason> {
    let fields = match values.get(id) {
        Some(Value::Outside(id)) => values.tuple(*id),
        _ => None,
    };
    let names = match fields {
        Some([_, class, key, ..]) => values.global(*class).zip(values.text(*key)),
        _ => None,
    };
    let ((_, class), key) = names.ok_or_else(|| "its storage is not described as PyTorch does it".to_owned())?;
    let dtype = match class {
        "FloatStorage" => DType::F32,
        "DoubleStorage" => DType::F64,
        "HalfStorage" => DType::F16,
        "BFloat16Storage" => DType::BF16,
        "ByteStorage" | "BoolStorage" => DType::U8,
        "ShortStorage" => DType::I16,
        "IntStorage" => DType::I32,
        "LongStorage" => DType::I64,
        other => return Err(format!("unsupported type {other}")),
    };
    Ok((dtype, key.to_owned()))
}

impl Described {
    /// What two tensors of one storage have in common if they are the same.
    pub(super) fn view(&self) -> (String, usize, Vec<usize>, Vec<usize>) {
        (format!("{:?}", self.dtype), self.offset, self.shape.clone(), self.stride.clone())
    }

    /// The tensor's bytes, row by row, out of its storage. They are subtracted from `room`, the memory that is left.
    pub(super) fn bytes_of<'s>(&self, storage: &'s [u8], room: &mut usize) -> Result<Cow<'s, [u8]>, Reason> {
        let refuse = |reason: &str| format!("tensor {:?} {:?}: {reason}", self.name, self.shape);
        let width = self.dtype.size_in_bytes();
        let count = is_possible(&self.shape).then(|| self.shape.iter().product::<usize>());
        let length = count.and_then(|count| count.checked_mul(width)).filter(|length| *length <= *room);
        let length = length.ok_or_else(|| refuse("it is larger than its file can hold"))?;
        *room -= length;
        if length == 0 {
            return Ok(Cow::Borrowed(&[]));
        }
        let last = self
            .shape
            .iter()
            .zip(&self.stride)
            .try_fold(self.offset, |last, (size, stride)| last.checked_add((size - 1).checked_mul(*stride)?));
        let end = last.and_then(|last| last.checked_add(1)?.checked_mul(width)).filter(|end| *end <= storage.len());
        let end = end.ok_or_else(|| refuse(&format!("its storage has only {} bytes", storage.len())))?;
        let begin = self.offset * width;
        let inside = storage.get(begin..end).unwrap_or_default();
        if self.is_contiguous() { Ok(Cow::Borrowed(inside)) } else { Ok(Cow::Owned(self.gathered(inside, length))) }
    }

    fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        self.shape.iter().zip(&self.stride).rev().all(|(size, stride)| {
            let fits = *size == 1 || *stride == expected;
            expected *= size;
            fits
        })
    }

    /// Copies element by element, the last dimension first.
    fn gathered(&self, inside: &[u8], length: usize) -> Vec<u8> {
        let width = self.dtype.size_in_bytes();
        let mut out = Vec::with_capacity(length);
        let mut index = vec![0; self.shape.len()];
        while out.len() < length {
            let at = index.iter().zip(&self.stride).map(|(i, stride)| i * stride).sum::<usize>() * width;
            out.extend(inside.get(at..at + width).unwrap_or_default());
            for (i, size) in index.iter_mut().zip(&self.shape).rev() {
                *i += 1;
                if *i < *size {
                    break;
                }
                *i = 0;
            }
        }
        out
    }
}
