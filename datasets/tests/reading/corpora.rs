//! The corpora of the paper, if they are in `shared/`: their sizes, and that no line is bad.

use datasets::labels::{self, TagSet};
use datasets::read::{Format, ReadOptions, read};

use crate::shared;

/// Reads the three splits strictly: a bad line is an error.
fn has_sizes(folder: &str, splits: [&str; 3], format: Format, sizes: [usize; 3]) {
    let Some(folder) = shared(&format!("data/{folder}")) else {
        return;
    };
    for (split, size) in splits.into_iter().zip(sizes) {
        let dataset = read(folder.join(split), &ReadOptions::default()).unwrap();
        assert_eq!(dataset.examples.len(), size, "{split}");
        assert_eq!(dataset.origin.unwrap().format, format);
        TagSet::of(&dataset.examples).unwrap();
        for example in &dataset.examples {
            labels::simplify(&example.tags).unwrap();
        }
    }
}

#[test]
fn mit_movie_trivia() {
    let splits = ["trivia10k13train.bio", "trivia10k13valid.bio", "trivia10k13test.bio"];
    has_sizes("mit_movie_trivia", splits, Format::Bio, [7034, 782, 1953]);
}

#[test]
fn mit_movie() {
    has_sizes("mit_movie", ["engtrain.bio", "engvalid.bio", "engtest.bio"], Format::Bio, [8797, 978, 2443]);
}

#[test]
fn mit_restaurant() {
    let splits = ["restauranttrain.bio", "restaurantvalid.bio", "restauranttest.bio"];
    has_sizes("mit_restaurant", splits, Format::Bio, [6894, 766, 1521]);
}

#[test]
fn atis() {
    has_sizes("atis", ["train", "valid", "test"], Format::Seq, [4478, 500, 893]);
}

#[test]
fn snips() {
    has_sizes("snips", ["train", "valid", "test"], Format::Seq, [13084, 700, 700]);
}

#[test]
fn mtod() {
    let splits = ["en/train-en.tsv", "en/eval-en.tsv", "en/test-en.tsv"];
    has_sizes("mtod", splits, Format::Mtod, [30521, 4181, 8621]);
}
