//! `tokenizer.json` files with faults that `tokenizers` does not look for.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::spiece::{charsmap, model};
use crate::tokenizer::T5Tokenizer;

fn written() -> Value {
    let tokenizer = T5Tokenizer::from_spiece(&model(&charsmap())).unwrap();
    serde_json::from_str(&tokenizer.to_json().unwrap()).unwrap()
}

fn refusal(file: &Value) -> String {
    T5Tokenizer::from_json(file.to_string().as_bytes()).unwrap_err().to_string()
}

#[test]
fn a_file_that_is_cut_off_anywhere_is_an_error() {
    let text = written().to_string();
    for end in (0..text.len()).step_by(31).filter(|end| text.is_char_boundary(*end)) {
        assert!(T5Tokenizer::from_json(&text.as_bytes()[..end]).is_err(), "after {end} bytes");
    }
    T5Tokenizer::from_json(text.as_bytes()).unwrap();
}

#[test]
fn a_malformed_character_map_is_refused_wherever_it_is() {
    let mut outside = charsmap();
    outside[4..8].copy_from_slice(&(1u32 << 20).to_le_bytes());
    let long = [u32::MAX.to_le_bytes().as_slice(), b"a\0"].concat();
    for map in
        [json!(STANDARD.encode(outside)), json!(STANDARD.encode(long)), json!("no base64"), json!(7), json!(null)]
    {
        let precompiled = json!({"type": "Precompiled", "precompiled_charsmap": map});
        let nested = json!({"type": "Sequence", "normalizers": [{"type": "Sequence", "normalizers": [precompiled]}]});
        for normalizer in [precompiled, nested, json!({"precompiled_charsmap": map})] {
            let mut file = written();
            file["normalizer"] = normalizer;
            assert!(refusal(&file).contains("charsmap"), "{}", refusal(&file));
        }
    }
}

#[test]
fn parts_that_the_conventions_of_t5_replace_are_not_read() {
    let mut file = written();
    let before = T5Tokenizer::from_json(file.to_string().as_bytes()).unwrap();
    for part in ["pre_tokenizer", "post_processor", "decoder", "truncation", "padding"] {
        file[part] = json!({"type": "of a later version"});
    }
    let after = T5Tokenizer::from_json(file.to_string().as_bytes()).unwrap();
    assert_eq!(before.encode("AB ab", 99).unwrap(), after.encode("AB ab", 99).unwrap());
    assert_eq!(before.to_json().unwrap(), after.to_json().unwrap());
}
