//! A file whose format has to be found, under any of the usual names.
#![no_main]

use hyperloader_fuzz::reading::{check_path, options};
use hyperloader_fuzz::scratch;

const NAMES: [&str; 10] = [
    "data",
    "data.txt",
    "data.bio",
    "data.conll",
    "data.tsv",
    "data.json",
    "data.jsonl",
    "data.csv",
    "data.jsonl.gz",
    "data.json.zst",
];

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let [name, selector, bytes @ ..] = data else { return };
    let name = NAMES[usize::from(*name) % NAMES.len()];
    let folder = scratch::folder();
    scratch::put(&folder, name, bytes);
    check_path(&folder.path().join(name), bytes.len(), &options(*selector));
});
