//! Tag schemes: sentences of tags that look like those of a scheme. What is recognized is written in every scheme and read again.
#![no_main]

use arbitrary::Arbitrary;
use datasets::read::Format;
use hyperloader_fuzz::reading::{check_bytes, options};

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    options: [u8; 2],
    sentences: Vec<Vec<Tag<'a>>>,
}

#[derive(Arbitrary, Debug)]
enum Tag<'a> {
    Outside,
    /// A letter and a type.
    Marked(u8, u8),
    Bare(u8),
    /// The type first.
    Turned(u8, u8),
    Any(&'a str),
}

const LETTERS: [&str; 9] = ["B", "I", "E", "S", "L", "U", "M", "W", "b"];
const TYPES: [&str; 7] = ["x", "y", "PER", "O", "I", "B-x", "é"];

impl Tag<'_> {
    fn text(&self) -> String {
        let letter = |index: &u8| LETTERS[usize::from(*index) % LETTERS.len()];
        let kind = |index: &u8| TYPES[usize::from(*index) % TYPES.len()];
        match self {
            Self::Outside => "O".to_owned(),
            Self::Marked(mark, index) => format!("{}-{}", letter(mark), kind(index)),
            Self::Bare(index) => kind(index).to_owned(),
            Self::Turned(mark, index) => format!("{}-{}", kind(index), letter(mark)),
            Self::Any(text) => (*text).to_owned(),
        }
    }
}

libfuzzer_sys::fuzz_target!(|input: Input<'_>| {
    let line = |tags: &Vec<Tag<'_>>| {
        let tags: Vec<String> = tags.iter().map(Tag::text).collect();
        serde_json::json!({"tokens": vec!["t"; tags.len()], "tags": tags}).to_string() + "\n"
    };
    let bytes: String = input.sentences.iter().map(line).collect();
    check_bytes(bytes.as_bytes(), Format::Jsonl, &options(input.options));
});
