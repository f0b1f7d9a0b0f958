//! The cache returns exactly the sentences that encoding returns.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

use datasets::encode::Pairs;
use datasets::read::{Format, OnBadLine, write};
use datasets::tokenizer::{T5Tokenizer, TrainOptions, train_unigram};
use datasets::{Dataset, Example};
use proptest::prelude::*;

use super::{Cache, SplitName};
use crate::config::{Config, TaskConfig};

fn tokenizer(kept: &str) -> T5Tokenizer {
    let options = TrainOptions { vocab_size: 150, keep_words: vec![kept.to_owned()] };
    train_unigram(["flights to rome", "from oslo to rome today", "a city in the north"], &options).unwrap()
}

struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        home.write(&[Example::new(["to", "rome"], ["O", "B-city"]), Example::new(["today"], ["O"])]);
        home
    }

    fn data(&self) -> PathBuf {
        self.0.path().join("train.bio")
    }

    fn folder(&self) -> PathBuf {
        self.0.path().join("cache")
    }

    fn write(&self, examples: &[Example]) {
        write(&Dataset::from_examples(examples.to_vec()), self.data(), Format::Bio).unwrap();
    }

    fn config(&self) -> Config {
        let mut config = Config { tasks: vec![TaskConfig::new("t", self.data())], ..Config::default() };
        config.data.cache_dir = Some(self.folder());
        config
    }

    fn files(&self) -> Vec<PathBuf> {
        fs::read_dir(self.folder()).map_or(Vec::new(), |files| files.map(|file| file.unwrap().path()).collect())
    }
}

/// The sentences of the first task through the cache, and what was noted.
fn load(config: &Config, tokenizer: &T5Tokenizer) -> (Pairs, Vec<String>) {
    let cache = Cache::open(config.data.encoded_folder().unwrap(), tokenizer).unwrap();
    let corpus = config.corpus(&config.tasks[0]).unwrap();
    let mut notes = Vec::new();
    let encoded = corpus.load_cached(SplitName::Train, tokenizer, &cache, |note| notes.push(note.to_owned())).unwrap();
    (encoded.pairs, notes)
}

fn fresh(config: &Config, tokenizer: &T5Tokenizer) -> Pairs {
    config.corpus(&config.tasks[0]).unwrap().load(SplitName::Train, tokenizer).unwrap().pairs
}

#[test]
fn the_second_time_comes_from_the_file() {
    let (home, tokenizer) = (Home::new(), tokenizer("city"));
    let first = load(&home.config(), &tokenizer);
    let files = home.files();
    assert_eq!(files.len(), 1);
    // A file of other sentences under the right name shows where the second ones come from.
    let other: Pairs = first.0.iter().take(1).collect();
    let bytes = other.to_parquet().unwrap();
    let key = files[0].file_name().unwrap().to_str().unwrap()[..64].to_owned();
    fs::remove_file(&files[0]).unwrap();
    let digest = crate::files::hexadecimal(&<sha2::Sha256 as sha2::Digest>::digest(&bytes));
    fs::write(home.folder().join(format!("{key}-{digest}.parquet")), bytes).unwrap();
    assert_eq!(load(&home.config(), &tokenizer), (other, Vec::new()));
}

#[test]
fn any_change_of_content_tokenizer_or_options_misses() {
    let (home, usual) = (Home::new(), tokenizer("city"));
    let mut seen = 0;
    let mut misses = |config: &Config, tokenizer: &T5Tokenizer, what: &str| {
        assert_eq!(load(config, tokenizer).0, fresh(config, tokenizer), "{what}");
        seen += 1;
        assert_eq!(home.files().len(), seen, "{what}");
    };
    misses(&home.config(), &usual, "nothing yet");
    misses(&home.config(), &tokenizer("north"), "another tokenizer");
    type Change = fn(&mut Config);
    let changes: [(&str, Change); 7] = [
        ("source length", |c| c.data.max_source_length = 4.try_into().unwrap()),
        ("target length", |c| c.data.max_target_length = 4.try_into().unwrap()),
        ("fraction", |c| c.data.fraction = 0.5),
        ("seed of the fraction", |c| (c.data.fraction, c.seed) = (0.5, 7)),
        ("prefix", |c| c.tasks[0].prefix = Some("north".to_owned())),
        ("tag map", |c| _ = c.tasks[0].tag_map.insert("ci*".to_owned(), "place".to_owned())),
        ("tag words", |c| _ = c.tasks[0].tag_words.insert("city".to_owned(), "oslo".to_owned())),
    ];
    for (what, change) in changes {
        let mut config = home.config();
        change(&mut config);
        misses(&config, &usual, what);
    }
    home.write(&[Example::new(["to", "oslo"], ["O", "B-city"])]);
    misses(&home.config(), &usual, "the data");
    let mut config = home.config();
    config.tasks[0].format = Some(Format::Bio);
    misses(&config, &usual, "the format, said");
}

