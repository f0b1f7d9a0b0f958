//! The character map of a sentencepiece model, and text that it rewrites.
#![no_main]

use datasets::tokenizer::T5Tokenizer;
use hyperloader_fuzz::limits::bounded;
use hyperloader_fuzz::proto::{SPECIAL, sentencepiece};

/// A trie as the format has it: its size, its units, and the texts.
fn charsmap(units: &[u32], texts: &[u8]) -> Vec<u8> {
    let trie: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    [&(trie.len() as u32).to_le_bytes(), trie.as_slice(), texts].concat()
}

libfuzzer_sys::fuzz_target!(|input: (Option<Vec<(u8, bool, bool, u16)>>, Vec<u8>, &str)| {
    let (units, rest, text) = input;
    let map = match units {
        None => rest,
        // Units with a label, a leaf, and an offset that stays in the array.
        Some(units) => {
            let unit = |(label, leaf, value, offset): &(u8, bool, bool, u16)| match value {
                true => u32::from(*offset) % 64 | 1 << 31,
                false => u32::from(*label) | u32::from(*leaf) << 8 | u32::from(*offset % 1024) << 10,
            };
            let mut units: Vec<u32> = units.iter().map(unit).collect();
            units.resize(units.len().next_multiple_of(256).max(1024), 0);
            charsmap(&units, &rest)
        }
    };
    let model = sentencepiece(SPECIAL.into_iter().chain([("▁", -1.0, 1), ("a", -2.0, 1)]), Some(&map));
    bounded(model.len() + text.len(), || {
        if let Ok(tokenizer) = T5Tokenizer::from_spiece(&model) {
            let _ = tokenizer.encode(text, 1 << 20).expect("any text can be encoded");
        }
    });
});
