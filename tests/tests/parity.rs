//! The method, number by number: every golden folder against the plain-PyTorch reference, with all sets of kernels.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

use candle_core::Tensor;
use hyperloader::optim::Unreached;
use hyperloader::train::Ranks;
use peft_core::PeftModel;
use peft_core::{ActiveAdapters, Condition, Ctx, ParamStore};
use peft_kernels::{Kernels, Reduction, SmoothedCrossEntropy};
use peft_t5::decode::{GenerationConfig, Source, generate};
use peft_t5::shift_right;
use peft_t5::{T5, T5Batch};
use peft_tests::golden::steps::{self, TOLERANCE, gap, largest, weights_gap};
use peft_tests::golden::{COMMITTED, Golden, folders};

const LOSS_TOLERANCE: f64 = 1e-5;
const GENERATED_TOLERANCE: f64 = 1e-6;

/// Committed folders of a mode with tasks, which have steps of mixed tasks.
const WITH_TASKS: usize = 14;
/// Committed folders of a mode with a hypernetwork, which have generated weights.
const WITH_HYPERNETWORK: usize = 11;

/// Runs `check` on every folder with all kernels; it returns the largest error relative to what is allowed, or `None` if the folder
/// does not have what is checked. `least` of the committed folders have it.
fn every_golden(what: &str, least: usize, check: impl Fn(&Golden, Kernels) -> Option<f64>) {
    let mut table = String::new();
    let mut failed = false;
    let mut checked = 0;
    for folder in folders() {
        let golden = Golden::open(&folder);
        let before = table.len();
        for kernels in [Kernels::Fused, Kernels::Device, Kernels::Plain] {
            if let Some(used) = check(&golden, kernels) {
                failed |= used.is_nan() || used > 1.;
                table.push_str(&format!("{:50} {kernels:?}: {:5.1} % of the tolerance\n", golden.name, 100. * used));
            }
        }
        checked += usize::from(table.len() > before);
    }
    println!("{what}\n{table}");
    assert!(!failed, "{what}\n{table}");
    let least = if std::env::var_os("PEFT_GOLDENS").is_some() { 1 } else { least };
    assert!(checked >= least, "{what}: {checked} folders were checked, expected {least}\n{table}");
}

fn eval(kernels: Kernels) -> Ctx {
    Ctx::eval().with_kernels(kernels)
}

fn encode(
    model: &PeftModel<T5>,
    golden: &Golden,
    n: usize,
    condition: &peft_core::Condition,
    kernels: Kernels,
) -> (Tensor, Tensor) {
    let batch = golden.batch(n);
    let active = model.active(condition).unwrap();
    let encoded = model.backbone().encode(&batch.source, &batch.mask, &active, &mut eval(kernels)).unwrap();
    let inputs = shift_right(&batch.labels, golden.description.backbone.start).unwrap();
    let hidden = model.backbone().decode(&inputs, &encoded, &active, &mut eval(kernels)).unwrap();
    (encoded.hidden().clone(), model.backbone().logits(&hidden, &active, &mut eval(kernels)).unwrap())
}

#[test]
fn encoder_output_and_logits() {
    every_golden("encoder output and logits", COMMITTED, |golden, kernels| {
        let (model, _) = golden.model();
        let errors = golden.tasks().into_iter().map(|(task, condition)| {
            let (encoded, logits) = encode(&model, golden, 0, &condition, kernels);
            let relative = |ours, what| {
                let theirs = golden.result(task, what);
                gap(ours, theirs) / largest(theirs)
            };
            relative(&encoded, "encoder_output").max(relative(&logits, "logits"))
        });
        Some(errors.fold(0., f64::max) / TOLERANCE)
    });
}

fn loss(pad: u32, label_smoothing: f64, reduction: Reduction) -> SmoothedCrossEntropy {
    SmoothedCrossEntropy { label_smoothing, ignore_index: pad, reduction }
}

#[test]
fn losses() {
    every_golden("losses", COMMITTED, |golden, kernels| {
        let (model, _) = golden.model();
        let batch = golden.batch(0);
        let mut worst = 0f64;
        for (task, condition) in golden.tasks() {
            let pad = golden.description.backbone.pad;
            for (options, key) in [
                (loss(pad, 0., Reduction::Mean), "loss_ce_mean"),
                (loss(pad, 0.1, Reduction::Sum), "loss_smoothed_sum"),
            ] {
                let ours = smoothed(&model, &batch, &condition, &options, kernels).to_scalar::<f32>().unwrap();
                let theirs = golden.value(task, key).as_f64().unwrap();
                worst = worst.max((f64::from(ours) - theirs).abs() / theirs.abs());
            }
        }
        Some(worst / LOSS_TOLERANCE)
    });
}

