//! A method or generator is registered when its crate is linked: every registered name can be read from a configuration.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

use hyperloader::config::Config;
use peft_t5::{preset, preset_names};
use peft_tests::matrix::Matrix;
use peft_tests::registry;
use serde_json::{Map, Value, json};

// Linking is all that it takes.
use peft_from_encoder as _;
use peft_task_average as _;
use peft_vera as _;

/// A configuration file with one table.
fn config(table: &str, value: Value) -> Config {
    let file = Map::from_iter([(table.to_owned(), value)]);
    let text = toml::to_string(&file).unwrap();
    Config::from_toml(&text).unwrap_or_else(|e| panic!("{text}{e}"))
}

#[test]
fn every_registered_method_is_read_from_a_configuration_and_written_back() {
    let matrix = Matrix::read();
    for name in registry::methods() {
        let row = matrix.method.iter().find(|method| method.parse().typetag_name() == name);
        let row = row
            .unwrap_or_else(|| panic!("{name} has no row in tests/matrix.toml; the test `matrix` says how to add it"));
        let read = config("peft", json!([serde_json::from_str::<Value>(&row.config).unwrap()]));
        let [method] = read.peft.as_slice() else { panic!("{name}: one method") };
        assert_eq!(method.typetag_name(), name);
        let again = Config::from_toml(&read.to_toml().unwrap()).unwrap();
        assert_eq!(format!("{:?}", again.peft), format!("{:?}", read.peft), "{name}");
    }
}

#[test]
fn every_registered_generator_is_read_from_a_configuration_and_written_back() {
    let matrix = Matrix::read();
    for name in registry::generators() {
        let row = matrix.generator.iter().find(|generator| generator.parse().typetag_name() == name);
        let row =
            row.unwrap_or_else(|| panic!("{name} is not in tests/matrix.toml; the test `matrix` says how to add it"));
        let read = config("generator", serde_json::from_str(&row.config).unwrap());
        assert_eq!(read.generator.typetag_name(), name);
        let again = Config::from_toml(&read.to_toml().unwrap()).unwrap();
        assert_eq!(format!("{:?}", again.generator), format!("{:?}", read.generator), "{name}");
    }
}

#[test]
fn the_methods_and_generators_of_this_workspace_are_registered() {
    let methods = registry::methods();
    for name in [
        "LORA",
        "IA3",
        "BOTTLENECK",
        "COMPACTER",
        "PROMPT_TUNING",
        "PREFIX_TUNING",
        "PREFIX",
        "UNION",
        "MAM",
        "UNIPELT",
        "LN_TUNING",
        "VERA",
    ] {
        assert!(methods.contains(&name), "{name} is not among {methods:?}");
    }
    let generators = registry::generators();
    for name in ["static", "hypernetwork", "task_average", "from_encoder"] {
        assert!(generators.contains(&name), "{name} is not among {generators:?}");
    }
}

#[test]
fn every_built_in_backbone_has_a_shape_that_a_configuration_can_name() {
    let names: Vec<&str> = preset_names().collect();
    assert!(names.len() >= 10, "{names:?}");
    for name in names {
        let shape = preset(name).unwrap_or_else(|| panic!("{name} is listed, but has no shape"));
        assert!(shape.d_model > 0 && shape.num_layers > 0, "{name}: {shape:?}");
        let read = config("model", json!({"name": format!("config:{name}")}));
        assert_eq!(read.model.name, format!("config:{name}"));
    }
}

#[test]
fn an_unknown_name_is_answered_with_the_known_ones() {
    let message = Config::from_toml("[[peft]]\npeft_type = \"LORRA\"\n").unwrap_err().to_string();
    assert!(message.starts_with("config.toml:2: unknown peft_type \"LORRA\""), "{message}");
    for name in registry::methods() {
        assert!(message.contains(name), "{name}: {message}");
    }
}
