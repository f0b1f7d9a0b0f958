//! The corpora of the paper: their sizes, that no line is bad, and that `data inspect` reports the same.

use std::path::Path;
use std::process::Command;

use datasets::labels::{self, TagSet};
use datasets::read::{Format, ReadOptions, read};
use libtest_mimic::Trial;
use peft_tests::golden::trial;

use crate::AS_COMMAND;

/// A corpus: its folder in `data/`, its three splits, their format and sizes.
struct Corpus {
    folder: &'static str,
    splits: [&'static str; 3],
    format: Format,
    sizes: [usize; 3],
}

const CORPORA: [Corpus; 6] = [
    Corpus {
        folder: "data/mit_movie_trivia",
        splits: ["trivia10k13train.bio", "trivia10k13valid.bio", "trivia10k13test.bio"],
        format: Format::Bio,
        sizes: [7034, 782, 1953],
    },
    Corpus {
        folder: "data/mit_movie",
        splits: ["engtrain.bio", "engvalid.bio", "engtest.bio"],
        format: Format::Bio,
        sizes: [8797, 978, 2443],
    },
    Corpus {
        folder: "data/mit_restaurant",
        splits: ["restauranttrain.bio", "restaurantvalid.bio", "restauranttest.bio"],
        format: Format::Bio,
        sizes: [6894, 766, 1521],
    },
    Corpus { folder: "data/atis", splits: ["train", "valid", "test"], format: Format::Seq, sizes: [4478, 500, 893] },
    Corpus { folder: "data/snips", splits: ["train", "valid", "test"], format: Format::Seq, sizes: [13084, 700, 700] },
    Corpus {
        folder: "data/mtod",
        splits: ["en/train-en.tsv", "en/eval-en.tsv", "en/test-en.tsv"],
        format: Format::Mtod,
        sizes: [30521, 4181, 8621],
    },
];

/// The tests of this file, one a corpus and one a file to inspect.
pub(crate) fn trials() -> Vec<Trial> {
    let sizes = CORPORA.into_iter().map(|corpus| {
        let name = format!("corpora::{}", corpus.folder.trim_start_matches("data/"));
        trial(&name, [corpus.folder], move |[folder]| has_its_sizes(&corpus, &folder))
    });
    let inspected = [
        ("data/atis/train", "seq", 4478),
        ("data/snips/test", "seq", 700),
        ("data/mit_movie/engtest.bio", "bio", 2443),
        ("data/mtod/en/eval-en.tsv", "mtod", 4181),
    ];
    let inspected = inspected.into_iter().map(|(path, format, sentences)| {
        let name = format!("corpora::inspect::{}", path.trim_start_matches("data/"));
        trial(&name, [path, "tokenizer/t5"], move |paths| is_inspected(&paths, format, sentences))
    });
    sizes.chain(inspected).collect()
}

/// Reads the three splits strictly: a bad line is an error.
fn has_its_sizes(corpus: &Corpus, folder: &Path) {
    for (split, size) in corpus.splits.into_iter().zip(corpus.sizes) {
        let dataset = read(folder.join(split), &ReadOptions::default()).unwrap();
        assert_eq!(dataset.examples.len(), size, "{split}");
        assert_eq!(dataset.origin.unwrap().format, corpus.format);
        TagSet::of(&dataset.examples).unwrap();
        for example in &dataset.examples {
            labels::simplify(&example.tags).unwrap();
        }
    }
}

fn is_inspected([corpus, tokenizer]: &[std::path::PathBuf; 2], format: &str, sentences: usize) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(AS_COMMAND, "1").args(["data", "inspect", "--json"]).arg(corpus).arg("--tokenizer").arg(tokenizer);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["format"], &json["sentences"]), (&format.into(), &sentences.into()), "{}", corpus.display());
}
