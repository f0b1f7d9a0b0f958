//! The hyperdecoder on T5: the encoder runs once, with its own adapters, and each sentence has decoder weights of its own.

use candle_core::{Device, Tensor};
use datasets::tokenizer::{T5Tokenizer, TrainOptions, train_unigram};
use hyperloader::compile::{CompileOptions, compile};
use hyperloader::config::Config;
use hyperloader::export::{ExportFormat, ExportOptions, export};
use hyperloader::label::{DecodeOptions, LabelTask, Labeller};
use hyperloader::model::Precision;
use hyperloader::optim::{AdamW, AdamWConfig, Gradients};
use hyperloader::run::RunDir;
use hyperloader::session::{RunOptions, Session, train};
use hyperloader::train::check_gradients;
use peft_core::{ActiveAdapters, Condition, Ctx, PeftModel, Stack};
use peft_t5::{T5, T5Batch};
use peft_tests::sentences::{batch, row, shift};

use super::models;

/// LoRA and adapters, in both stacks.
const METHODS: &str = r#"
[[peft]]
peft_type = "LORA"
r = 3
[[peft]]
peft_type = "BOTTLENECK"
reduction_factor = 4
mh_adapter = false
is_parallel = true
non_linearity = "relu"
ln_after = false
[generator]
generator = "hyperdecoder"
hidden_dim = 6
layer_embedding_dim = 3
"#;

/// A model whose variables are moved away from initial zeros.
fn model(trainable: &str, vocab_size: usize) -> PeftModel<T5> {
    let text = format!("[model]\ntrainable = {trainable:?}\n{METHODS}");
    let model = models::model(&text, &models::shape(16, vocab_size), 3);
    shift(model.vars(), 0.1);
    model
}

fn logits(model: &PeftModel<T5>, batch: &T5Batch, condition: Condition) -> Tensor {
    let ctx = &mut Ctx::eval();
    let active = model.prepare(batch, condition, ctx).unwrap().active;
    let encoded = model.backbone().encode(&batch.source, &batch.mask, &active, ctx).unwrap();
    let hidden = model.backbone().decode(&batch.labels, &encoded, &active, ctx).unwrap();
    model.backbone().logits(&hidden, &active, ctx).unwrap()
}

fn gap(a: &Tensor, b: &Tensor) -> f32 {
    (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar().unwrap()
}

fn scalar(loss: &Tensor) -> f32 {
    loss.to_scalar().unwrap()
}

#[test]
fn the_encoder_runs_once_with_its_own_adapters() {
    let (model, batch) = (model("none", 40), batch());
    let adapters = model.prepare(&batch, "one", &mut Ctx::eval()).unwrap();
    let seen = adapters.states(&Stack::ENCODER).expect("nothing acts in the encoder that did not act before");
    let encode = |active: &ActiveAdapters<'_>| {
        model.backbone().encode(&batch.source, &batch.mask, active, &mut Ctx::eval()).unwrap()
    };
    // What the generator saw is what the decoder reads, and not what the bare encoder puts out.
    assert_eq!(gap(seen.hidden(), encode(&adapters.active).hidden()), 0.);
    assert!(gap(seen.hidden(), encode(&ActiveAdapters::none()).hidden()) > 1e-3);
}

#[test]
fn a_mixed_batch_equals_its_sentences_alone_and_the_task_does_not_matter() {
    let model = model("none", 40);
    let mixed = logits(&model, &batch(), Condition::Rows(vec![1, 0, 1]));
    for (n, task) in [0, 1, 0].into_iter().enumerate() {
        let gap = gap(&mixed.narrow(0, n, 1).unwrap(), &logits(&model, &row(n), Condition::Task(task)));
        assert!(gap < 1e-5, "row {n}: {gap}");
    }
    assert_eq!(gap(&mixed, &logits(&model, &batch(), Condition::Task(0))), 0.);
}

#[test]
fn every_variable_learns_and_the_loss_falls() {
    let (model, batch) = (model("norms", 40), batch());
    let losses = ["one", "two"].map(|task| model.loss(&batch, task, &mut Ctx::eval()).unwrap());
    let own: Vec<String> = model.vars().into_iter().map(|(name, _)| name).collect();
    let frozen = model.backbone().parameters().unwrap().into_iter();
    let frozen: Vec<_> = frozen.filter(|(name, _)| !own.contains(name)).collect();
    check_gradients(model.store(), &losses, &frozen).unwrap();
    drop(model.check_gradients(&batch).unwrap());

    let mut optimizer = AdamW::new(model.vars(), AdamWConfig::default()).unwrap();
    for step in 0..30 {
        let loss = model.loss(&batch, "one", &mut Ctx::train(1, step)).unwrap();
        let gradients = Gradients::from_store(&loss.backward().unwrap(), &model.vars());
        optimizer.apply_gradients(&gradients, 1e-2).unwrap();
    }
    let after = scalar(&model.loss(&batch, "one", &mut Ctx::eval()).unwrap());
    assert!(after < 0.8 * scalar(&losses[0]), "{after}, before {}", scalar(&losses[0]));
}

