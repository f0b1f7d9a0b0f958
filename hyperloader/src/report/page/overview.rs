//! What the page is about.

use serde::Serialize;

use crate::report::read::{Model, Source, Suite};

/// One input of the report.
#[derive(Debug, Serialize)]
pub(super) struct Input {
    name: String,
    kind: &'static str,
    facts: Vec<(&'static str, String)>,
}

/// A card for each source.
pub(super) fn inputs(sources: &[Source]) -> Vec<Input> {
    let input = |source: &Source| match source {
        Source::Run(model) => run(model),
        Source::Suite(found) => suite(found),
    };
    sources.iter().map(input).collect()
}

fn run(model: &Model) -> Input {
    let mut facts = vec![("tasks", model.tasks.join(", "))];
    if let Some(average) = model.average() {
        facts.push(("mean F1", format!("{:.2}", 100. * average)));
    }
    if model.curves.steps > 0 {
        facts.push(("steps", model.curves.steps.to_string()));
    }
    if let Some(count) = &model.parameters {
        let share = 100. * count.trainable as f64 / count.total.max(1) as f64;
        facts.push(("trainable", format!("{} of {} ({share:.2} %)", grouped(count.trainable), grouped(count.total))));
    }
    Input { name: model.label.clone(), kind: "run", facts }
}

fn suite(suite: &Suite) -> Input {
    let record = &suite.results.record;
    let join = |numbers: Vec<String>| numbers.join(", ");
    let facts = vec![
        ("suite", record.suite.name().to_owned()),
        ("scale", record.scale.name().to_owned()),
        ("corpora", record.tasks.join(", ")),
        ("data", join(record.fractions.iter().map(|fraction| format!("{} %", 100. * fraction)).collect())),
        ("seeds", join(record.seeds.iter().map(u64::to_string).collect())),
        ("finished", format!("{} cells", suite.results.cells.len())),
        ("version", record.version.clone()),
        ("command", record.commands.join("; ")),
    ];
    Input { name: suite.label.clone(), kind: "suite", facts }
}

/// The digits in groups of three.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
