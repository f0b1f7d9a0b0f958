//! The verb `reproduce`.

use std::path::Path;

use hyperloader::config::Config;
use hyperloader::reproduce::{Scale, System, compose, corpora, system_names};

use crate::common::trained;

#[test]
fn wrong_calls_are_named_before_anything_is_written() {
    let bench = trained();
    let call = |more: &[&str]| {
        bench.fails(
            2,
            &[&["reproduce", "--suite", "high-resource", "--data", "no-data", "--out", "suite"], more].concat(),
        )
    };
    let message = call(&[]);
    assert!(message.contains("--data no-data: there is no corpus in it") && message.contains("slots"), "{message}");
    let message = bench.fails(2, &["reproduce", "--suite", "high-resorce", "--data", "d", "--out", "o"]);
    assert!(message.contains("high-resource"), "{message}");
    assert!(call(&["--tasks", "snip"]).contains("did you mean \"snips\"?"));
    assert!(call(&["--json"]).contains("--dry-run"));
    assert!(!bench.path("suite").exists());
}

/// The systems of the suites and the documented configurations are the same.
#[test]
fn a_system_at_scale_base_is_its_documented_configuration() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configs/paper");
    let (settings, corpora) = (Scale::Base.settings().unwrap(), corpora().unwrap());
    for name in system_names() {
        let documented = Config::load(docs.join(format!("{name}.toml")), &[]).unwrap();
        let composed = compose(&System::named(name).unwrap(), &settings, &corpora, Path::new("data")).unwrap();
        assert_eq!(composed.to_toml().unwrap(), documented.to_toml().unwrap(), "{name}");
    }
}
