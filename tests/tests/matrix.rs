//! Every method × every source of weights × every check, on the kit's toy backbone and on a small T5.
//!
//! `cargo test --release -p peft-tests --test matrix -- --nocapture` shows the table.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::fmt::Write;

use peft_core::conformance::{Outcome, Report, TestBackbone, Toy, check};
use peft_core::{GeneratorConfig, PeftConfig};
use peft_tests::t5_backbone::T5Backbone;

// Linking is all that it takes.
use hyperloader as _;
use peft_task_average as _;
use peft_vera as _;

/// A name for the table, and the configuration as a file would hold it.
const METHODS: &[(&str, &str)] = &[
    ("LoRA", r#"{"peft_type": "LORA", "r": 3, "lora_alpha": 5}"#),
    ("LoRA, dropout", r#"{"peft_type": "LORA", "r": 3, "lora_alpha": 5, "lora_dropout": 0.3}"#),
    (
        "LoRA, all linear",
        r#"{"peft_type": "LORA", "r": 2, "target_modules": "all-linear", "init_lora_weights": "gaussian"}"#,
    ),
    (
        "LoRA, patterns",
        r#"{"peft_type": "LORA", "r": 2, "target_modules": ".*\\.(q|wo)", "rank_pattern": {"wo": 3}, "alpha_pattern": {"q": 7}}"#,
    ),
    ("LoRA, modules saved", r#"{"peft_type": "LORA", "r": 2, "modules_to_save": ["wo", "layer_norm"]}"#),
    ("LoRA, gated", r#"{"peft_type": "LORA", "r": 2, "lora_alpha": 3, "use_gating": true}"#),
    ("rsLoRA", r#"{"peft_type": "LORA", "r": 4, "lora_alpha": 6, "use_rslora": true}"#),
    ("DoRA", r#"{"peft_type": "LORA", "r": 3, "lora_alpha": 5, "use_dora": true}"#),
    ("DoRA, dropout", r#"{"peft_type": "LORA", "r": 3, "use_dora": true, "lora_dropout": 0.3}"#),
    ("IA3", r#"{"peft_type": "IA3"}"#),
    ("VeRA (a plug-in)", r#"{"peft_type": "VERA", "r": 8}"#),
    ("bottleneck, the paper's", r#"{"peft_type": "BOTTLENECK", "reduction_factor": 4}"#),
    (
        "bottleneck, Houlsby",
        r#"{"peft_type": "BOTTLENECK", "reduction_factor": 4, "non_linearity": "swish", "ln_after": false}"#,
    ),
    (
        "bottleneck, Pfeiffer",
        r#"{"peft_type": "BOTTLENECK", "reduction_factor": 4, "mh_adapter": false, "non_linearity": "relu", "original_ln_before": true, "ln_after": false}"#,
    ),
    (
        "bottleneck, parallel",
        r#"{"peft_type": "BOTTLENECK", "reduction_factor": 4, "mh_adapter": false, "non_linearity": "relu", "is_parallel": true, "scaling": 4.0, "ln_after": false}"#,
    ),
    ("bottleneck, both norms", r#"{"peft_type": "BOTTLENECK", "reduction_factor": 4, "ln_before": true}"#),
    ("bottleneck, gated", r#"{"peft_type": "BOTTLENECK", "reduction_factor": 4, "use_gating": true}"#),
    ("Compacter", r#"{"peft_type": "COMPACTER", "reduction_factor": 2, "phm_dim": 2}"#),
    ("prompt tuning", r#"{"peft_type": "PROMPT_TUNING", "num_virtual_tokens": 3}"#),
    ("prefix tuning, peft's", r#"{"peft_type": "PREFIX_TUNING", "num_virtual_tokens": 3}"#),
    (
        "prefix tuning, projected",
        r#"{"peft_type": "PREFIX_TUNING", "num_virtual_tokens": 3, "prefix_projection": true, "encoder_hidden_size": 5}"#,
    ),
    ("prefix, AdapterHub's", r#"{"peft_type": "PREFIX", "prefix_length": 3, "bottleneck_size": 5}"#),
    ("prefix, flat", r#"{"peft_type": "PREFIX", "prefix_length": 3, "flat": true}"#),
    ("prefix, gated", r#"{"peft_type": "PREFIX", "prefix_length": 3, "bottleneck_size": 5, "use_gating": true}"#),
    (
        "union",
        r#"{"peft_type": "UNION", "configs": [{"peft_type": "LORA", "r": 2}, {"peft_type": "IA3", "target_modules": ["k"], "feedforward_modules": ["wo"]}, {"peft_type": "BOTTLENECK", "reduction_factor": 4}]}"#,
    ),
    (
        "MAM",
        r#"{"peft_type": "MAM", "prefix_tuning": {"prefix_length": 3, "bottleneck_size": 5}, "adapter": {"reduction_factor": 4}}"#,
    ),
    ("UniPELT", r#"{"peft_type": "UNIPELT", "adapter": {"reduction_factor": 4}, "lora": {"r": 2}}"#),
    ("layer-norm tuning", r#"{"peft_type": "LN_TUNING"}"#),
];

const GENERATORS: &[(&str, &str)] = &[
    ("static", r#"{"generator": "static", "per_task": true}"#),
    ("hypernetwork", r#"{"generator": "hypernetwork", "embedding_dim": 6, "hidden_dim": 8, "conditioning_dim": 5}"#),
];

fn cell(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Held => "+",
        Outcome::NotApplicable(_) => "-",
        Outcome::Failed(_) => "FAILED",
    }
}

fn run(method: &str, generator: &str, backbone: &dyn TestBackbone) -> Report {
    let method: Box<dyn PeftConfig> = serde_json::from_str(method).unwrap_or_else(|e| panic!("{method}: {e}"));
    let generator: Box<dyn GeneratorConfig> = serde_json::from_str(generator).unwrap();
    check(method.as_ref(), generator.as_ref(), backbone).unwrap_or_else(|e| panic!("{method:?}: {e}"))
}

fn matrix(name: &str, backbone: &dyn TestBackbone) {
    let mut table = String::new();
    let mut failures = String::new();
    let mut checks: Vec<&str> = Vec::new();
    for (method, config) in METHODS {
        for (generator, source) in GENERATORS {
            let report = run(config, source, backbone);
            write!(table, "{method:<26}{generator:<14}").unwrap();
            for (number, (check, outcome)) in report.outcomes.iter().enumerate() {
                if checks.len() <= number {
                    checks.push(check);
                }
                write!(table, "{:<7}", cell(outcome)).unwrap();
                if let Outcome::Failed(seen) = outcome {
                    let seen = seen.lines().next().unwrap_or_default();
                    writeln!(failures, "{method} × {generator}: {check}: {seen}").unwrap();
                }
            }
            writeln!(table).unwrap();
        }
    }
    println!("\n{name}: + held, - not promised by the method");
    for (number, check) in checks.iter().enumerate() {
        println!("  {:>2} {check}", number + 1);
    }
    print!("{:<40}", "");
    (1..=checks.len()).for_each(|number| print!("{number:<7}"));
    println!("\n{table}");
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn every_method_passes_every_check_on_the_toy() {
    matrix("toy", &Toy::new(11).unwrap());
}

#[test]
fn every_method_passes_every_check_on_a_t5() {
    matrix("T5", &T5Backbone::new());
}

#[test]
fn methods_and_generators_from_outside_work_in_configuration_files() {
    let config = hyperloader::config::Config::from_toml(
        r#"
        [model]
        name = "config:t5-small"
        [[tasks]]
        name = "a"
        train = "a.bio"
        [[tasks]]
        name = "mean"
        train = "b.bio"
        [[peft]]
        peft_type = "VERA"
        r = 16
        [generator]
        generator = "task_average"
        averages = { mean = { a = 0.5 } }
        "#,
    )
    .unwrap();
    let names = config.peft.iter().map(|method| method.typetag_name()).collect::<Vec<_>>();
    assert_eq!((names.as_slice(), config.generator.typetag_name()), (["VERA"].as_slice(), "task_average"));
}
