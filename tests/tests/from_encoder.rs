//! A generator from outside that sees the encoder's output, on T5: encode, generate, decode.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

use candle_core::{D, DType, Device, Tensor};
use datasets::tokenizer::{T5Tokenizer, TrainOptions, train_unigram};
use hyperloader::compile::{CompileOptions, compile};
use hyperloader::config::Config;
use hyperloader::label::{DecodeOptions, Decoding, LabelTask, Labeller, TaggedSentence};
use hyperloader::model::Precision;
use hyperloader::optim::{AdamW, AdamWConfig, Gradients};
use hyperloader::run::RunDir;
use hyperloader::session::{RunOptions, Session, train};
use hyperloader::train::check_gradients;
use peft_core::{
    ActiveAdapters, BatchAdapters, Condition, Ctx, ParamStore, PeftModel, PeftParts, Stack, States, Tasks,
};
use peft_kernels::SmoothedCrossEntropy;
use peft_t5::{T5, T5Batch, T5Config, Weights, preset};
use peft_tests::sentences::{batch, row, shift};

use peft_from_encoder as _;

const GENERATOR: &str = "[generator]\ngenerator = \"from_encoder\"\nconditioning_dim = 4\n";
/// LoRA and adapters in the decoder alone.
const DECODER: &str = r#"
[[peft]]
peft_type = "LORA"
r = 3
target_modules = "decoder.*\\.(q|v)"
[[peft]]
peft_type = "BOTTLENECK"
reduction_factor = 4
leave_out = { encoder = [0, 1] }
"#;
/// LoRA in both stacks.
const BOTH: &str = "[[peft]]\npeft_type = \"LORA\"\nr = 3\n";

fn shape(vocab_size: usize) -> T5Config {
    T5Config {
        vocab_size,
        d_model: 16,
        d_kv: 4,
        d_ff: 24,
        num_heads: 4,
        num_layers: 2,
        num_decoder_layers: 2,
        ..preset("t5-small").expect("a built-in shape")
    }
}

/// The model of a configuration file, its variables moved away from initial zeros.
fn model(methods: &str, trainable: &str, vocab_size: usize) -> PeftModel<T5> {
    let text = format!("[model]\ntrainable = {trainable:?}\n{methods}{GENERATOR}");
    let config = Config::from_toml(&text).unwrap_or_else(|e| panic!("{text}{e}"));
    let store = ParamStore::new(3, &Device::Cpu);
    let parts = PeftParts { methods: config.peft, generator: config.generator, tasks: Tasks::new(["one", "two"]) };
    let weights = Weights::random(1).trainable(config.model.trainable, &store).var_builder(DType::F32, &Device::Cpu);
    let t5 = T5::new(&shape(vocab_size), weights).unwrap();
    let model = PeftModel::new(t5, parts, &store, store.var_builder()).unwrap();
    shift(store.vars(), 0.1);
    model
}

fn logits(model: &PeftModel<T5>, batch: &T5Batch, condition: Condition) -> Tensor {
    logits_of(model, batch, &model.prepare(batch, condition, &mut Ctx::eval()).unwrap().active)
}

fn logits_of(model: &PeftModel<T5>, batch: &T5Batch, active: &ActiveAdapters<'_>) -> Tensor {
    let ctx = &mut Ctx::eval();
    let encoded = model.backbone().encode(&batch.source, &batch.mask, active, ctx).unwrap();
    let hidden = model.backbone().decode(&batch.labels, &encoded, active, ctx).unwrap();
    model.backbone().logits(&hidden, active, ctx).unwrap()
}

