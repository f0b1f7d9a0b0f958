//! `reproduce`: the suites.

use std::io::Write;

use candle_core::Device;

use super::args::ReproduceArgs;
use super::output::{json, message, written};
use crate::Result;
use crate::reproduce::{Estimate, SuiteOptions, SuitePlan, WorkOptions, estimate, run_suite};
use crate::train::{Interrupt, Ranks};

pub(super) fn reproduce(args: &ReproduceArgs, device: &Device, ranks: &Ranks, out: &mut dyn Write) -> Result<()> {
    let plan = SuitePlan::new(SuiteOptions {
        suite: args.suite,
        scale: args.scale,
        seeds: args.seeds,
        data: args.data.clone(),
        out: args.out.clone(),
        tasks: args.tasks.clone(),
        systems: args.systems.clone(),
        fractions: args.fractions.clone(),
        backbone: args.backbone.clone(),
    })?;
    for corpus in plan.left_out.iter().filter(|_| ranks.is_first()) {
        message(&format!("left out: {corpus}"));
    }
    if args.dry_run {
        return dry_run(args, &plan, out);
    }
    let options = WorkOptions {
        jobs: args.jobs,
        draws: args.draws.get(),
        command: command(args),
        interrupt: Interrupt::on_signal(),
        ranks: ranks.clone(),
    };
    run_suite(&plan, device, &options)?;
    written(writeln!(out, "{}: {} cells; see results.md", args.out.display(), plan.cells().len()))
}

/// The call without what differs from machine to machine.
fn command(args: &ReproduceArgs) -> String {
    let mut text = format!(
        "hyperloader reproduce --suite {} --scale {} --seeds {}",
        args.suite.name(),
        args.scale.name(),
        args.seeds
    );
    let shares: Vec<String> = args.fractions.iter().map(f64::to_string).collect();
    for (name, values) in [("tasks", &args.tasks), ("systems", &args.systems), ("fractions", &shares)] {
        if !values.is_empty() {
            text += &format!(" --{name} {}", values.join(","));
        }
    }
    text + " --data DATA --out OUT"
}

fn dry_run(args: &ReproduceArgs, plan: &SuitePlan, out: &mut dyn Write) -> Result<()> {
    let estimates = plan.cells().iter().map(|cell| estimate(plan, cell)).collect::<Result<Vec<_>>>()?;
    if args.json {
        return json(out, &estimates);
    }
    written(writeln!(out, "{:<58}{:>13}{:>9}{:>12}{:>11}", "cell", "trainable", "steps", "memory", "time"))?;
    for cell in &estimates {
        let (memory, time) = (mebibytes(cell.memory), hours(cell.seconds));
        written(writeln!(out, "{:<58}{:>13}{:>9}{memory:>12}{time:>11}", cell.cell, cell.trainable, cell.steps))?;
    }
    written(write!(out, "{}", summary(plan, &estimates)))
}

fn summary(plan: &SuitePlan, estimates: &[Estimate]) -> String {
    let seconds: f64 = estimates.iter().map(|cell| cell.seconds).sum();
    let most = estimates.iter().map(|cell| cell.memory).fold(0., f64::max);
    format!(
        "{} cells; training takes about {} in all, at {}; scoring is not counted\nmemory is an estimate for one cell at a time, at most {}\n\
         models of one task share the steps of a system: together they train as long as one model of all tasks\n",
        estimates.len(),
        hours(seconds),
        plan.settings.rate,
        mebibytes(most),
    )
}

fn mebibytes(bytes: f64) -> String {
    format!("{:.0} MiB", bytes / f64::from(1 << 20))
}

fn hours(seconds: f64) -> String {
    match seconds {
        ..60. => format!("{seconds:.0} s"),
        ..3600. => format!("{:.0} min", seconds / 60.),
        _ => format!("{:.1} h", seconds / 3600.),
    }
}
