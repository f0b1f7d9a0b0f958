//! Parquet: a table that was written, with bytes changed or cut off.
#![no_main]

use arbitrary::Arbitrary;
use datasets::read::Format;
use hyperloader_fuzz::limits::allow_caught_panics;
use hyperloader_fuzz::parquet::Damaged;
use hyperloader_fuzz::reading::{check_bytes, options};

#[derive(Arbitrary, Debug)]
struct Input {
    selector: [u8; 2],
    table: Damaged,
}

libfuzzer_sys::fuzz_target!(init: allow_caught_panics(), |input: Input| {
    check_bytes(&input.table.bytes(), Format::Parquet, &options(input.selector));
});
