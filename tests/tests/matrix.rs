//! Every method × every source of weights × every check, on the kit's toy backbone and on a small T5. `tests/matrix.toml` holds what
//! must come out: one test a cell, so that a method that loses a promise fails under its name.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeSet;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use peft_core::conformance::{TestBackbone, Toy, check};
use peft_tests::matrix::{Generator, Matrix, Method};
use peft_tests::registry;
use peft_tests::t5_backbone::T5Backbone;

// Linking is all that it takes.
use hyperloader as _;
use peft_task_average as _;
use peft_vera as _;

const BACKBONES: [(&str, fn() -> Box<dyn TestBackbone>); 2] =
    [("toy", || Box::new(Toy::new(11).unwrap())), ("T5", || Box::new(T5Backbone::new()))];

fn main() -> ExitCode {
    let matrix = Matrix::read();
    let mut trials = vec![
        trial("the_file_has_the_checks_of_the_kit", the_file_has_the_checks_of_the_kit),
        trial("the_file_has_every_registered_method", || {
            is_complete("method", "peft_type", registry::methods(), rows(|m| m.method.iter().map(method_type).collect()))
        }),
        trial("the_file_has_every_registered_generator", || {
            let types = |m: &Matrix| m.generator.iter().map(|g| g.parse().typetag_name()).collect();
            is_complete("generator", "generator", registry::generators(), rows(types))
        }),
        trial("the_file_has_no_cell_twice_and_none_too_many", the_file_has_no_cell_twice_and_none_too_many),
        trial("methods_and_generators_from_outside_work_in_configuration_files", outside_works_in_configuration_files),
    ];
    for backbone in BACKBONES {
        for generator in &matrix.generator {
            trials.extend(matrix.method.iter().map(|method| cell(method, generator, backbone)));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trial(name: &str, check: impl FnOnce() -> Result<(), String> + Send + 'static) -> Trial {
    Trial::test(name, move || check().map_err(Failed::from))
}

fn cell(method: &Method, generator: &Generator, (name, backbone): (&'static str, fn() -> Box<dyn TestBackbone>)) -> Trial {
    let (method, generator) = (method.clone(), generator.clone());
    trial(&format!("{name} × {} × {}", generator.name, method.name), move || {
        method.compare(&generator, (name, backbone().as_ref()))
    })
}

fn method_type(method: &Method) -> &'static str {
    method.parse().typetag_name()
}

fn rows(types: impl Fn(&Matrix) -> BTreeSet<&'static str>) -> BTreeSet<&'static str> {
    types(&Matrix::read())
}

/// Whether each of the `registered` names has a row. The message says how to add one.
fn is_complete(
    kind: &str,
    tag: &str,
    registered: Vec<&'static str>,
    rows: BTreeSet<&'static str>,
) -> Result<(), String> {
    let missing: Vec<&str> = registered.into_iter().filter(|name| !rows.contains(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let tables: Vec<String> = missing
        .iter()
        .map(|name| format!("[[{kind}]]\nname = \"...\"\nconfig = '{{\"{tag}\": \"{name}\"}}'\n"))
        .collect();
    Err(format!(
        "no {kind} of tests/matrix.toml has the {tag} {}. Add\n\n{}\nwith the fields that the configuration needs, and run this test \
         again: each cell that fails prints the line that is missing.",
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

fn the_file_has_no_cell_twice_and_none_too_many() -> Result<(), String> {
    let matrix = Matrix::read();
    let mut names = BTreeSet::new();
    for method in &matrix.method {
        if !names.insert(&method.name) {
            return Err(format!("two methods of tests/matrix.toml are called {:?}", method.name));
        }
        for (backbone, cells) in &method.cells {
            for generator in cells.keys() {
                let known = BACKBONES.iter().any(|(name, _)| name == backbone)
                    && matrix.generator.iter().any(|known| known.name == *generator);
                if !known {
                    return Err(format!("{:?}: nothing is called {backbone}.{generator}", method.name));
                }
            }
        }
    }
    Ok(())
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
