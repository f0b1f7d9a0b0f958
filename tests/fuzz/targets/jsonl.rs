//! JSON Lines.
#![no_main]

use datasets::read::Format;
use hyperloader_fuzz::reading::{check_bytes, options};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Some((selector, bytes)) = data.split_first_chunk() {
        check_bytes(bytes, Format::Jsonl, &options(*selector));
    }
});
