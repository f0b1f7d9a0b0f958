//! `compile`: one task as a separate model.

use std::io::Write;

use super::args::{CompileArgs, Global};
use super::output::{json, written};
use crate::Result;
use crate::compile::{self, CompileOptions, CompileReport};
use crate::run::RunDir;

pub(super) fn compile(args: &CompileArgs, global: &Global, out: &mut dyn Write) -> Result<()> {
    let dtype = global.dtype.unwrap_or_default();
    let options = CompileOptions { task: args.task.clone(), out: args.out.clone(), dtype };
    let report = compile::compile(&RunDir::new(&args.run), &options, &global.open(dtype)?)?;
    if args.json {
        return json(out, &report);
    }
    written(writeln!(out, "{}: {}", args.out.display(), parts(&report)))?;
    written(writeln!(out, "{:<28}{:>14}{:>14}", "", "before", "after"))?;
    let (before, after) = (report.parameters_before, report.parameters_after);
    written(writeln!(out, "{:<28}{before:>14}{after:>14}", "parameters"))?;
    match report.trial {
        None => written(writeln!(out, "no sentences of the task to compare both models on")),
        Some(trial) => {
            let rows = [
                ("ready after, ms", trial.prepare_before_ms, trial.prepare_after_ms),
                ("one sentence, ms", trial.sentence_before_ms, trial.sentence_after_ms),
            ];
            for (name, before, after) in rows {
                written(writeln!(out, "{name:<28}{before:>14.2}{after:>14.2}"))?;
            }
            written(writeln!(out, "the same tags for {} of {0} sentences", trial.sentences))
        }
    }
}

fn parts(report: &CompileReport) -> String {
    let list = |names: &[String]| if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
    format!("task {}; merged {}, static {}", report.task, list(&report.merged), list(&report.kept))
}
