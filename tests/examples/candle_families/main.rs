//! Which models of candle-transformers train with the candle-nn of this build: prints the table of docs/candle-models.md.
//!
//! `cargo run --release -p peft-tests --example candle_families`

use std::error::Error;

use peft_core::gradients::probe::{Finding, operations};
use peft_core::gradients::{GradientCheck, GradientReport, Verdict};

mod families;

use families::Family;

fn main() -> Result<(), Box<dyn Error>> {
    let found = operations()?;
    for (what, finding) in [("No gradient passes", Finding::Missing), ("The gradient is wrong of", Finding::Wrong)] {
        let names: Vec<String> =
            found.iter().filter(|o| o.finding == finding).map(|o| format!("`{}`", o.name)).collect();
        println!("{what}: {}.\n", if names.is_empty() { "none".to_owned() } else { names.join(", ") });
    }
    let refused = found.iter().filter(|operation| matches!(operation.finding, Finding::Refused(_)));
    refused.for_each(|operation| println!("An error is given by `{}`: {:?}.\n", operation.name, operation.finding));
    println!("| model | batch | variables | right | wrong | missing | without a derivative | largest error | trains |");
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---|");
    for family in families::families() {
        let report = check(&family);
        let row = report.as_ref().map_or_else(|error| format!("stopped: {}", first_line(error)), row);
        println!("| {} | {} | {row} |", family.name, family.batch);
        if let Ok(report) = report
            && std::env::args().any(|argument| argument == "--details")
        {
            eprintln!("{}: {report}\n", family.name);
        }
    }
    Ok(())
}

fn check(family: &Family) -> peft_core::Result<GradientReport> {
    let (variables, loss) = family.open()?;
    GradientCheck { directions: 1, ..GradientCheck::default() }.run(&variables.vars(), loss)
}

fn first_line(error: &peft_core::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

fn row(report: &GradientReport) -> String {
    let count = |verdict| report.count(verdict).to_string();
    let (wrong, missing) = (report.count(Verdict::Wrong), report.count(Verdict::Missing));
    let right = report.count(Verdict::Right);
    let flat = report.count(Verdict::Flat) + report.count(Verdict::Unused);
    let error = if right > 0 { format!("{:.0e}", report.largest_error()) } else { "–".to_owned() };
    let trains = if wrong + missing == 0 { "yes" } else { "no" };
    [
        report.variables.len().to_string(),
        count(Verdict::Right),
        wrong.to_string(),
        missing.to_string(),
        flat.to_string(),
    ]
    .into_iter()
    .chain([error, trains.to_owned()])
    .collect::<Vec<_>>()
    .join(" | ")
}
