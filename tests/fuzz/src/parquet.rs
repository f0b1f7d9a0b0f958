//! Parquet files that were written, with bytes changed or cut off.

use arbitrary::Arbitrary;
use datasets::Example;
use datasets::read::{Dataset, Format, write};

use crate::scratch;

/// A table and its damage.
#[derive(Arbitrary, Debug)]
pub struct Damaged {
    sentences: Vec<Vec<(u8, u8)>>,
    /// Counted from the end, where the footer is.
    changes: Vec<(u16, u8)>,
    cut: Option<(u16, u16)>,
}

impl Damaged {
    /// The bytes of the file.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = table(&self.sentences);
        for (at, byte) in &self.changes {
            let length = bytes.len();
            bytes[length - 1 - usize::from(*at) % length] = *byte;
        }
        if let Some((from, count)) = self.cut {
            let from = usize::from(from) % bytes.len();
            let to = (from + usize::from(count)).min(bytes.len());
            bytes.drain(from..to);
        }
        bytes
    }
}

fn table(sentences: &[Vec<(u8, u8)>]) -> Vec<u8> {
    let sentence = |pairs: &Vec<(u8, u8)>| {
        let tags = pairs.iter().map(|(_, tag)| ["O", "B-x", "I-x", "B-y"][usize::from(*tag % 4)]);
        Example::new(pairs.iter().map(|(token, _)| format!("w{token}")), tags)
    };
    let examples = sentences.iter().filter(|pairs| !pairs.is_empty()).map(sentence).collect();
    let folder = scratch::folder();
    let path = folder.path().join("t.parquet");
    write(&Dataset::from_examples(examples), &path, Format::Parquet).expect("a table");
    std::fs::read(path).expect("a file")
}
