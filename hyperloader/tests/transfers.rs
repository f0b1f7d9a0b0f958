//! How often values cross between the host and the device in a training step and in decoding, and how many bytes.
//!
//! At each crossing the host waits for the device, so their number must be small, and the same for any number of layers and words. All code
//! that runs here crosses through `peft_kernels::transfer`, which counts on the CPU too: clippy's `disallowed_methods` refuses every other
//! way. The counters belong to the process, so this is one test in a process of its own. The kernels are those of a GPU, on the CPU.
//!
//! Dropout is off: without a GPU its masks are made on the host and uploaded, one for each layer.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use std::num::NonZeroUsize;

use hyperloader::optim::{AdamWConfig, Schedule};
use hyperloader::prelude::*;
use hyperloader::run::RunDir;
use hyperloader::telemetry::Telemetry;
use hyperloader::train::{Loss, Objective, Ranks, Score, Step, TrainOptions, Trainer};
use hyperloader::{Result, optim::ScheduleKind};
use peft_core::ActiveAdapters;
use peft_kernels::Kernels;
use peft_kernels::transfer::Transfers;
use peft_t5::decode::{GenerationConfig, Source, TagDecoder, generate};
use peft_t5::{Encoded, preset};

const SOURCES: [&[u32]; 3] = [&[7, 30, 12, 55, 8, 1], &[40, 41, 9, 1], &[22, 3, 3, 17, 1]];
const TARGETS: [&[u32]; 3] = [&[11, 5, 33, 2, 9, 1], &[6, 48, 1], &[19, 20, 21, 22, 1]];
/// Target tokens of each sentence when all of them are written to the end: no sentence is shorter.
const TOKENS: u64 = 9;

fn at_least_one(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).unwrap()
}

/// LoRA and adapters from a hypernetwork in a T5 with so many layers and words, whose norms train.
fn model(layers: usize, words: usize) -> PeftModel<T5> {
    let mut config = preset("t5-small").unwrap();
    (config.vocab_size, config.d_model, config.d_kv, config.d_ff, config.num_heads) = (words, 16, 4, 24, 3);
    (config.num_layers, config.num_decoder_layers, config.dropout_rate) = (layers, layers, 0.);
    // A word that is never the likeliest with these weights: no sentence ends early.
    config.eos_token_id = 2;
    PeftModel::builder(T5::random(&config, 7).unwrap())
        .method(LoraConfig::new(2).target_modules(["q", "v"]))
        .method(BottleneckConfig::new(4.))
        .tasks(["one", "two"])
        .generator(HyperConfig::default())
        .train_backbone(|name| Trainable::Norms.covers(name))
        .build()
        .unwrap()
}

/// The transfers of `work`.
fn counted<T>(work: impl FnOnce() -> T) -> (T, Transfers) {
    let before = Transfers::so_far();
    (work(), Transfers::since(&before))
}

/// Always the same sentences.
struct Fixed<'a>(&'a PeftModel<T5>);

impl Objective for Fixed<'_> {
    type MicroBatch = ();

    fn next_step(&mut self, micro_batches: NonZeroUsize) -> Result<Step<()>> {
        Ok(Step { name: None, micro_batches: vec![(); micro_batches.get()] })
    }

    fn loss(&self, (): (), ctx: &mut Ctx) -> Result<Loss> {
        let batch = T5Batch::new(&SOURCES, &TARGETS, 0, &Device::Cpu)?;
        let tokens = batch.label_tokens;
        Ok(Loss { value: self.0.loss(&batch, 1, ctx)?, tokens })
    }

    fn probes(&mut self, ctx: &mut Ctx) -> Result<Vec<Tensor>> {
        Ok(vec![self.loss((), ctx)?.value])
    }

    fn validate(&self, _ranks: &Ranks) -> Result<Option<Score>> {
        Ok(None)
    }

    fn state(&self) -> Result<serde_json::Value> {
        Ok(serde_json::Value::Null)
    }

    fn restore(&mut self, _state: serde_json::Value) -> Result<()> {
        Ok(())
    }
}

/// The transfers of a run of so many steps, its checkpoint included.
fn run(layers: usize, steps: usize, micro_batches: usize) -> Transfers {
    let folder = tempfile::tempdir().unwrap();
    let model = model(layers, 60);
    let options = TrainOptions {
        max_steps: steps,
        gradient_accumulation_steps: at_least_one(micro_batches),
        schedule: Schedule { kind: ScheduleKind::Constant, peak: 1e-3, warmup_steps: 0, total_steps: steps },
        optimizer: AdamWConfig::default(),
        // So that the gradients are scaled.
        max_grad_norm: 1e-3,
        save_steps: 0,
        logging_steps: NonZeroUsize::MIN,
        kernels: Kernels::Device,
        ..TrainOptions::default()
    };
    let mut trainer = Trainer::new(model.store(), Fixed(&model), options, RunDir::new(folder.path())).unwrap();
    counted(|| trainer.run(&mut Telemetry::silent()).unwrap()).1
}

/// The transfers of one step: what a run with one step more has more.
fn step(layers: usize, micro_batches: usize) -> Transfers {
    run(layers, 4, micro_batches).after(&run(layers, 3, micro_batches))
}

trait After {
    fn after(&self, other: &Self) -> Self;
}

impl After for Transfers {
    fn after(&self, other: &Self) -> Self {
        Self {
            uploads: self.uploads - other.uploads,
            uploaded_bytes: self.uploaded_bytes - other.uploaded_bytes,
            downloads: self.downloads - other.downloads,
            downloaded_bytes: self.downloaded_bytes - other.downloaded_bytes,
        }
    }
}

