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

fn with_added(content: &str, id: usize) -> Value {
    let mut file = written();
    let token = json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": true,
        "special": false});
    file["added_tokens"].as_array_mut().unwrap().push(token);
    file
}

fn vocab_size() -> usize {
    T5Tokenizer::from_json(written().to_string().as_bytes()).unwrap().vocab_size()
}

#[test]
fn an_added_token_of_which_the_normalizer_leaves_nothing_is_found_as_it_was_written() {
    let id = vocab_size();
    let tokenizer = T5Tokenizer::from_json(with_added("\n", id).to_string().as_bytes()).unwrap();
    let without = T5Tokenizer::from_json(written().to_string().as_bytes()).unwrap();
    let line_end = u32::try_from(id).unwrap();
    let (before, after) = (without.pieces("AB").unwrap(), without.pieces("ab").unwrap());
    assert_eq!(tokenizer.pieces("AB\nab").unwrap(), [before.as_slice(), &[line_end], &after].concat());
    let again = T5Tokenizer::from_json(tokenizer.to_json().unwrap().as_bytes()).unwrap();
    assert_eq!(again.pieces("AB\nab").unwrap(), tokenizer.pieces("AB\nab").unwrap());
}

#[test]
fn an_added_token_with_another_id_than_its_place_gives_is_refused() {
    let id = vocab_size();
    let message = refusal(&with_added("new", id + 5));
    let expected = format!("the added token \"new\" has id {}, but its place in the vocabulary gives {id}", id + 5);
    assert!(message.contains(&expected), "{message}");
}

#[test]
fn another_type_of_model_and_another_version_are_named() {
    let mut file = written();
    file["model"] = json!({"type": "BPE", "vocab": {"a": 0}, "merges": []});
    assert!(refusal(&file).contains("T5 needs a `Unigram` model, the file has the type \"BPE\""), "{}", refusal(&file));
    let mut file = written();
    file["version"] = json!("2.0");
    assert!(refusal(&file).contains("version \"2.0\" of the format is unknown"), "{}", refusal(&file));
}

#[test]
fn a_pattern_that_matches_where_no_character_is_is_refused() {
    for pattern in [json!({"Regex": " {0,}"}), json!({"Regex": r"\b"}), json!({"Regex": "a|"}), json!({"String": ""})] {
        let mut file = written();
        let replace = json!({"type": "Replace", "pattern": pattern, "content": " "});
        file["normalizer"] = json!({"type": "Sequence", "normalizers": [replace, {"type": "NFKC"}]});
        assert!(refusal(&file).contains("matches where no character is"), "{pattern}: {}", refusal(&file));
    }
}