fn smoothed(
    model: &PeftModel<T5>,
    batch: &T5Batch,
    condition: &Condition,
    options: &SmoothedCrossEntropy,
    kernels: Kernels,
) -> Tensor {
    let active = model.active(condition).unwrap();
    model.backbone().smoothed_loss(batch, options, &active, &mut eval(kernels)).unwrap()
}

#[test]
fn every_gradient() {
    every_golden("gradients", COMMITTED, |golden, kernels| {
        let task = golden.description.tasks_of_batches[0].as_str();
        let ours = steps::gradients(&golden.model(), golden, (0, task), kernels, &Ranks::default());
        Some(steps::gradients_gap(golden, &ours))
    });
}

/// Trains as the reference did, in one process.
fn train(golden: &Golden, tasks: &[&str], unreached: Unreached, steps: usize, kernels: Kernels) -> ParamStore {
    steps::train(golden, tasks, unreached, steps, kernels, &Ranks::default())
}

#[test]
fn weights_after_1_and_5_steps_of_one_task() {
    every_golden("same_task", COMMITTED, |golden, kernels| {
        let first = golden.description.tasks_of_batches[0].as_str();
        let tasks = vec![first; golden.description.tasks_of_batches.len()];
        let run = |steps| train(golden, &tasks, Unreached::Dense, steps, kernels);
        let one = weights_gap(golden, "after_step1", || run(1))?;
        let five = weights_gap(golden, "after_step5.same_task", || run(5))?;
        Some(one.max(five))
    });
}

#[test]
fn weights_after_5_steps_of_mixed_tasks() {
    for (stem, unreached) in [("mixed_dense", Unreached::Dense), ("mixed_lazy", Unreached::Lazy)] {
        every_golden(stem, WITH_TASKS, |golden, kernels| {
            let tasks: Vec<&str> = golden.description.tasks_of_batches.iter().map(String::as_str).collect();
            weights_gap(golden, &format!("after_step5.{stem}"), || train(golden, &tasks, unreached, 5, kernels))
        });
    }
}

#[test]
fn generated_weights() {
    every_golden("generated weights", WITH_HYPERNETWORK, |golden, kernels| {
        let generated = golden.generated();
        // Generation takes no choice of kernels.
        if generated.is_empty() || kernels != Kernels::Fused {
            return None;
        }
        let (model, _) = golden.model();
        let errors = generated.into_iter().map(|(task, site, weight, theirs)| {
            let weights = model.weights(golden.condition(&task)).unwrap();
            let place = model.plan().targets().iter().enumerate().find_map(|(e, target)| {
                let param = target.params.iter().position(|p| target.site.path == site && p.name == weight)?;
                Some((e, param))
            });
            let (target, param) = place.unwrap_or_else(|| panic!("{}: no {weight} at {site}", golden.name));
            gap(&weights.of_target(target)[param], &theirs)
        });
        Some(errors.fold(0., f64::max) / GENERATED_TOLERANCE)
    });
}

#[test]
fn greedy_and_beam_tokens() {
    every_golden("decoding", COMMITTED, |golden, kernels| {
        let (model, _) = golden.model();
        let settings = &golden.description.generation;
        for (task, condition) in golden.tasks() {
            let weights = model.weights(&condition).unwrap().detach();
            let active = ActiveAdapters::new(model.plan(), &weights).unwrap();
            let batch = golden.batch(0);
            for (key, num_beams) in [("greedy", std::num::NonZeroUsize::MIN), ("beam4", settings.num_beams)] {
                let config = GenerationConfig {
                    max_length: settings.max_length,
                    num_beams,
                    length_penalty: settings.length_penalty,
                    early_stopping: settings.early_stopping,
                };
                let theirs: Vec<Vec<u32>> = serde_json::from_value(golden.value(task, key).clone()).unwrap();
                for t5 in [model.backbone().clone(), model.backbone().merge(&active).unwrap()] {
                    let encoded = t5.encode(&batch.source, &batch.mask, &active, &mut eval(kernels)).unwrap();
                    let source = Source::new(&t5, &encoded, &active).with_kernels(kernels);
                    let ours = generate(&source, &config).unwrap();
                    assert_eq!(ours, theirs, "{} {task} {key}", golden.name);
                }
            }
        }
        Some(0.)
    });
}

#[test]
fn counts_of_trainable_and_all_elements() {
    every_golden("counts", COMMITTED, |golden, kernels| {
        if kernels != Kernels::Fused {
            return None;
        }
        let (model, store) = golden.model();
        let backbone = model.backbone().tensors().unwrap();
        let frozen: usize = backbone
            .iter()
            .filter(|(n, _)| !golden.description.peft.trainable().covers(n))
            .map(|(_, t)| t.elem_count())
            .sum();
        assert_eq!(store.num_parameters(), golden.description.trainable, "{}", golden.name);
        assert_eq!(store.num_parameters() + frozen, golden.description.total, "{}", golden.name);
        Some(0.)
    });
}
