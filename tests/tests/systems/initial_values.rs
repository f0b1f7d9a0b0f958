//! With `init = "scaled"` generated weights begin with the mean and the standard deviation of static ones; with `"paper"` they do not.

use std::collections::BTreeMap;

use super::models::{model, shape};

const METHODS: &str = r#"
[[peft]]
peft_type = "LORA"
[[peft]]
peft_type = "BOTTLENECK"
reduction_factor = 4
"#;

/// The mean and the standard deviation of all weights of each name, over layers, positions, tasks and seeds.
fn moments(generator: &str, d_model: usize) -> BTreeMap<String, (f64, f64)> {
    let mut values: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for seed in 0..6 {
        let model = model(&format!("{METHODS}{generator}"), &shape(d_model, 20), seed);
        for task in ["one", "two"] {
            let weights = model.weights(task).unwrap();
            for (target, weights) in model.plan().targets().iter().zip(weights.iter()) {
                for (param, weight) in target.params.iter().zip(weights) {
                    let elements = weight.flatten_all().unwrap().to_vec1::<f32>().unwrap();
                    values.entry(param.name.to_string()).or_default().extend(elements.into_iter().map(f64::from));
                }
            }
        }
    }
    let moments = |values: &Vec<f64>| {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64;
        (mean, variance.sqrt())
    };
    values.iter().map(|(name, values)| (name.clone(), moments(values))).collect()
}

fn hypernetwork(init: &str) -> String {
    format!("[generator]\ngenerator = \"hypernetwork\"\ninit = {init:?}\n")
}

#[test]
fn scaled_weights_begin_where_static_ones_do_at_any_width() {
    for d_model in [64, 128] {
        let expected = moments("", d_model);
        let found = moments(&hypernetwork("scaled"), d_model);
        assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
        assert_eq!(found.len(), 8, "A, B, and the adapters' two maps with biases and two vectors of the norm");
        for (name, (mean, std)) in &expected {
            let (found_mean, found_std) = found[name];
            if *std == 0. {
                // B, biases, gamma and beta are constants, and are generated exactly.
                assert_eq!((found_mean, found_std), (*mean, *std), "{name} at {d_model}");
                continue;
            }
            assert!((found_std / std - 1.).abs() < 0.05, "{name} at {d_model}: {found_std}, static {std}");
            assert!((found_mean - mean).abs() < 0.1 * std, "{name} at {d_model}: {found_mean}, static {mean}");
        }
        let (_, std) = found["lora_A.weight"];
        assert!((std * (3. * d_model as f64).sqrt() - 1.).abs() < 0.05, "1 / √(3 d): {std}");
        assert_eq!(found["adapter.ln_after.weight"], (1., 0.));
    }
}

#[test]
fn the_papers_weights_begin_elsewhere() {
    let found = moments(&hypernetwork("paper"), 64);
    let near = |name: &str, std: f64| {
        let (mean, found) = found[name];
        assert!((found / std - 1.).abs() < 0.05 && mean.abs() < 0.1 * std, "{name}: {mean}, {found}");
    };
    near("lora_A.weight", (1f64 / 3.).sqrt());
    near("adapter.down.weight", 0.08);
    near("adapter.up.weight", 0.08);
    // Few elements, and each is the same function of one row in all layers: only the order of magnitude.
    let (mean, std) = found["adapter.ln_after.weight"];
    assert!(mean.abs() < 0.02 && (0.06..0.1).contains(&std), "{mean}, {std}");
}

#[test]
fn both_have_the_same_variables() {
    let names = |init: &str| {
        let model = model(&format!("{METHODS}{}", hypernetwork(init)), &shape(64, 20), 1);
        model.vars().iter().map(|(name, var)| (name.clone(), var.dims().to_vec())).collect::<Vec<_>>()
    };
    assert_eq!(names("scaled"), names("paper"));
}
