//! A file whose format has to be found, under any of the usual names.
#![no_main]

use std::io::Read;

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

/// A compressed file may hold a thousand times its size, up to a limit that is far above that of this target: such files are left out.
const MOST_UNPACKED: u64 = 256 << 10;

/// How many bytes `bytes` are after decompression.
fn unpacked(bytes: &[u8]) -> Option<usize> {
    let mut content = Vec::new();
    // Damaged data count as far as they go.
    let _ = match bytes {
        [0x1f, 0x8b, ..] => flate2::read::MultiGzDecoder::new(bytes).take(MOST_UNPACKED).read_to_end(&mut content),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => match ruzstd::decoding::StreamingDecoder::new(bytes) {
            Ok(decoder) => decoder.take(MOST_UNPACKED).read_to_end(&mut content),
            Err(_) => Ok(0),
        },
        _ => Ok(0),
    };
    (content.len() as u64 != MOST_UNPACKED).then(|| content.len().max(bytes.len()))
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let [name, selector, scheme, bytes @ ..] = data else { return };
    let name = NAMES[usize::from(*name) % NAMES.len()];
    let Some(length) = unpacked(bytes) else { return };
    let folder = scratch::folder();
    scratch::put(&folder, name, bytes);
    check_path(&folder.path().join(name), length, &options([*selector, *scheme]));
});
