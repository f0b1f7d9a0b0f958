//! Sentencepiece files, written here by hand.

use proptest::prelude::*;

use crate::error::Error;
use crate::tokenizer::T5Tokenizer;

/// A length-delimited field.
fn bytes(number: u8, content: &[u8]) -> Vec<u8> {
    let mut length = content.len();
    let mut field = vec![number << 3 | 2];
    while length >= 0x80 {
        field.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    field.push(length as u8);
    [&field, content].concat()
}

fn piece(text: &str, score: f32, kind: u8) -> Vec<u8> {
    let score = [&[2 << 3 | 5][..], &score.to_le_bytes()].concat();
    bytes(1, &[bytes(1, text.as_bytes()), score, vec![3 << 3, kind]].concat())
}

/// A charsmap that maps `A` to `a`: a double array with the root at 0, `A` at 256 ^ 0x41 and its
/// value at that place ^ 512.
pub(super) fn charsmap() -> Vec<u8> {
    let mut units = vec![0u32; 1024];
    units[0] = 256 << 10;
    units[256 ^ 0x41] = 512 << 10 | 1 << 8 | 0x41;
    units[256 ^ 0x41 ^ 512] = 1 << 31;
    let trie: Vec<u8> = units.into_iter().flat_map(u32::to_le_bytes).collect();
    [&4096u32.to_le_bytes()[..], &trie, b"a\0"].concat()
}

pub(super) fn model(charsmap: &[u8]) -> Vec<u8> {
    let specials = [piece("<pad>", 0.0, 3), piece("</s>", 0.0, 3), piece("<unk>", 0.0, 2)].concat();
    let words = [piece("▁", -2.0, 1), piece("a", -3.0, 1), piece("b", -3.5, 1), piece("▁ab", -4.0, 1)].concat();
    [specials, words, bytes(2, &[3 << 3, 1]), bytes(3, &bytes(2, charsmap))].concat()
}

fn refusal(model: &[u8]) -> String {
    T5Tokenizer::from_spiece(model).unwrap_err().to_string()
}

#[test]
fn pieces_scores_and_the_character_map_are_read() {
    let tokenizer = T5Tokenizer::from_spiece(&model(&charsmap())).unwrap();
    assert_eq!(tokenizer.vocab_size(), 7 + 100);
    assert_eq!(tokenizer.sentinel(0), Some(106));
    assert_eq!(tokenizer.encode("AB ab  Ab b<extra_id_1>", 99).unwrap().ids, [3, 4, 2, 6, 6, 3, 5, 105, 1]);
    assert_eq!(tokenizer.encode("ab", 1).unwrap().ids, [1]);
    assert!(matches!(tokenizer.encode("ab", 0), Err(Error::Invalid(_))));
}

#[test]
fn an_empty_character_map_changes_nothing() {
    let tokenizer = T5Tokenizer::from_spiece(&model(&[])).unwrap();
    assert_eq!(tokenizer.pieces("Ab").unwrap(), [3, 2, 5]);
}

#[test]
fn what_is_not_a_t5_model_is_refused() {
    assert!(refusal(&[]).contains("no piece of the type of `<unk>`"));
    assert!(refusal(&[0xff; 20]).contains("malformed protocol buffer"));
    assert!(refusal(&piece("<unk>", f32::NAN, 2)).contains("piece 0: its score"));
    assert!(refusal(&piece("", 0.0, 1)).contains("piece 0: empty"));
    assert!(refusal(&piece("<unk>", 0.0, 2)).contains("lacks `<pad>`"));
    let bpe = [model(&[]), bytes(2, &[3 << 3, 2])].concat();
    assert!(refusal(&bpe).contains("unigram"));
    let without_prefix = [model(&[]), bytes(3, &[3 << 3, 0])].concat();
    assert!(refusal(&without_prefix).contains("`add_dummy_prefix` is off"));
}

#[test]
fn a_character_map_that_points_outside_is_refused() {
    let damaged = |at: usize, unit: u32| {
        let mut map = charsmap();
        map[4 + 4 * at..][..4].copy_from_slice(&unit.to_le_bytes());
        refusal(&model(&map))
    };
    let child = 256 ^ 0x41;
    for message in [
        damaged(0, 4096 << 10),                     // the root's children
        damaged(child, 4096 << 10 | 1 << 8 | 0x41), // the value's place
        damaged(child ^ 512, 1 << 31 | 3),          // the replacement text
        refusal(&model(&charsmap()[..4000])),       // shorter than it says
        refusal(&model(&u32::MAX.to_le_bytes())),   // a size of 4 GB
    ] {
        assert!(message.contains("malformed precompiled charsmap"), "{message}");
    }
}

#[test]
fn a_bad_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let message = |result: crate::Result<T5Tokenizer>| result.unwrap_err().to_string();
    assert!(message(T5Tokenizer::load(folder.path())).contains("no tokenizer in this folder"));
    let file = folder.path().join("spiece.model");
    std::fs::write(&file, [0xff]).unwrap();
    let text = message(T5Tokenizer::load(folder.path()));
    assert!(text.contains("spiece.model") && text.contains("malformed"), "{text}");
    let absent = folder.path().join("none.json");
    assert!(matches!(T5Tokenizer::load(&absent), Err(Error::Io { path, .. }) if path == absent));
    let bpe = r#"{"model":{"type":"BPE","vocab":{},"merges":[]}}"#;
    assert!(message(T5Tokenizer::from_json(bpe.as_bytes())).contains("Unigram"));
}

proptest! {
    #[test]
    fn no_damaged_file_panics(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        head in 0..200usize,
        keep in any::<prop::sample::Index>(),
        cut: bool,
    ) {
        let mut model = model(&charsmap());
        for (place, byte) in changes {
            let place = place.index(model.len());
            model[if byte % 2 == 0 { place } else { place.min(head) }] = byte;
        }
        if cut {
            model.truncate(keep.index(model.len()));
        }
        if let Ok(tokenizer) = T5Tokenizer::from_spiece(&model) {
            tokenizer.encode("AB ab zA\u{301} <extra_id_3> é", 20).unwrap();
        }
    }
}
