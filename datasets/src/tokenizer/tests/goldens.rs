//! T5's own tokenizer (`transformers` 3.5.1, slow), if its files are in `shared/` next to the workspace.

use std::path::PathBuf;

use serde::Deserialize;

use crate::tokenizer::{DecodeOptions, SENTINELS, T5Tokenizer};

#[derive(Deserialize)]
struct Goldens {
    extra_id_0: u32,
    extra_id_99: u32,
    pad: u32,
    eos: u32,
    unk: u32,
    vocab_len: usize,
    max_length: usize,
    cases: Vec<Case>,
    decode: Vec<Decode>,
}

#[derive(Deserialize)]
struct Case {
    text: String,
    ids: Vec<u32>,
    decoded: String,
}

#[derive(Deserialize)]
struct Decode {
    ids: Vec<u32>,
    text: String,
}

const AS_HUGGING_FACE: DecodeOptions = DecodeOptions { skip_special_tokens: true, clean_up_tokenization_spaces: true };

/// The goldens, and T5's tokenizer from both of its files and the folder.
fn shared() -> Option<(Goldens, Vec<T5Tokenizer>)> {
    let shared: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "..", "shared"].iter().collect();
    let Ok(json) = std::fs::read(shared.join("goldens/tokenizer_t5.json")) else {
        println!("skipped: no golden files next to the workspace");
        return None;
    };
    let folder = shared.join("tokenizer/t5");
    let paths = [folder.join("tokenizer.json"), folder.join("spiece.model"), folder];
    Some((serde_json::from_slice(&json).unwrap(), paths.map(|path| T5Tokenizer::load(path).unwrap()).into()))
}

#[test]
fn texts_have_t5s_ids_and_read_back() {
    let Some((goldens, tokenizers)) = shared() else { return };
    assert_eq!(goldens.cases.len(), 57);
    for tokenizer in tokenizers {
        for Case { text, ids, decoded } in &goldens.cases {
            let encoded = tokenizer.encode(text, goldens.max_length).unwrap();
            assert_eq!(&encoded.ids, ids, "{text}");
            assert_eq!(encoded.truncated, tokenizer.pieces(text).unwrap().len() + 1 > goldens.max_length);
            assert_eq!(tokenizer.decode(ids, AS_HUGGING_FACE).unwrap().trim(), decoded.trim(), "{text}");
        }
        for Decode { ids, text } in &goldens.decode {
            assert_eq!(tokenizer.decode(ids, AS_HUGGING_FACE).unwrap().trim(), text);
        }
    }
}

#[test]
fn special_tokens_have_t5s_ids() {
    let Some((goldens, tokenizers)) = shared() else { return };
    for tokenizer in tokenizers {
        assert_eq!(
            [tokenizer.pad_id(), tokenizer.eos_id(), tokenizer.unk_id()],
            [goldens.pad, goldens.eos, goldens.unk]
        );
        assert_eq!(tokenizer.sentinel(0), Some(goldens.extra_id_0));
        assert_eq!(tokenizer.sentinel(SENTINELS - 1), Some(goldens.extra_id_99));
        assert_eq!(tokenizer.sentinel(SENTINELS), None);
        assert_eq!(tokenizer.vocab_size(), goldens.vocab_len);
    }
}

#[test]
fn words_have_the_ids_they_have_between_sentinels() {
    let Some((goldens, tokenizers)) = shared() else { return };
    for tokenizer in tokenizers {
        for Case { text, .. } in &goldens.cases {
            let parts: Vec<&str> = text.split_whitespace().collect();
            let one_by_one = tokenizer.encode_words(&parts).unwrap().concat();
            assert_eq!(one_by_one, tokenizer.pieces(text).unwrap(), "{text}");
        }
    }
}

#[test]
fn both_files_agree_on_text_with_odd_spaces_and_signs() {
    let Some((_, tokenizers)) = shared() else { return };
    let texts = [
        "",
        " ",
        "  two  spaces ",
        "no\u{a0}break\u{3000}wide",
        "tab\tand\nline",
        "ﬁne ½ ＡＢＣ ①",
        "e\u{301}clair \u{301}x",
        "中文 текст",
        "emoji 🎬🎬 x",
        "<extra_id_5>glued<extra_id_6>",
        "a</s>b",
        "<extra_id_100>",
        "▁low▁line",
        "\u{200b}zero \u{7}bell",
    ];
    for text in texts {
        let ids: Vec<_> = tokenizers.iter().map(|tokenizer| tokenizer.pieces(text).unwrap()).collect();
        assert!(ids.iter().all(|other| *other == ids[0]), "{text:?}: {ids:?}");
    }
}

#[test]
fn a_saved_tokenizer_loads_alike() {
    let Some((goldens, tokenizers)) = shared() else { return };
    let folder = tempfile::tempdir().unwrap();
    for tokenizer in tokenizers {
        tokenizer.save(folder.path().join("tokenizer.json")).unwrap();
        let again = T5Tokenizer::from_folder(folder.path()).unwrap();
        for Case { text, ids, .. } in &goldens.cases {
            assert_eq!(&again.encode(text, goldens.max_length).unwrap().ids, ids);
        }
    }
}