#[test]
fn every_split_has_the_new_types_and_a_rule_for_no_type_is_refused() {
    let home = Home::new();
    home.write(&[Example::new(["oslo", "rome", "now"], ["B-place/from", "B-place/to", "B-time"])]);
    let mut config = home.config();
    (config.tasks[0].validation, config.tasks[0].test) = (Some(home.data()), Some(home.data()));
    config.tasks[0].tag_map.insert("place/*".to_owned(), "place".to_owned());
    let corpus = config.corpus(&config.tasks[0]).unwrap();
    for split in [SplitName::Train, SplitName::Validation, SplitName::Test] {
        let (examples, _) = corpus.read(split).unwrap();
        assert_eq!(examples[0].tags, ["B-place", "B-place", "B-time"], "{split}");
    }
    assert_eq!(corpus.tags().unwrap(), ["place", "time"]);

    config.tasks[0].tag_map.insert("plaec/to".to_owned(), "place".to_owned());
    let corpus = config.corpus(&config.tasks[0]).unwrap();
    let error = corpus.read(SplitName::Train).unwrap_err().to_string();
    assert!(error.contains("tasks.0.tag_map") && error.contains("did you mean `place/to`?"), "{error}");
    // A type that only training has is no mistake.
    corpus.read(SplitName::Test).unwrap();
}

#[test]
fn a_seed_that_draws_nothing_and_a_copy_elsewhere_hit() {
    let (home, tokenizer) = (Home::new(), tokenizer("city"));
    load(&home.config(), &tokenizer);
    let mut config = home.config();
    config.seed = 8;
    config.tasks[0].name = "other".to_owned();
    config.tasks[0].train = home.0.path().join("copy.bio");
    fs::copy(home.data(), &config.tasks[0].train).unwrap();
    load(&config, &tokenizer);
    assert_eq!(home.files().len(), 1);
}

#[test]
fn a_damaged_file_is_noted_and_made_again() {
    let (home, tokenizer) = (Home::new(), tokenizer("city"));
    let (pairs, _) = load(&home.config(), &tokenizer);
    let file = home.files().remove(0);
    let whole = fs::read(&file).unwrap();
    let flip = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    let damages =
        [Vec::new(), whole[..whole.len() - 1].to_vec(), flip(0), flip(whole.len() / 2), flip(whole.len() - 5)];
    for damage in damages {
        fs::write(&file, damage).unwrap();
        let (again, notes) = load(&home.config(), &tokenizer);
        assert_eq!(again, pairs);
        assert!(notes.len() == 1 && notes[0].contains(".parquet") && notes[0].contains("damaged"), "{notes:?}");
        assert_eq!(fs::read(&file).unwrap(), whole, "it was made again");
        assert_eq!(load(&home.config(), &tokenizer), (pairs.clone(), Vec::new()));
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_noted_and_ends_nothing() {
    let (home, tokenizer) = (Home::new(), tokenizer("city"));
    fs::write(home.folder(), "a file where the folder should be").unwrap();
    let (pairs, notes) = load(&home.config(), &tokenizer);
    assert_eq!(pairs, fresh(&home.config(), &tokenizer));
    assert!(notes.len() == 1 && notes[0].contains("not kept"), "{notes:?}");
}

#[test]
fn turned_off_there_is_none_and_bad_lines_are_counted_every_time() {
    let (home, tokenizer) = (Home::new(), tokenizer("city"));
    let mut config = home.config();
    config.data.cache = false;
    assert!(config.data.encoded_folder().is_none());
    config.data.cache = true;
    config.data.on_bad_line = OnBadLine::Skip;
    fs::write(home.data(), "O\tto\nB-city\trome\n\nB-\tbad\n\n").unwrap();
    let corpus = config.corpus(&config.tasks[0]).unwrap();
    let cache = Cache::open(home.folder(), &tokenizer).unwrap();
    for _ in 0..2 {
        let encoded = corpus.load_cached(SplitName::Train, &tokenizer, &cache, |_| {}).unwrap();
        assert_eq!((encoded.pairs.len(), encoded.skipped), (1, 1));
    }
}

#[test]
fn writers_at_the_same_time_leave_one_whole_file() {
    let (home, tokenizer) = (Home::new(), tokenizer("city"));
    let expected = fresh(&home.config(), &tokenizer);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(load(&home.config(), &tokenizer), (expected.clone(), Vec::new())));
        }
    });
    assert_eq!(home.files().len(), 1, "no leftovers");
}

fn sentence() -> impl Strategy<Value = Example> {
    let tag = prop::sample::select(vec!["O", "B-city", "I-city"]);
    prop::collection::vec(("[a-z]{1,9}", tag), 1..12).prop_map(|pairs| {
        let (words, tags): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        Example::new(words, tags)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_hit_is_what_encoding_gives(
        examples in prop::collection::vec(sentence(), 1..20),
        lengths in (1..40usize, 1..40usize),
    ) {
        let (home, tokenizer) = (Home::new(), tokenizer("city"));
        home.write(&examples);
        let mut config = home.config();
        config.data.max_source_length = lengths.0.try_into().unwrap();
        config.data.max_target_length = lengths.1.try_into().unwrap();
        let expected = (fresh(&config, &tokenizer), Vec::new());
        prop_assert_eq!(load(&config, &tokenizer), expected.clone());
        prop_assert!(Path::new(&home.files()[0]).is_file());
        prop_assert_eq!(load(&config, &tokenizer), expected);
    }
}