fn tokenizer() -> T5Tokenizer {
    let options = TrainOptions { vocab_size: 150, keep_words: ["O", "I", "city"].map(str::to_owned).to_vec() };
    train_unigram(["flights to rome", "from oslo to rome today", "a city in the north"], &options).unwrap()
}

#[test]
fn sentences_are_labelled_together_as_alone() {
    let tokenizer = tokenizer();
    let model = model("none", tokenizer.vocab_size());
    let sentences = ["flights from oslo", "rome", "a city in the north to rome", "today"];
    let task = LabelTask::new("one", &["city"]).unwrap();
    for options in [DecodeOptions::default(), DecodeOptions::default().num_beams(3)] {
        let labeller = Labeller::new(&model, &tokenizer, task.clone(), &options).unwrap();
        let together = labeller.label(sentences).unwrap();
        for (sentence, together) in sentences.iter().zip(&together) {
            let alone = labeller.label([*sentence]).unwrap().remove(0);
            assert_eq!(together.tags, alone.tags, "{sentence}");
            for (one, other) in together.confidences.iter().zip(&alone.confidences) {
                assert!((one - other).abs() < 1e-4, "{sentence}: {one} {other}");
            }
        }
    }
}

#[test]
fn a_run_trains_goes_on_and_labels_but_no_task_of_it_is_compiled_or_exported() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let tokenizer = tokenizer();
    tokenizer.save(path("tokenizer.json")).unwrap();
    let shape = serde_json::to_string(&serde_json::json!({
        "vocab_size": tokenizer.vocab_size(), "d_model": 16, "d_kv": 4, "d_ff": 24, "num_layers": 2, "num_heads": 4
    }));
    std::fs::write(path("shape.json"), shape.unwrap()).unwrap();
    std::fs::write(path("data.bio"), "flights O\nto O\nrome B-city\n\nfrom O\noslo B-city\ntoday O\n").unwrap();
    let data = path("data.bio");
    let config = |steps: usize| {
        let text = format!(
            "[model]\nname = \"config:{}\"\ntokenizer = {:?}\n[train]\nmax_steps = {steps}\nbatch_size = 2\nwarmup_steps = 1\n\
             [[tasks]]\nname = \"ner\"\ntrain = {data:?}\nvalidation = {data:?}\n{METHODS}",
            path("shape.json").display(),
            path("tokenizer.json")
        );
        Config::from_toml(&text).unwrap_or_else(|e| panic!("{text}{e}"))
    };
    let run = RunDir::new(path("run"));
    let quiet = RunOptions { quiet: true, ..RunOptions::default() };
    train(config(2), run.root(), &Device::Cpu, &quiet).unwrap();
    train(config(4), run.root(), &Device::Cpu, &RunOptions { resume: true, ..quiet }).unwrap();

    let (session, _) = Session::load(&run, &Device::Cpu).unwrap();
    let labelled = session.labeller("ner").unwrap().label(["flights to oslo", "rome"]).unwrap();
    assert_eq!(labelled.iter().map(|sentence| sentence.tags.len()).collect::<Vec<_>>(), [3, 1]);

    let options = CompileOptions { task: "ner".to_owned(), out: path("compiled"), dtype: Precision::F32 };
    let error = compile(&run, &options, &Device::Cpu).unwrap_err();
    assert!(matches!(&error, hyperloader::Error::Config(reason) if reason.contains("\"hyperdecoder\"")), "{error}");
    assert!(!options.out.exists());
    for format in [ExportFormat::Peft, ExportFormat::AdapterHub, ExportFormat::Hf] {
        let options = ExportOptions { task: "ner".to_owned(), format, out: path("exported") };
        let error = export(&run, &options, &Device::Cpu).unwrap_err();
        assert!(
            matches!(&error, hyperloader::Error::Config(reason) if reason.contains("other weights for each input")),
            "{error}"
        );
        assert!(!options.out.exists());
    }
    let error = session.model.to_checkpoint("ner").unwrap_err().to_string();
    assert!(error.contains("cannot be merged, compiled or saved as those of a task"), "{error}");
}
