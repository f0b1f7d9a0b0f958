//! mTOD and mTOP: any bytes, and lines with some wrong bytes in the right columns.
#![no_main]

use arbitrary::Arbitrary;
use datasets::read::Format;
use hyperloader_fuzz::reading::{check_bytes, options};

#[derive(Arbitrary, Debug)]
enum Input {
    Any { mtop: bool, selector: [u8; 2], bytes: Vec<u8> },
    Lines { mtop: bool, selector: [u8; 2], lines: Vec<Line>, changes: Vec<(u16, u8)> },
}

#[derive(Arbitrary, Debug)]
struct Line {
    slots: Vec<(u8, u8, String)>,
    utterance: String,
    tokens: Vec<(String, i8, u8)>,
    more: Option<String>,
}

impl Line {
    fn text(&self, mtop: bool) -> String {
        let slots: Vec<String> = self.slots.iter().map(|(from, to, name)| format!("{from}:{to}:SL:{name}")).collect();
        let mut start = 0;
        let (mut tokens, mut spans) = (Vec::new(), Vec::new());
        for (token, gap, length) in &self.tokens {
            start += i64::from(*gap);
            tokens.push(token.as_str());
            spans.push(serde_json::json!({"start": start, "length": length}));
            start += i64::from(*length);
        }
        let tokens = serde_json::json!({"tokens": tokens, "tokenSpans": spans});
        let (id, parse) = if mtop { ("id\t", "[IN:X ]\t") } else { ("", "") };
        let more = self.more.as_deref().unwrap_or_default();
        format!("{id}intent\t{}\t{}\tdomain\ten\t{parse}{tokens}{more}\n", slots.join(","), self.utterance)
    }
}

libfuzzer_sys::fuzz_target!(|input: Input| {
    let (mtop, selector, bytes) = match input {
        Input::Any { mtop, selector, bytes } => (mtop, selector, bytes),
        Input::Lines { mtop, selector, lines, changes } => {
            let mut bytes = lines.iter().map(|line| line.text(mtop)).collect::<String>().into_bytes();
            for (at, byte) in changes.iter().filter(|_| !lines.is_empty()) {
                let length = bytes.len();
                bytes[usize::from(*at) % length] = *byte;
            }
            (mtop, selector, bytes)
        }
    };
    check_bytes(&bytes, if mtop { Format::Mtop } else { Format::Mtod }, &options(selector));
});