fn gap(a: &Tensor, b: &Tensor) -> f32 {
    (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar().unwrap()
}

/// The largest difference between the confidences of two sentences; 0 with free decoding, which gives none.
fn furthest(one: &TaggedSentence, other: &TaggedSentence) -> f32 {
    assert_eq!(one.confidences.len(), other.confidences.len());
    one.confidences.iter().zip(&other.confidences).map(|(a, b)| (a - b).abs()).fold(0., f32::max)
}

fn scalar(loss: &Tensor) -> f32 {
    loss.to_scalar().unwrap()
}

#[test]
fn the_decoders_weights_are_generated_from_the_encoders_output_and_decoding_goes_on_from_it() {
    let (model, batch) = (model(DECODER, "none", 40), batch());
    let t5 = model.backbone();
    let loss = SmoothedCrossEntropy::default();
    for mut ctx in [Ctx::eval(), Ctx::train(5, 1)] {
        let mut again = ctx.clone();
        let adapters = model.prepare(&batch, "two", &mut ctx).unwrap();
        let found = t5.smoothed_loss_with(&batch, &loss, &adapters, &mut ctx).unwrap();

        // The same by hand. The encoder runs once: in training, a second pass would drop other elements.
        let encoded = t5.encode(&batch.source, &batch.mask, &ActiveAdapters::none(), &mut again).unwrap();
        let seen = Condition::Task(1).with_states(encoded.states().unwrap()).unwrap();
        let active = model.active(seen).unwrap();
        let inputs = peft_t5::shift_right(&batch.labels, t5.config().decoder_start_token_id).unwrap();
        let hidden = t5.decode(&inputs, &encoded, &active, &mut again).unwrap().flatten_to(1).unwrap();
        let logits = t5.logits(&hidden, &active, &mut again).unwrap();
        let expected = candle_nn::ops::log_softmax(&logits, D::Minus1).unwrap();
        let labels = batch.labels.flatten_all().unwrap();
        let counts = labels.ne(0u32).unwrap().to_dtype(DType::F32).unwrap();
        let picked = expected.gather(&labels.unsqueeze(1).unwrap(), 1).unwrap().squeeze(1).unwrap();
        let total = (picked * &counts).unwrap().sum_all().unwrap().neg().unwrap();
        let (total, count) = (scalar(&total), scalar(&counts.sum_all().unwrap()));
        let expected = match loss.reduction {
            peft_kernels::Reduction::Sum => total,
            peft_kernels::Reduction::Mean => total / count,
        };
        assert!((scalar(&found) - expected).abs() < 1e-4 * expected.abs(), "{} {expected}", scalar(&found));
    }
    let loss = model.loss(&batch, "two", &mut Ctx::eval()).unwrap();
    let bare = t5.encode(&batch.source, &batch.mask, &ActiveAdapters::none(), &mut Ctx::eval()).unwrap();
    let adapters = model.prepare(&batch, "two", &mut Ctx::eval()).unwrap();
    assert_eq!(gap(adapters.states(&Stack::ENCODER).unwrap().hidden(), bare.hidden()), 0.);
    assert!(scalar(&loss).is_finite());
}

#[test]
fn where_a_method_acts_in_the_encoder_it_runs_again_with_it() {
    let (model, batch) = (model(BOTH, "none", 40), batch());
    let adapters = model.prepare(&batch, "one", &mut Ctx::eval()).unwrap();
    assert!(adapters.states(&Stack::ENCODER).is_none());
    let encode = |active| model.backbone().encode(&batch.source, &batch.mask, active, &mut Ctx::eval()).unwrap();
    assert!(gap(encode(&adapters.active).hidden(), encode(&ActiveAdapters::none()).hidden()) > 1e-3);
}

#[test]
fn a_mixed_batch_equals_its_sentences_alone() {
    for methods in [DECODER, BOTH] {
        let model = model(methods, "none", 40);
        let mixed = logits(&model, &batch(), Condition::Rows(vec![1, 0, 1]));
        for (n, task) in [1, 0, 1].into_iter().enumerate() {
            let apart = logits(&model, &row(n), Condition::Task(task));
            let gap = gap(&mixed.narrow(0, n, 1).unwrap(), &apart);
            assert!(gap < 1e-5, "{methods} row {n}: {gap}");
        }
        let other = logits(&model, &batch(), Condition::Rows(vec![0, 0, 1]));
        assert!(gap(&mixed, &other) > 1e-4, "the task matters too");
    }
}

#[test]
fn some_rows_of_a_batch_may_do_without_the_generated_weights() {
    let (model, batch) = (model(BOTH, "none", 40), batch());
    let generated = model.prepare(&batch, "one", &mut Ctx::eval()).unwrap().active;
    let some = ActiveAdapters::by_row(&[Some(0), None, Some(0)], std::slice::from_ref(&generated)).unwrap();
    let [some, all, bare] =
        [&some, &generated, &ActiveAdapters::none()].map(|active| logits_of(&model, &batch, active));
    for (row, expected) in [(0, &all), (1, &bare), (2, &all)] {
        assert!(gap(&some.get(row).unwrap(), &expected.get(row).unwrap()) < 1e-5, "row {row}");
    }
    assert!(gap(&all.get(1).unwrap(), &bare.get(1).unwrap()) > 1e-4);
}

#[test]
fn every_sentence_has_weights_of_its_own() {
    let model = model(DECODER, "none", 40);
    let BatchAdapters { states, .. } = model.prepare(&batch(), 0, &mut Ctx::eval()).unwrap();
    let [states] = states.as_slice() else { panic!("the encoder's output") };
    let weights = model.weights(Condition::Task(0).with_states(states.clone()).unwrap()).unwrap();
    for (target, weights) in model.plan().targets().iter().zip(weights.iter()) {
        for (param, weight) in target.params.iter().zip(weights) {
            assert_eq!(weight.dims(), [&[3], param.dims.as_slice()].concat(), "{}", target.key(param));
            assert!(gap(&weight.get(0).unwrap(), &weight.get(1).unwrap()) > 1e-5, "{}", target.key(param));
        }
    }
}

#[test]
fn every_variable_learns_and_the_loss_falls() {
    for methods in [DECODER, BOTH] {
        let model = model(methods, "norms", 40);
        let losses = ["one", "two"].map(|task| model.loss(&batch(), task, &mut Ctx::eval()).unwrap());
        let own: Vec<String> = model.vars().into_iter().map(|(name, _)| name).collect();
        let frozen: Vec<_> =
            model.backbone().parameters().unwrap().into_iter().filter(|(name, _)| !own.contains(name)).collect();
        check_gradients(model.store(), &losses, &frozen).unwrap();

        let mut optimizer = AdamW::new(model.vars(), AdamWConfig::default()).unwrap();
        for step in 0..30 {
            let loss = model.loss(&batch(), "one", &mut Ctx::train(1, step)).unwrap();
            let gradients = Gradients::from_store(&loss.backward().unwrap(), &model.vars());
            optimizer.apply_gradients(&gradients, 1e-2).unwrap();
        }
        let after = scalar(&model.loss(&batch(), "one", &mut Ctx::eval()).unwrap());
        assert!(after < 0.8 * scalar(&losses[0]), "{methods}: {after}, before {}", scalar(&losses[0]));
    }
}

#[test]
fn the_encoder_also_trains_through_what_the_generator_saw() {
    let (model, batch) = (model(DECODER, "norms", 40), batch());
    let loss = SmoothedCrossEntropy::default();
    let (name, norm) = model.vars().into_iter().find(|(name, _)| name == "encoder.final_layer_norm.weight").unwrap();
    let gradient = |detached: bool| {
        let ctx = &mut Ctx::eval();
        let seen = model.prepare(&batch, 0, ctx).unwrap().states.remove(0);
        let generated_from = match detached {
            true => States::new(Stack::ENCODER, seen.hidden().detach(), seen.mask().clone()).unwrap(),
            false => seen.clone(),
        };
        let active = model.active(Condition::Task(0).with_states(generated_from).unwrap()).unwrap();
        let adapters = BatchAdapters { active, states: vec![seen] };
        let loss = model.backbone().smoothed_loss_with(&batch, &loss, &adapters, ctx).unwrap();
        loss.backward().unwrap().get(&norm).unwrap_or_else(|| panic!("{name}")).clone()
    };
    assert!(gap(&gradient(false), &gradient(true)) > 1e-5);
}

#[test]
fn what_needs_weights_before_a_sentence_is_known_is_refused() {
    let model = model(DECODER, "none", 40);
    let errors = [
        model.active("one").map(|_| ()).unwrap_err(),
        model.merge_and_unload("one").map(|_| ()).unwrap_err(),
        model.to_checkpoint("one").map(|_| ()).unwrap_err(),
    ];
    for error in errors {
        let message = error.to_string();
        assert!(message.contains("the output of the stack encoder"), "{message}");
        assert!(message.contains("cannot be merged, compiled or saved as those of a task"), "{message}");
    }
}

#[test]
fn a_stack_that_the_backbone_does_not_give_is_refused_before_training() {
    let build = |stack: &str| {
        let text = format!("{DECODER}[generator]\ngenerator = \"from_encoder\"\nstack = {stack:?}\n");
        let config = Config::from_toml(&text).unwrap();
        let store = ParamStore::new(3, &Device::Cpu);
        let t5 = T5::new(&shape(40), Weights::random(1).var_builder(DType::F32, &Device::Cpu)).unwrap();
        let parts = PeftParts { methods: config.peft, generator: config.generator, tasks: Tasks::new(["one"]) };
        PeftModel::new(t5, parts, &store, store.var_builder()).map(|_| ()).unwrap_err().to_string()
    };
    assert_eq!(
        build("decoder"),
        "the generator \"from_encoder\" makes weights from the output of the stack decoder, which this backbone does not give to \
         generators; it gives that of: encoder"
    );
    assert_eq!(
        build("vision"),
        "from_encoder: stack is \"vision\", expected a stack of this backbone: encoder, decoder"
    );
}

fn tokenizer() -> T5Tokenizer {
    let options = TrainOptions { vocab_size: 150, keep_words: ["O", "I", "city"].map(str::to_owned).to_vec() };
    train_unigram(["flights to rome", "from oslo to rome today", "a city in the north"], &options).unwrap()
}

#[test]
fn a_run_trains_validates_and_labels_but_is_not_compiled() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let tokenizer = tokenizer();
    tokenizer.save(path("tokenizer.json")).unwrap();
    let shape = format!(
        r#"{{"vocab_size": {}, "d_model": 16, "d_kv": 4, "d_ff": 24, "num_layers": 2, "num_heads": 4}}"#,
        tokenizer.vocab_size()
    );
    std::fs::write(path("shape.json"), shape).unwrap();
    std::fs::write(path("data.bio"), "flights O\nto O\nrome B-city\n\nfrom O\noslo B-city\ntoday O\n").unwrap();
    let data = path("data.bio");
    let config = format!(
        "[model]\nname = \"config:{}\"\ntokenizer = {:?}\n[train]\nmax_steps = 3\nbatch_size = 2\nwarmup_steps = 1\n\
         [[tasks]]\nname = \"ner\"\ntrain = {data:?}\nvalidation = {data:?}\n{DECODER}{GENERATOR}",
        path("shape.json").display(),
        path("tokenizer.json")
    );
    let config = Config::from_toml(&config).unwrap_or_else(|e| panic!("{config}{e}"));
    let run = RunDir::new(path("run"));
    let quiet = RunOptions { quiet: true, ..RunOptions::default() };
    let output = train(config, run.root(), &Device::Cpu, &quiet).unwrap();
    assert!(output.tokens > 0 && output.best.is_some());

    let (session, _) = Session::load(&run, &Device::Cpu).unwrap();
    let labelled = session.labeller("ner").unwrap().label(["flights to oslo", "rome"]).unwrap();
    assert_eq!(labelled.iter().map(|sentence| sentence.tags.len()).collect::<Vec<_>>(), [3, 1]);

    let options = CompileOptions { task: "ner".to_owned(), out: path("compiled"), dtype: Precision::F32 };
    let error = compile(&run, &options, &Device::Cpu).unwrap_err();
    assert!(matches!(&error, hyperloader::Error::Config(reason) if reason.contains("\"from_encoder\"")), "{error}");
    assert!(!options.out.exists());
}

