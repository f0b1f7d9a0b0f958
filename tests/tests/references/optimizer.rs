//! The learning rate and one optimizer step, compared with the reference.

use candle_core::{Tensor, Var};
use hyperloader::optim::{AdamW, AdamWConfig, Gradients, Schedule, ScheduleKind};
use peft_tests::golden::{committed, folders};
use serde_json::Value;

fn json(path: impl AsRef<std::path::Path>) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn linear_equals_the_reference_rates() {
    let reference = json(committed("schedule.json"));
    let schedule = Schedule {
        kind: ScheduleKind::Linear,
        peak: reference["peak"].as_f64().unwrap(),
        warmup_steps: reference["warmup"].as_u64().unwrap() as usize,
        total_steps: reference["total"].as_u64().unwrap() as usize,
    };
    let rates = reference["lr_used_by_0_based_step"].as_object().unwrap();
    assert!(rates.len() > 10);
    for (step, rate) in rates {
        let (ours, theirs) = (schedule.lr(step.parse().unwrap()), rate.as_f64().unwrap());
        assert!((ours - theirs).abs() <= 1e-15, "step {step}: {ours} against {theirs}");
    }
}

#[test]
fn one_clipped_step_lands_where_the_reference_implementation_does() {
    for folder in folders() {
        let name = folder.display();
        let read = |file: &str| peft_files::load_tensors(folder.join(file)).unwrap();
        let (start, end) = (read("weights.safetensors"), read("after_step1.safetensors"));
        let meta = json(folder.join("golden.json"));
        let setting = |key: &str| meta["optimizer"][key].as_f64().unwrap();
        let mut gradients: Gradients = read("grads.safetensors").into_iter().collect();
        let named: Vec<(String, Var)> =
            end.keys().map(|name| (name.clone(), Var::from_tensor(&start[name]).unwrap())).collect();
        assert!(!named.is_empty(), "{name}: nothing trains");
        let norm = gradients.clip_grad_norm(setting("max_grad_norm")).unwrap();
        let theirs = meta["grad_norm_batch0"].as_f64().unwrap();
        assert!((norm / theirs - 1.0).abs() < 1e-12, "{name}: norm {norm} against {theirs}");
        let lr = setting("lr");
        let mut optimizer = AdamW::new(named.clone(), AdamWConfig::default()).unwrap();
        optimizer.apply_gradients(&gradients, lr).unwrap();
        for (key, variable) in &named {
            for (ours, theirs) in values_of(variable).into_iter().zip(values_of(&end[key])) {
                // One rounding of the parameter and one of the step, whose size is at most the learning rate.
                let allowed = f32::EPSILON * (theirs.abs() + lr as f32);
                assert!((ours - theirs).abs() <= allowed, "{name}, {key}: {ours} against {theirs}");
            }
        }
    }
}

fn values_of(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}
