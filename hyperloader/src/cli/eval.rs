//! `eval`: scores of a run.

use std::io::Write;

use super::args::{EvalArgs, EvalVerb, Global, MergeArgs, ScoreArgs};
use super::output::{json, written};
use crate::eval::EvalReport;
use crate::run::RunDir;
use crate::session::{ScoreOptions, Session, ShardReport, merge_shards, score_run, score_shard};
use crate::shards::Shard;
use crate::{Error, Result};

pub(super) fn eval(args: &EvalArgs, global: &Global, out: &mut dyn Write) -> Result<()> {
    match (&args.verb, &args.score) {
        (Some(EvalVerb::Merge(args)), _) => merge(args, out),
        (None, Some(args)) => score(args, global, out),
        (None, None) => Err(Error::Config("name the folder of a run".into())),
    }
}

/// Adds the counts of shards.
fn merge(args: &MergeArgs, out: &mut dyn Write) -> Result<()> {
    let report = merge_shards(&RunDir::new(&args.run), args.split)?;
    if args.json { json(out, &report) } else { table(&report, out) }
}

fn score(args: &ScoreArgs, global: &Global, out: &mut dyn Write) -> Result<()> {
    let run = RunDir::new(&args.run);
    let shard = args.shard.map(|choice| choice.resolve()).transpose()?;
    let (mut session, step) = Session::load_in(&run, &global.open_for(&run)?, global.dtype)?;
    session.config.eval.decoding = args.decoding.unwrap_or(session.config.eval.decoding);
    let options = ScoreOptions { split: args.split, tasks: args.tasks.clone(), step, predictions: args.predictions };
    if let Some(shard) = shard {
        return part(&score_shard(&run, &session, &options, shard)?, shard, out);
    }
    let report = score_run(&run, &session, &options)?;
    if args.json { json(out, &report) } else { table(&report, out) }
}

/// What was done of one shard, and what is left.
fn part(report: &ShardReport, shard: Shard, out: &mut dyn Write) -> Result<()> {
    let before = if report.was_finished { ", finished before" } else { "" };
    let folder = report.folder.display();
    written(writeln!(out, "{folder}: shard {shard}: {} sentences{before}", report.sentences))?;
    written(match report.missing.len() {
        0 => writeln!(out, "{folder}: all {} shards are finished: hyperloader eval merge adds them", shard.count()),
        missing => writeln!(out, "{folder}: {missing} of {} shards are not finished", shard.count()),
    })
}

/// A line for each task, followed by a line for each of its types, and the average.
pub(super) fn table(report: &EvalReport, out: &mut dyn Write) -> Result<()> {
    let mut line = |name: &str, p: f64, r: f64, f1: f64, support: usize| {
        written(writeln!(out, "{name:<34}{:>9.2}{:>9.2}{:>9.2}{support:>9}", 100. * p, 100. * r, 100. * f1))
    };
    for (task, scores) in &report.tasks {
        let s = &scores.scores;
        line(task, s.micro_precision, s.micro_recall, s.micro_f1, s.support)?;
        for (kind, score) in &s.per_type {
            line(&format!("  {kind}"), score.precision, score.recall, score.f1, score.support)?;
        }
    }
    written(writeln!(out, "{}", summary(report)))
}

/// The names of the columns, the sentences that were too long or malformed, and the average.
fn summary(report: &EvalReport) -> String {
    let mut text = String::from("columns: precision, recall, F1 (in percent), gold spans\n");
    for (task, scores) in &report.tasks {
        if scores.windowed + scores.malformed > 0 {
            text += &format!(
                "{task}: {} of {} sentences labelled in windows, {} with another number of tags than words\n",
                scores.windowed, scores.scores.sentences, scores.malformed
            );
        }
    }
    text + &format!(
        "average micro-F1 on {} at step {}: {:.2}",
        report.split,
        report.step,
        100. * report.average_micro_f1
    )
}
