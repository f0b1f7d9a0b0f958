//! `tokenizer.json`: any bytes, and settings of the normalizer in a file that is right.
#![no_main]

use arbitrary::Arbitrary;
use datasets::tokenizer::{DecodeOptions, T5Tokenizer};
use hyperloader_fuzz::limits::bounded;

#[derive(Arbitrary, Debug)]
enum Input<'a> {
    Any(&'a str, &'a [u8]),
    Pieces {
        pieces: Vec<(&'a str, f32)>,
        unk: Option<u16>,
        normalizer: &'a str,
        added: Vec<(&'a str, u8)>,
        text: &'a str,
    },
}

fn file(pieces: &[(&str, f32)], unk: Option<u16>, normalizer: &str, added: &[(&str, u8)]) -> String {
    let special = ["<pad>", "</s>", "<unk>"].into_iter().map(str::to_owned);
    let sentinels = (0..100).rev().map(|index| format!("<extra_id_{index}>"));
    let vocabulary =
        special.map(|text| (text, 0.0)).chain(pieces.iter().map(|(text, score)| ((*text).to_owned(), *score)));
    let vocabulary: Vec<_> = vocabulary.into_iter().chain(sentinels.map(|text| (text, 0.0))).collect();
    let added: Vec<_> = added
        .iter()
        .map(|(text, id)| {
            serde_json::json!({"id": id, "content": text, "single_word": false,
        "lstrip": false, "rstrip": false, "normalized": id % 2 == 0, "special": true})
        })
        .collect();
    let normalizer: serde_json::Value = serde_json::from_str(normalizer).unwrap_or_default();
    serde_json::json!({"version": "1.0", "truncation": null, "padding": null, "added_tokens": added, "normalizer": normalizer,
        "pre_tokenizer": null, "post_processor": null, "decoder": null,
        "model": {"type": "Unigram", "unk_id": unk, "vocab": vocabulary, "byte_fallback": false}}).to_string()
}

libfuzzer_sys::fuzz_target!(|input: Input<'_>| {
    let (file, text) = match input {
        Input::Any(text, file) => (file.to_vec(), text),
        Input::Pieces { pieces, unk, normalizer, added, text } => {
            (file(&pieces, unk, normalizer, &added).into_bytes(), text)
        }
    };
    bounded(file.len() + text.len(), || {
        if let Ok(tokenizer) = T5Tokenizer::from_json(&file) {
            let ids = tokenizer.encode(text, 1 << 20).map(|encoded| encoded.ids);
            let _ = ids.and_then(|ids| tokenizer.decode(&ids, DecodeOptions::default()));
        }
    });
});
