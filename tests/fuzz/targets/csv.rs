//! CSV.
#![no_main]

use datasets::read::Format;
use hyperloader_fuzz::limits::allow_caught_panics;
use hyperloader_fuzz::reading::{check_bytes, options};

libfuzzer_sys::fuzz_target!(init: allow_caught_panics(), |data: &[u8]| {
    if let Some((selector, bytes)) = data.split_first() {
        check_bytes(bytes, Format::Csv, &options(*selector));
    }
});