/// A training step brings each micro-batch to the device, and reads losses and the gradients' norm back at its end.
fn a_training_step() {
    for layers in [2, 4] {
        for micro_batches in [1, 3] {
            let found = step(layers, micro_batches);
            let count = micro_batches as u64;
            // Sources and their mask, 3 rows of 6; labels, 3 rows of 6.
            let expected = Transfers {
                uploads: count,
                uploaded_bytes: count * (18 + 18 + 18) * 4,
                downloads: 1,
                downloaded_bytes: (1 + count) * 8,
            };
            assert_eq!(found, expected, "{layers} layers, {micro_batches} micro-batches");
        }
    }
}

/// What decoding works on.
struct Decoded<'a> {
    t5: &'a T5,
    encoded: Encoded,
    active: ActiveAdapters<'a>,
}

impl<'a> Decoded<'a> {
    fn new(model: &'a PeftModel<T5>) -> Self {
        let active = model.active(0).unwrap().detach();
        let t5 = model.backbone();
        let (encoded, found) =
            counted(|| t5.encode_packed(&SOURCES, &active, &mut Ctx::eval().with_kernels(Kernels::Device)).unwrap());
        // Sources and their mask.
        let expected = Transfers { uploads: 1, uploaded_bytes: (18 + 18) * 4, ..Transfers::default() };
        assert_eq!(found, expected, "the encoder");
        Self { t5, encoded, active }
    }

    fn source(&self) -> Source<'_> {
        Source::new(self.t5, &self.encoded, &self.active).with_kernels(Kernels::Device)
    }

    /// The transfers of `tokens` tokens of each sentence.
    fn generate(&self, tokens: u64, beams: usize) -> Transfers {
        let max_length = at_least_one(1 + tokens as usize);
        let config = GenerationConfig { max_length, num_beams: at_least_one(beams), ..GenerationConfig::default() };
        let (written, found) = counted(|| generate(&self.source(), &config).unwrap());
        let lengths: Vec<usize> = written.iter().map(Vec::len).collect();
        assert_eq!(lengths, vec![1 + tokens as usize; SOURCES.len()], "no sentence may end early");
        found
    }

    /// The transfers of structured decoding.
    fn label(&self, beams: usize) -> Transfers {
        let tags = [("a", vec![7]), ("b", vec![5, 6]), ("c", vec![5, 6, 9]), ("d", vec![5, 8])];
        let decoder = TagDecoder::new(self.t5, &tags, &[50, 51, 52, 53, 54, 55]).unwrap();
        counted(|| decoder.decode(&self.source(), &[5, 2, 3], beams).unwrap()).1
    }
}

/// Greedy search: the step goes up, one word of each sentence comes back.
fn greedy_decoding() {
    for (layers, words) in [(2, 60), (4, 60), (2, 600)] {
        let model = model(layers, words);
        let decoded = Decoded::new(&model);
        let (all, one_less) = (decoded.generate(TOKENS, 1), decoded.generate(TOKENS - 1, 1));
        let token = all.after(&one_less);
        // A token, its position, and its place in each of 3 heads, for each of 3 sentences.
        let expected = Transfers { uploads: 1, uploaded_bytes: 3 * 5 * 4, downloads: 1, downloaded_bytes: 3 * 4 };
        assert_eq!(token, expected, "{layers} layers, {words} words");
        // One more, at the start: the numbers of columns.
        assert_eq!((all.uploads, all.downloads), (1 + TOKENS, TOKENS), "{layers} layers, {words} words");
    }
}

/// Beam search: the step and the rows that go on go up, twice as many words and scores as there are beams come back for each hypothesis.
fn beam_search() {
    const BEAMS: u64 = 2;
    for (layers, words) in [(2, 60), (4, 60), (2, 600)] {
        let model = model(layers, words);
        let found = Decoded::new(&model).generate(TOKENS, BEAMS as usize);
        // At first there is one hypothesis of each sentence.
        let hypotheses = 3 + (TOKENS - 1) * 3 * BEAMS;
        let what = format!("{layers} layers, {words} words: {found:?}");
        assert_eq!((found.downloads, found.downloaded_bytes), (TOKENS, hypotheses * 2 * (2 * BEAMS) * 4), "{what}");
        assert!((2 + TOKENS..=1 + 2 * TOKENS).contains(&found.uploads), "{what}");
    }
}

/// Structured decoding: each pass goes up, the scores of the tags' tokens come back where there is a choice.
fn structured_decoding() {
    for (layers, words) in [(2, 60), (4, 60), (2, 600)] {
        let model = model(layers, words);
        let decoded = Decoded::new(&model);
        // The tokens of the tags, and the sentinels, because one tag begins another.
        let candidates = 5 + 6;
        let most_read = 16;
        let greedy = decoded.label(1);
        let what = format!("{layers} layers, {words} words: {greedy:?}");
        assert_eq!(greedy.uploads, 1 + greedy.downloads, "{what}");
        // The longest sentence has five words of up to three choices.
        assert!((1..=15).contains(&greedy.downloads), "{what}");
        assert!(greedy.downloaded_bytes <= greedy.downloads * most_read * candidates * 4, "{what}");
        let beams = decoded.label(2);
        let what = format!("{layers} layers, {words} words: {beams:?}");
        // After each of five words the rows of hypotheses may change places.
        assert!((1 + beams.downloads..=6 + beams.downloads).contains(&beams.uploads), "{what}");
        assert!(beams.downloaded_bytes <= beams.downloads * most_read * candidates * 4, "{what}");
    }
}

#[test]
fn transfers_do_not_grow_with_layers_or_words() {
    a_training_step();
    greedy_decoding();
    beam_search();
    structured_decoding();
}
