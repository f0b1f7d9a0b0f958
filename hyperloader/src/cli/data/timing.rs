//! `data tokenize PATH --timing`: the time from a file to batches.

use std::fmt;
use std::hint::black_box;
use std::time::Instant;

use datasets::encode::{EncodeOptions, Pairs, collate, encode_all};
use datasets::labels::simplify;
use datasets::read::{OnBadLine, files_of, read};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::source;
use crate::cli::args::TokenizeArgs;
use crate::{Error, Result};

/// Sentences of a batch.
const BATCH: usize = 32;

/// The time from a file to batches, in milliseconds.
#[derive(Debug, Serialize)]
pub(super) struct Timing {
    sentences: usize,
    /// Source and target ids, without padding.
    ids: usize,
    /// Ids of the batches, with padding.
    padded_ids: usize,
    threads: usize,
    /// Reading the tokenizer, which is not part of the total.
    tokenizer_ms: f64,
    read_ms: f64,
    encode_ms: f64,
    /// Sorting by length and padding batches of 32.
    bucket_ms: f64,
    /// Reading, encoding and bucketing.
    total_ms: f64,
    /// Replaces reading and encoding if the cache has the sentences: hashing the data, checking and reading the cached ids.
    /// Without access to the disk.
    cached_ms: f64,
}

impl Timing {
    /// Measures all steps once, as a run does them, and then the steps with cached ids.
    ///
    /// # Errors
    /// Those of reading and encoding.
    pub(super) fn of(args: &TokenizeArgs, encoding: &EncodeOptions) -> Result<Self> {
        let (tokenizer_ms, tokenizer) = timed(|| source::tokenizer(&args.tokenizer))?;
        let reading = args.source.options(OnBadLine::Fail, args.tags.scheme);
        let (read_ms, dataset) = timed(|| Ok(read(&args.source.path, &reading)?))?;
        let (encode_ms, pairs) = timed(|| -> Result<Pairs> {
            let pairs = encode_all(&tokenizer, encoding, &dataset.examples, |example| simplify(&example.tags))?;
            Ok(pairs.iter().collect())
        })?;
        let (bucket_ms, padded_ids) = timed(|| Ok(bucket(&pairs, tokenizer.pad_id())))?;
        let cached = pairs.to_parquet()?;
        let (cached_ms, again) = timed(|| {
            for file in files_of(&args.source.path, &reading) {
                let bytes = std::fs::read(&file).map_err(|e| Error::io(&file, e))?;
                black_box(Sha256::digest(&bytes));
            }
            black_box(Sha256::digest(&cached));
            Ok(Pairs::from_parquet(&cached)?)
        })?;
        Ok(Self {
            sentences: again.len(),
            ids: again.iter().map(|pair| pair.source.len() + pair.target.len()).sum(),
            padded_ids,
            threads: rayon::current_num_threads(),
            tokenizer_ms,
            read_ms,
            encode_ms,
            bucket_ms,
            total_ms: read_ms + encode_ms + bucket_ms,
            cached_ms,
        })
    }
}

fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(f64, T)> {
    let start = Instant::now();
    let value = work()?;
    Ok((start.elapsed().as_secs_f64() * 1e3, value))
}

/// Makes all batches, of sentences of similar length, and returns the number of their ids.
fn bucket(pairs: &Pairs, pad: u32) -> usize {
    let mut sorted: Vec<_> = pairs.iter().collect();
    sorted.sort_by_key(|pair| pair.source.len() + pair.target.len());
    let ids = |batch: datasets::encode::Batch| black_box(batch.source).len() + black_box(batch.target).len();
    sorted.chunks(BATCH).map(|batch| ids(collate(batch, pad))).sum()
}

impl fmt::Display for Timing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sentences, ids, padded_ids, threads, .. } = self;
        writeln!(f, "{sentences} sentences, {ids} ids, {padded_ids} in padded batches of {BATCH}; {threads} threads")?;
        writeln!(f, "tokenizer   {:>8.1} ms", self.tokenizer_ms)?;
        writeln!(f, "read        {:>8.1} ms", self.read_ms)?;
        writeln!(f, "encode      {:>8.1} ms", self.encode_ms)?;
        writeln!(f, "bucket      {:>8.1} ms", self.bucket_ms)?;
        writeln!(f, "total       {:>8.1} ms (read, encode, bucket)", self.total_ms)?;
        writeln!(f, "from cache  {:>8.1} ms (instead of read and encode)", self.cached_ms)
    }
}
