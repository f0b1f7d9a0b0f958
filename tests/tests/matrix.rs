//! Every method × every source of weights × every check, on the kit's toy backbone, on a small T5 and on a small Llama.
//! `tests/matrix.toml` holds what must come out. There is one test for each method with each generator on each backbone.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeSet;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use peft_core::conformance::{TestBackbone, Toy, check};
use peft_tests::llama_backbone::LlamaBackbone;
use peft_tests::matrix::{Generator, Matrix, Method};
use peft_tests::registry;
use peft_tests::t5_backbone::T5Backbone;

// Linking is all that it takes.
use hyperloader as _;
use peft_from_encoder as _;
use peft_task_average as _;
use peft_vera as _;

/// A name, and what makes the backbone: a test runs in a thread of its own.
type Backbone = (&'static str, fn() -> Box<dyn TestBackbone>);

const BACKBONES: [Backbone; 3] = [
    ("toy", || Box::new(Toy::new(11).unwrap())),
    ("T5", || Box::new(T5Backbone::new())),
    ("Llama", || Box::new(LlamaBackbone::new())),
];

fn main() -> ExitCode {
    let matrix = Matrix::read();
    let mut trials = vec![
        trial("the_file_has_the_checks_of_the_kit", the_file_has_the_checks_of_the_kit),
        trial("the_file_has_every_registered_method", || {
            let rows = Matrix::read().method.iter().map(|method| method.parse().typetag_name()).collect();
            is_complete(("method", "peft_type"), registry::methods(), &rows)
        }),
        trial("the_file_has_every_registered_generator", || {
            let rows = Matrix::read().generator.iter().map(|generator| generator.parse().typetag_name()).collect();
            is_complete(("generator", "generator"), registry::generators(), &rows)
        }),
        trial("every_name_is_there_once", every_name_is_there_once),
        trial("every_generator_fits_a_backbone_that_exists", every_generator_fits_a_backbone_that_exists),
        trial("methods_and_generators_from_outside_work_in_configuration_files", outside_works_in_configuration_files),
    ];
    for backbone in BACKBONES {
        for generator in matrix.generator.iter().filter(|generator| generator.fits(backbone.0)) {
            trials.extend(matrix.method.iter().map(|method| cell(method, generator, backbone)));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trial(name: &str, check: impl FnOnce() -> Result<(), String> + Send + 'static) -> Trial {
    Trial::test(name, move || check().map_err(Failed::from))
}

fn cell(method: &Method, generator: &Generator, (name, backbone): Backbone) -> Trial {
    let (method, generator) = (method.clone(), generator.clone());
    trial(&format!("{name} × {} × {}", generator.name, method.name), move || {
        method.compare(&generator, backbone().as_ref())
    })
}

/// Whether each of the `registered` names has a row. The message says how to add one.
fn is_complete((kind, tag): (&str, &str), registered: Vec<&str>, rows: &BTreeSet<&str>) -> Result<(), String> {
    let missing: Vec<&str> = registered.into_iter().filter(|name| !rows.contains(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let tables: Vec<String> = missing
        .iter()
        .map(|name| format!("[[{kind}]]\nname = \"...\"\nconfig = '{{\"{tag}\": \"{name}\"}}'\n"))
        .collect();
    Err(format!(
        "no [[{kind}]] of tests/matrix.toml has the {tag} {}. Append\n\n{}\nwith the fields that the configuration needs, and run this \
         test again; the first lines of the file say what to do then.",
        missing.join(", "),
        tables.join("\n")
    ))
}

fn the_file_has_the_checks_of_the_kit() -> Result<(), String> {
    let matrix = Matrix::read();
    let (method, generator) = (&matrix.method[0], &matrix.generator[0]);
    let report = check(method.parse().as_ref(), generator.parse().as_ref(), &T5Backbone::new()).unwrap();
    let kit: Vec<&str> = report.outcomes.iter().map(|(name, _)| *name).collect();
    if matrix.checks == kit {
        return Ok(());
    }
    Err(format!(
        "checks of tests/matrix.toml are {:?}, those of the kit {kit:?}: change the list, and every cell in the same way",
        matrix.checks
    ))
}

fn every_name_is_there_once() -> Result<(), String> {
    let matrix = Matrix::read();
    let names = matrix.method.iter().map(|method| &method.name).chain(matrix.generator.iter().map(|g| &g.name));
    let mut seen = BTreeSet::new();
    match names.into_iter().find(|name| !seen.insert(*name)) {
        Some(twice) => Err(format!("{twice:?} is twice in tests/matrix.toml")),
        None => Ok(()),
    }
}

fn every_generator_fits_a_backbone_that_exists() -> Result<(), String> {
    let unknown = |name: &&String| !BACKBONES.iter().any(|(backbone, _)| backbone == name);
    let matrix = Matrix::read();
    let mut named = matrix.generator.iter().flat_map(|generator| generator.backbones.iter().flatten());
    named.find(unknown).map_or(Ok(()), |name| Err(format!("tests/matrix.toml: there is no backbone {name:?}")))
}

fn outside_works_in_configuration_files() -> Result<(), String> {
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
    .map_err(|e| e.to_string())?;
    let names = config.peft.iter().map(|method| method.typetag_name()).collect::<Vec<_>>();
    assert_eq!((names.as_slice(), config.generator.typetag_name()), (["VERA"].as_slice(), "task_average"));
    Ok(())
}
