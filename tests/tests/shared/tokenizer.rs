//! T5's own tokenizer, whose ids are those of `transformers` 3.5.1 (slow), and the text-to-text form, whose strings are the authors'.

use std::path::Path;

use datasets::encode::{EncodeOptions, Encoder, decode_tags};
use datasets::tokenizer::{DecodeOptions, SENTINELS, T5Tokenizer};
use libtest_mimic::Trial;
use peft_tests::golden::{committed, trial};
use serde::Deserialize;

const T5: &str = "tokenizer/t5";

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

/// A test with the reference's ids, and T5's tokenizer in each of its forms.
type Check = fn(Goldens, Vec<T5Tokenizer>);

/// The reference's ids, and T5's tokenizer from both of its files and the folder.
fn load(folder: &Path) -> (Goldens, Vec<T5Tokenizer>) {
    let goldens = serde_json::from_slice(&std::fs::read(committed("tokenizer_t5.json")).unwrap()).unwrap();
    let paths = [folder.join("tokenizer.json"), folder.join("spiece.model"), folder.to_path_buf()];
    (goldens, paths.map(|path| T5Tokenizer::load(path).unwrap()).into())
}

/// The tests of this file, which need T5's tokenizer.
pub(crate) fn trials() -> Vec<Trial> {
    let checks: [(&str, Check); 5] = [
        ("texts_have_t5s_ids_and_read_back", texts_have_t5s_ids_and_read_back),
        ("special_tokens_have_t5s_ids", special_tokens_have_t5s_ids),
        ("words_have_the_ids_they_have_between_sentinels", words_have_the_ids_they_have_between_sentinels),
        ("both_files_agree_on_text_with_odd_spaces_and_signs", both_files_agree_on_text_with_odd_spaces_and_signs),
        ("a_saved_tokenizer_loads_alike", a_saved_tokenizer_loads_alike),
    ];
    let with_tokenizer = |(name, check): (&str, Check)| {
        trial(&format!("tokenizer::{name}"), [T5], move |[folder]| {
            let (goldens, tokenizers) = load(&folder);
            check(goldens, tokenizers);
        })
    };
    let mut trials: Vec<Trial> = checks.into_iter().map(with_tokenizer).collect();
    trials.push(trial("tokenizer::sentences_encode_as_the_authors_strings_do", [T5], |[folder]| {
        sentences_encode_as_the_authors_strings_do(&T5Tokenizer::load(folder).unwrap());
    }));
    trials
}

fn texts_have_t5s_ids_and_read_back(goldens: Goldens, tokenizers: Vec<T5Tokenizer>) {
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

fn special_tokens_have_t5s_ids(goldens: Goldens, tokenizers: Vec<T5Tokenizer>) {
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

fn words_have_the_ids_they_have_between_sentinels(goldens: Goldens, tokenizers: Vec<T5Tokenizer>) {
    for tokenizer in tokenizers {
        for Case { text, .. } in &goldens.cases {
            let parts: Vec<&str> = text.split_whitespace().collect();
            let one_by_one = tokenizer.encode_words(&parts).unwrap().concat();
            assert_eq!(one_by_one, tokenizer.pieces(text).unwrap(), "{text}");
        }
    }
}

fn both_files_agree_on_text_with_odd_spaces_and_signs(_: Goldens, tokenizers: Vec<T5Tokenizer>) {
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

fn a_saved_tokenizer_loads_alike(goldens: Goldens, tokenizers: Vec<T5Tokenizer>) {
    let folder = tempfile::tempdir().unwrap();
    for tokenizer in tokenizers {
        tokenizer.save(folder.path().join("tokenizer.json")).unwrap();
        let again = T5Tokenizer::from_folder(folder.path()).unwrap();
        for Case { text, ids, .. } in &goldens.cases {
            assert_eq!(&again.encode(text, goldens.max_length).unwrap().ids, ids);
        }
    }
}

/// A sentence of `sbio.json`, as the authors' code writes it.
#[derive(Deserialize)]
struct Sentence {
    tokens: Vec<String>,
    sbio: Vec<String>,
    input: String,
    target: String,
    target_without_sentinels: String,
}

#[derive(Deserialize)]
struct Sentences {
    round_trip: Vec<Sentence>,
}

fn sentences_encode_as_the_authors_strings_do(tokenizer: &T5Tokenizer) {
    let goldens: Sentences = serde_json::from_slice(&std::fs::read(committed("sbio.json")).unwrap()).unwrap();
    let mut encoder = Encoder::new(tokenizer, &EncodeOptions::default()).unwrap();
    assert_eq!(goldens.round_trip.len(), 60);
    for golden in goldens.round_trip {
        let pair = encoder.encode(&golden.tokens, &golden.sbio).unwrap();
        assert_eq!(pair.source, tokenizer.encode(&golden.input, 128).unwrap().ids, "{}", golden.input);
        assert_eq!(pair.target, tokenizer.encode(&golden.target, 128).unwrap().ids, "{}", golden.target);
        let tags = decode_tags(tokenizer, &pair.target).unwrap();
        assert_eq!(tags.join(" "), golden.target_without_sentinels);
    }
}
