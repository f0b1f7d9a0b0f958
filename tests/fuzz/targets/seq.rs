//! A folder of `seq.in` and `seq.out`.
#![no_main]

use hyperloader_fuzz::reading::{check_path, options};
use hyperloader_fuzz::scratch;

libfuzzer_sys::fuzz_target!(|input: ([u8; 2], &[u8], &[u8])| {
    let (selector, tokens, tags) = input;
    let folder = scratch::folder();
    scratch::put(&folder, "seq.in", tokens);
    scratch::put(&folder, "seq.out", tags);
    check_path(folder.path(), tokens.len() + tags.len(), &options(selector));
});
