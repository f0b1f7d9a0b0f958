//! Safetensors files from parts.

use arbitrary::Arbitrary;

/// A safetensors file: a header of these entries, and data.
#[derive(Arbitrary, Debug)]
pub struct File {
    entries: Vec<Entry>,
    metadata: Option<Vec<(String, String)>>,
    data: Vec<u8>,
    /// Whether each tensor begins where the one before ends, as the format demands.
    in_order: bool,
    /// What the length of the header is off by.
    length_off: Option<i8>,
}

/// A tensor of the header.
#[derive(Arbitrary, Debug)]
struct Entry {
    name: Name,
    dtype: u8,
    shape: Vec<u8>,
    /// A size that does not fit.
    large: Option<u64>,
    offsets: (u16, u16),
}

/// The name of a weight, or any.
#[derive(Arbitrary, Debug)]
enum Name {
    Known(u8),
    Any(String),
}

const NAMES: [&str; 8] = [
    "shared.weight",
    "encoder.block.0.layer.0.SelfAttention.q.weight",
    "base_model.model.encoder.block.0.layer.0.SelfAttention.q.lora_A.weight",
    "base_model.model.encoder.block.0.layer.0.SelfAttention.q.lora_B.weight",
    "prompt_embeddings",
    "encoder.block.0.layer.1.DenseReluDense.wo.weight",
    "lm_head.weight",
    "__metadata__",
];

const TYPES: [&str; 12] = ["F32", "F16", "BF16", "F64", "I64", "U8", "U32", "I32", "BOOL", "F8_E4M3", "C64", "X"];

impl File {
    /// The bytes of the file.
    pub fn bytes(&self) -> Vec<u8> {
        let mut header = serde_json::Map::new();
        if let Some(pairs) = &self.metadata {
            let pairs = pairs.iter().map(|(key, text)| (key.clone(), text.clone().into()));
            header.insert("__metadata__".to_owned(), pairs.collect::<serde_json::Map<_, _>>().into());
        }
        let mut end = 0u64;
        for Entry { name, dtype, shape, large, offsets } in &self.entries {
            let name = match name {
                Name::Known(index) => NAMES[usize::from(*index) % NAMES.len()],
                Name::Any(name) => name,
            };
            let dtype = TYPES[usize::from(*dtype) % TYPES.len()];
            let width: u64 = match dtype {
                "F64" | "I64" | "C64" => 8,
                "F32" | "U32" | "I32" => 4,
                "F16" | "BF16" => 2,
                _ => 1,
            };
            let shape: Vec<u64> = shape.iter().map(|size| u64::from(*size)).chain(*large).collect();
            let length = shape.iter().fold(width, |length, size| length.saturating_mul(*size));
            let offsets =
                if self.in_order { (end, end.saturating_add(length)) } else { (offsets.0.into(), offsets.1.into()) };
            end = offsets.1;
            let entry = serde_json::json!({"dtype": dtype, "shape": shape, "data_offsets": [offsets.0, offsets.1]});
            header.insert(name.to_owned(), entry);
        }
        let header = serde_json::Value::from(header).to_string();
        let length = (header.len() as u64).wrapping_add_signed(self.length_off.unwrap_or_default().into());
        let mut data = self.data.clone();
        if self.in_order && end < 1 << 16 {
            data.resize(end as usize, 1);
        }
        [&length.to_le_bytes(), header.as_bytes(), &data].concat()
    }
}
