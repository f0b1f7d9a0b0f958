//! `bench`: the time of a training step and of labelling on this machine.

use std::io::Write;

use candle_core::Device;

use super::args::{BenchArgs, Global};
use super::output::{json, written};
use crate::Result;
use crate::bench::{BenchOptions, BenchReport, PARTS, bench as measure};
use crate::train::Ranks;

pub(super) fn bench(
    args: &BenchArgs,
    global: &Global,
    device: &Device,
    ranks: &Ranks,
    out: &mut dyn Write,
) -> Result<()> {
    let mut config = args.config.load()?;
    config.model.dtype = global.dtype.unwrap_or(config.model.dtype);
    let options = BenchOptions {
        steps: args.steps,
        warmup: args.warmup,
        source_length: args.source_length,
        target_length: args.target_length,
    };
    let report = measure(&config, &options, device, ranks)?;
    if args.json { json(out, &report) } else { table(&report, out) }
}

fn table(report: &BenchReport, out: &mut dyn Write) -> Result<()> {
    let BenchReport { batch_size, source_length, target_length, steps, threads, .. } = report;
    let parameters = &report.parameters;
    written(writeln!(
        out,
        "{} of {} parameters train; batch {batch_size}, source {source_length}, target {target_length}; {steps} steps on \
         {threads} threads",
        parameters.trainable, parameters.total
    ))?;
    if report.device != "cpu" {
        written(writeln!(out, "on {}", report.device))?;
    }
    written(writeln!(out, "{:<12}{:>12}{:>12}{:>12}", "ms", "median", "fastest", "slowest"))?;
    for part in PARTS {
        if let Some(spread) = report.parts.get(part) {
            let (median, min, max) = (spread.median_ms, spread.min_ms, spread.max_ms);
            written(writeln!(out, "{part:<12}{median:>12.2}{min:>12.2}{max:>12.2}"))?;
        }
    }
    if let Some(share) = report.exchange_share {
        let ranks = report.ranks;
        written(writeln!(out, "{ranks} ranks: the exchange of gradients takes {:.1} % of a step", 100. * share))?;
    }
    written(writeln!(
        out,
        "training: {:.0} target tokens/s, {:.1} sentences/s",
        report.tokens_per_second, report.sentences_per_second
    ))?;
    match report.peak_memory_bytes {
        Some(bytes) => written(writeln!(out, "{:.0} MiB of memory at most", bytes as f64 / f64::from(1 << 20)))?,
        None => written(writeln!(out, "this system does not tell the memory of a process"))?,
    }
    if let Some(bytes) = report.device_memory_bytes {
        written(writeln!(out, "{:.0} MiB of the GPU's memory in use at most", bytes as f64 / f64::from(1 << 20)))?;
    }
    let labelling = &report.labelling;
    written(writeln!(
        out,
        "labelling: {:.1} sentences/s of {} words, {} batches at once",
        labelling.sentences_per_second, labelling.words, labelling.batches
    ))
}