#[test]
fn sentences_are_labelled_together_as_alone() {
    let tokenizer = tokenizer();
    let sentences = ["flights from oslo", "rome", "a city in the north to rome", "today"];
    for methods in [DECODER, BOTH] {
        let mut model = model(methods, "none", tokenizer.vocab_size());
        let task = LabelTask::new("one", &["city"]).unwrap();
        for (decoding, beams) in [(Decoding::Structured, 1), (Decoding::Structured, 3), (Decoding::Free, 1)] {
            let options = DecodeOptions::default().decoding(decoding).num_beams(beams);
            let labeller = Labeller::new(&model, &tokenizer, task.clone(), &options).unwrap();
            let together = labeller.label(sentences).unwrap();
            let alone: Vec<_> = sentences.iter().map(|s| labeller.label([*s]).unwrap().remove(0)).collect();
            for (together, alone) in together.iter().zip(&alone) {
                assert_eq!(together.tags, alone.tags, "{methods} {decoding:?}");
                assert!(furthest(together, alone) < 1e-4, "{methods} {beams}: {together:?} {alone:?}");
            }
            assert_eq!(together[2].tags.len(), 7);
        }
        // The generated weights count.
        let label = |model: &PeftModel<T5>| {
            let labeller = Labeller::new(model, &tokenizer, task.clone(), &DecodeOptions::default()).unwrap();
            labeller.label(sentences).unwrap()
        };
        let with = label(&model);
        model.disable_adapter();
        let without = label(&model);
        model.enable_adapter();
        assert!(with.iter().zip(&without).all(|(with, without)| furthest(with, without) > 1e-3), "{methods}");
        let int8 = DecodeOptions::default().int8(true);
        let labelled = Labeller::new(&model, &tokenizer, task, &int8).unwrap().label(sentences).unwrap();
        assert_eq!(labelled.len(), sentences.len());
    }
}
