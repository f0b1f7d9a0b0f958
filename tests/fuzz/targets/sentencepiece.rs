//! Sentencepiece models: any bytes, and models of pieces; then text goes through the tokenizer.
#![no_main]

use arbitrary::Arbitrary;
use datasets::tokenizer::{DecodeOptions, T5Tokenizer};
use hyperloader_fuzz::limits::bounded;
use hyperloader_fuzz::proto::{SPECIAL, bytes, integer, sentencepiece};

#[derive(Arbitrary, Debug)]
enum Input<'a> {
    Any(&'a str, &'a [u8]),
    Pieces { pieces: Vec<(&'a str, f32, i8)>, special: bool, model: Option<i8>, more: &'a [u8], text: &'a str },
}

libfuzzer_sys::fuzz_target!(|input: Input<'_>| {
    let (file, text) = match input {
        Input::Any(text, file) => (file.to_vec(), text),
        Input::Pieces { pieces, special, model, more, text } => {
            let special = SPECIAL.into_iter().filter(|_| special);
            let pieces = pieces.into_iter().map(|(text, score, kind)| (text, score, i32::from(kind)));
            let mut file = sentencepiece(special.chain(pieces), None);
            if let Some(model) = model {
                let mut trainer = Vec::new();
                integer(&mut trainer, 3, model.into());
                bytes(&mut file, 2, &trainer);
            }
            file.extend(more);
            (file, text)
        }
    };
    bounded(file.len() + text.len(), || {
        if let Ok(tokenizer) = T5Tokenizer::from_spiece(&file) {
            let ids = tokenizer.encode(text, 1 << 20).expect("any text can be encoded");
            assert!(ids.ids.iter().all(|id| (*id as usize) < tokenizer.vocab_size()));
            let _ = tokenizer.decode(&ids.ids, DecodeOptions::default()).expect("its ids are known");
        }
    });
});
