//! Protocol buffers as sentencepiece writes them, from parts.

/// A field that holds bytes: a text, or a message.
pub fn bytes(out: &mut Vec<u8>, field: u32, bytes: &[u8]) {
    varint(out, u64::from(field) << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend(bytes);
}

/// A field that holds an integer.
pub fn integer(out: &mut Vec<u8>, field: u32, value: i32) {
    varint(out, u64::from(field) << 3);
    varint(out, i64::from(value) as u64);
}

/// A field that holds a float.
pub fn float(out: &mut Vec<u8>, field: u32, value: f32) {
    varint(out, u64::from(field) << 3 | 5);
    out.extend(value.to_le_bytes());
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A sentencepiece model of these pieces (text, score, kind), with this character map.
pub fn sentencepiece<'a>(pieces: impl IntoIterator<Item = (&'a str, f32, i32)>, charsmap: Option<&[u8]>) -> Vec<u8> {
    let mut model = Vec::new();
    for (text, score, kind) in pieces {
        let mut piece = Vec::new();
        bytes(&mut piece, 1, text.as_bytes());
        float(&mut piece, 2, score);
        integer(&mut piece, 3, kind);
        bytes(&mut model, 1, &piece);
    }
    if let Some(charsmap) = charsmap {
        let mut normalizer = Vec::new();
        bytes(&mut normalizer, 2, charsmap);
        bytes(&mut model, 3, &normalizer);
    }
    model
}

/// The pieces that every T5 has.
pub const SPECIAL: [(&str, f32, i32); 3] = [("<pad>", 0.0, 3), ("</s>", 0.0, 3), ("<unk>", 0.0, 2)];
