//! What shares a batch with a sentence changes no bit of its answer.
#![allow(clippy::unwrap_used, reason = "tests")]

use candle_core::{DType, Device};
use datasets::encode::EncodeOptions;
use datasets::tokenizer::{T5Tokenizer, TrainOptions, train_unigram};
use peft_adapter::{BottleneckConfig, PrefixTuningConfig};
use peft_core::{PeftModel, PeftModelBuilder};
use peft_hyper::HyperdecoderConfig;
use peft_lora::LoraConfig;
use peft_t5::{T5, T5Config, Weights};

use super::{DecodeOptions, Decoding, LabelTask, Labeller, TaggedSentence};

const VOCABULARY: [&str; 12] =
    ["flights", "to", "rome", "from", "oslo", "today", "a", "city", "in", "the", "north", "wintertime"];

fn tokenizer() -> T5Tokenizer {
    let options = TrainOptions { vocab_size: 150, keep_words: ["O", "I", "city"].map(str::to_owned).to_vec() };
    train_unigram(["flights to rome", "from oslo to rome today", "a city in the north"], &options).unwrap()
}

/// Sentences of 1 to 17 words, and two longer ones. Some are so long that they are labelled in windows.
fn sentences() -> Vec<String> {
    let sentence = |(number, words): (usize, usize)| {
        let word = |i: usize| VOCABULARY[(i * i + 3 * i + 5 * number) % VOCABULARY.len()];
        (0..words).map(word).collect::<Vec<_>>().join(" ")
    };
    (1..18).chain([60, 33]).enumerate().map(sentence).collect()
}

/// A random T5 with the task "ner".
fn builder(tokenizer: &T5Tokenizer, dtype: DType) -> PeftModelBuilder<T5> {
    let json = format!(
        r#"{{"vocab_size": {}, "d_model": 64, "d_kv": 24, "d_ff": 160, "num_layers": 2, "num_heads": 2}}"#,
        tokenizer.vocab_size()
    );
    let config: T5Config = serde_json::from_str(&json).unwrap();
    let t5 = T5::new(&config, Weights::random(3).var_builder(dtype, &Device::Cpu)).unwrap();
    PeftModel::builder(t5).tasks(["ner"]).seed(4)
}

/// The model with other weights than the initial ones, with which most methods change nothing.
fn moved(model: PeftModel<T5>) -> PeftModel<T5> {
    for (i, (_, var)) in model.vars().into_iter().enumerate() {
        let numbers: Vec<f32> = (0..var.elem_count()).map(|k| ((k * 31 + i * 7 + 1) as f32).sin() / 12.).collect();
        let change = candle_core::Tensor::from_vec(numbers, var.shape(), &Device::Cpu).unwrap();
        var.set(&(var.as_tensor() + change).unwrap()).unwrap();
    }
    model
}

/// Labels every sentence alone, and then in batches of several sizes, in either order, on one thread and on two.
fn check(what: &str, model: &PeftModel<T5>, tokenizer: &T5Tokenizer, options: &DecodeOptions) {
    let encoding = EncodeOptions { max_source_length: 64, max_target_length: 48, ..EncodeOptions::default() };
    let task = LabelTask::new("ner", &["city"]).unwrap().encoding(encoding);
    let labeller =
        |batch_size| Labeller::new(model, tokenizer, task.clone(), &options.clone().batch_size(batch_size)).unwrap();
    let sentences = sentences();
    let alone: Vec<TaggedSentence> = sentences.iter().map(|s| labeller(1).label([s]).unwrap().remove(0)).collect();
    let windowed = alone.iter().filter(|sentence| sentence.windowed).count();
    assert!(windowed > 1 && windowed + 1 < alone.len(), "{what}: {windowed} of {} in windows", alone.len());
    if options.decoding == Decoding::Structured {
        let confidences: Vec<f32> = alone.iter().flat_map(|sentence| sentence.confidences.clone()).collect();
        assert!(confidences.iter().any(|c| (0.1..0.9).contains(c)), "{what}: nothing to compare in {confidences:?}");
    }
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        for batch_size in [3, 32] {
            let together = pool.install(|| labeller(batch_size).label(&sentences)).unwrap();
            let mut backwards = pool.install(|| labeller(batch_size).label(sentences.iter().rev())).unwrap();
            backwards.reverse();
            for found in [together, backwards] {
                for (found, alone) in found.iter().zip(&alone) {
                    assert_eq!(found, alone, "{what}, batches of {batch_size}, {threads} threads");
                }
            }
        }
    }
}

/// The ways to decode: greedily, the three best, freely, freely with beams.
fn ways() -> [(&'static str, DecodeOptions); 4] {
    let free = DecodeOptions::default().decoding(Decoding::Free).max_length(12);
    [
        ("greedy", DecodeOptions::default()),
        ("three best", DecodeOptions::default().num_beams(3)),
        ("free", free.clone()),
        ("free, beams", free.num_beams(2)),
    ]
}

#[test]
fn a_sentence_gets_the_same_bits_alone_and_in_every_batch_in_every_type() {
    let tokenizer = tokenizer();
    for (dtype, int8) in [(DType::F32, false), (DType::BF16, false), (DType::F32, true)] {
        let adapters = builder(&tokenizer, dtype).method(LoraConfig::new(4)).method(BottleneckConfig::par_bn());
        let model = moved(adapters.build().unwrap());
        for (way, options) in ways() {
            check(&format!("{dtype:?}, int8 {int8}, {way}"), &model, &tokenizer, &options.int8(int8));
        }
    }
}

#[test]
fn so_it_does_where_methods_need_padding() {
    let tokenizer = tokenizer();
    let prefixes = builder(&tokenizer, DType::F32).method(PrefixTuningConfig::new(3));
    let model = moved(prefixes.build().unwrap());
    for (way, options) in ways() {
        check(&format!("prefixes, {way}"), &model, &tokenizer, &options);
    }
}

#[test]
fn so_it_does_where_weights_are_generated_from_the_sentence() {
    let tokenizer = tokenizer();
    let generated = builder(&tokenizer, DType::F32)
        .method(LoraConfig::new(4))
        .method(BottleneckConfig::par_bn())
        .generator(HyperdecoderConfig::new());
    let model = moved(generated.build().unwrap());
    for (way, options) in ways() {
        check(&format!("hyperdecoder, {way}"), &model, &tokenizer, &options);
    }
}
