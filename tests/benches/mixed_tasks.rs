//! What it costs to label sentences of several tasks of one HyperLoader, in two ways, on a T5 of t5-small's shape.
//!
//! - `folded`: one batch a task, with the weights of the task merged into the backbone; in f32 and with linear maps of eight bits.
//! - `by row`: one batch of all tasks, in which each row has the weights of its task, next to the backbone.
//!
//! `cargo bench -p peft-tests --bench mixed_tasks` prints a table: sentences a second, medians. `PEFT_BENCH_ROUNDS` sets the rounds (7).
//! Weights are generated before the clock starts. All tasks have the same tags, and the sentences are random tokens.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark")]

use std::time::Instant;

use hyperloader::prelude::*;
use peft_core::ActiveAdapters;
use peft_t5::decode::{Source, TagDecoder};

const TASKS: [&str; 3] = ["a", "b", "c"];
const WORDS: usize = 10;
/// Two tokens a word.
const LENGTH: usize = 2 * WORDS;
const TAGS: u32 = 21;
const SENTINELS: std::ops::Range<u32> = 32_000..32_100;

fn main() {
    let config: T5Config = serde_json::from_str(
        r#"{"vocab_size": 32128, "d_model": 512, "d_kv": 64, "d_ff": 2048, "num_layers": 6, "num_heads": 8}"#,
    )
    .unwrap();
    let model = PeftModel::builder(T5::random(&config, 0).unwrap())
        .method(LoraConfig::new(4).target_modules(["q", "v"]))
        .method(BottleneckConfig::par_bn())
        .tasks(TASKS)
        .generator(HyperConfig::default())
        .seed(1)
        .build()
        .unwrap();
    let t5 = model.backbone();
    let adapters = TASKS.map(|task| model.active(task).unwrap().detach());
    let merged = adapters.each_ref().map(|active| t5.merge(active).unwrap());
    let eight_bits: Vec<T5> = merged.iter().zip(&adapters).map(|(t5, active)| t5.quantize(active).unwrap()).collect();

    let rounds = std::env::var("PEFT_BENCH_ROUNDS").map_or(7, |rounds| rounds.parse().expect("a number"));
    println!("t5-small shape, {} tasks, {WORDS} words and {LENGTH} tokens a sentence, {rounds} rounds", TASKS.len());
    println!("{:>20} {:>14} {:>14} {:>14}", "sentences a task", "folded, f32", "folded, int8", "by row, f32");
    for each in [1, 4, 16, 32] {
        let sentences = sentences(each * TASKS.len());
        let by_task: Vec<Vec<&[u32]>> = (0..TASKS.len())
            .map(|task| sentences.iter().skip(task).step_by(TASKS.len()).map(Vec::as_slice).collect())
            .collect();
        let all: Vec<&[u32]> = sentences.iter().map(Vec::as_slice).collect();
        let rows: Vec<Option<usize>> = (0..all.len()).map(|row| Some(row % TASKS.len())).collect();
        let mixed = ActiveAdapters::by_row(&rows, &adapters).unwrap();

        let folded = |t5s: &[T5]| {
            for ((t5, active), sentences) in t5s.iter().zip(&adapters).zip(&by_task) {
                label(t5, active, sentences);
            }
        };
        let mut seconds = [const { Vec::new() }; 3];
        for _ in 0..rounds {
            seconds[0].push(time(|| folded(&merged)));
            seconds[1].push(time(|| folded(&eight_bits)));
            seconds[2].push(time(|| label(t5, &mixed, &all)));
        }
        let rate = seconds.map(|mut seconds| {
            seconds.sort_by(f64::total_cmp);
            all.len() as f64 / seconds[seconds.len() / 2]
        });
        println!("{each:>20} {:>14.1} {:>14.1} {:>14.1}", rate[0], rate[1], rate[2]);
    }
}

/// Random tokens.
fn sentences(count: usize) -> Vec<Vec<u32>> {
    let token = |i: usize| 100 + (i as u32).wrapping_mul(2_654_435_761) % 30_000;
    (0..count).map(|row| (0..LENGTH).map(|i| token(row * LENGTH + i)).collect()).collect()
}

/// Encodes and decodes sentences as one batch.
fn label(t5: &T5, active: &ActiveAdapters<'_>, sentences: &[&[u32]]) {
    let tags: Vec<(String, Vec<u32>)> = (0..TAGS).map(|tag| (tag.to_string(), vec![3 + tag % 3, 20 + tag])).collect();
    let sentinels: Vec<u32> = SENTINELS.rev().collect();
    let decoder = TagDecoder::new(t5, &tags, &sentinels).unwrap();
    let encoded = t5.encode_packed(sentences, active, &mut Ctx::eval()).unwrap();
    let found = decoder.decode(&Source::new(t5, &encoded, active), &vec![WORDS; sentences.len()], 1).unwrap();
    assert!(found.iter().all(|best| best[0].tags.len() == WORDS));
}

fn time(work: impl FnOnce()) -> f64 {
    let started = Instant::now();
    work();
    started.elapsed().as_secs_f64()
}
