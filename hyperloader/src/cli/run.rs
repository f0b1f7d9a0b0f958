//! From the arguments of the process to its exit code.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use candle_core::Device;
use clap::Parser;

use super::args::{Cli, ExportArgs, Global, ImportArgs, PretrainArgs, QuickstartArgs, TrainArgs, Verb};
use super::{adapt, bench, compile, complete, crash, data, eval, output, params, predict, ranks, report, reproduce};
use crate::export::{self, ExportOptions};
use crate::model::Precision;
use crate::run::RunDir;
use crate::session::{self, RunOptions, open_rank_device};
use crate::shell::shell_word;
use crate::telemetry::print_messages;
use crate::train::{INTERRUPTED, Interrupt, Ranks};
use crate::{Error, Result, paper_checkpoint, quickstart};

/// The command. Exit codes: 0 success, 1 the work failed, 2 the call or the configuration is wrong, 70 a bug, 130 interrupted.
pub fn main() -> ExitCode {
    crash::guarded(run)
}

fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    // It lives until the process ends.
    let started = match ranks::start(&cli.verb) {
        Ok(started) => started,
        Err(error) => return fail(&error, cli.global.verbose),
    };
    let ranks = &started.ranks;
    let mut out: Box<dyn Write> = match ranks.is_first() {
        true => Box::new(std::io::BufWriter::new(std::io::stdout().lock())),
        false => Box::new(std::io::sink()),
    };
    let done = work(&cli, ranks, &mut *out).map_err(|error| match cli.verb.config() {
        Some(config) => config.blame(error),
        None => error,
    });
    let done = done.and_then(|()| output::written(out.flush()));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if reader_has_left(&error) => ExitCode::SUCCESS,
        Err(error) if ranks.are_many() => fail_together(error, ranks, cli.global.verbose),
        Err(error) => fail(&error, cli.global.verbose),
    }
}

/// The time that a rank leaves rank 0 to say what went wrong: what goes wrong on all of them is to be said once.
const AFTER_YOU: Duration = Duration::from_secs(1);

/// Ends all ranks, unless they end by themselves.
fn fail_together(error: Error, ranks: &Ranks, verbose: bool) -> ExitCode {
    if let Error::Interrupted { .. } = error {
        // All ranks have stopped after the same step.
        return if ranks.is_first() { fail(&error, verbose) } else { ExitCode::from(code(&error)) };
    }
    let code = code(&error);
    if !ranks.is_first() {
        std::thread::sleep(AFTER_YOU);
    }
    output::message(&format!("rank {} of {} has failed, and all ranks end", ranks.rank(), ranks.size()));
    let failed = fail(&error, verbose);
    ranks.stop_all(code);
    failed
}

/// Whether the reader of stdout wants no more, as `head` does.
fn reader_has_left(error: &Error) -> bool {
    let (path, source) = match error {
        Error::Io { path, source } | Error::Data(datasets::Error::Io { path, source }) => (path, source),
        _ => return false,
    };
    source.kind() == std::io::ErrorKind::BrokenPipe && (path == Path::new("stdout") || peft_files::is_stdout(path))
}

fn fail(error: &Error, verbose: bool) -> ExitCode {
    let color = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let (on, off) = if color { ("\u{1b}[1;31m", "\u{1b}[0m") } else { ("", "") };
    output::message(&format!("{on}error:{off} {error}"));
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause.filter(|_| verbose) {
        output::message(&format!("  because: {inner}"));
        cause = inner.source();
    }
    ExitCode::from(code(error))
}

fn code(error: &Error) -> u8 {
    match error {
        Error::Setting { source, .. } => code(source),
        Error::Config(_) | Error::T5(peft_t5::Error::Config(_)) => 2,
        Error::Peft(
            peft_core::Error::NoSiteMatched { .. }
            | peft_core::Error::InvalidConfig { .. }
            | peft_core::Error::DuplicateKey { .. },
        ) => 2,
        Error::Interrupted { .. } => INTERRUPTED,
        _ => 1,
    }
}

fn work(cli: &Cli, ranks: &Ranks, out: &mut dyn Write) -> Result<()> {
    // Started here even without --threads: rayon panics where it starts threads by itself and cannot.
    let threads = cli.global.threads.map_or(0, std::num::NonZeroUsize::get);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
    pool.map_err(|e| match cli.global.threads {
        Some(threads) => Error::Config(format!("--threads {threads}: {e}")),
        None => {
            Error::Training(format!("the threads of this program cannot be started ({e}); give fewer with --threads"))
        }
    })?;
    if !cli.global.quiet && ranks.is_first() {
        match &cli.verb {
            #[cfg(feature = "serve")]
            Verb::Serve(_) => crate::serve::log_events(cli.global.verbose),
            _ => print_messages(),
        }
    }
    // Int8 is for labelling: verbs that train refuse it by themselves.
    let device = || cli.global.open(Precision::default());
    let open = |name: Option<&str>| cli.global.open_named(name, Precision::default());
    let together = || open_rank_device(cli.global.device.as_deref(), ranks, &open);
    match &cli.verb {
        Verb::Quickstart(args) => quickstart(args, &cli.global, &device()?, out),
        Verb::Train(args) => {
            let (device, ranks) = together()?;
            train(args, &cli.global, &device, &ranks, out)
        }
        Verb::Adapt(args) => {
            adapt::refuse_dtype(cli.global.dtype)?;
            let (device, ranks) = together()?;
            adapt::adapt(args, &device, &options(args.resume, &cli.global, &ranks), out)
        }
        Verb::Eval(args) => eval::eval(args, &cli.global, out),
        Verb::Predict(args) => predict::predict(args, &cli.global, out),
        #[cfg(feature = "serve")]
        Verb::Serve(args) => super::serve::serve(args, &cli.global, out),
        Verb::Report(args) => report::report(args, out),
        Verb::Params(args) => params::params(args, out),
        Verb::Bench(args) => {
            let (device, ranks) = together()?;
            bench::bench(args, &cli.global, &device, &ranks, out)
        }
        Verb::Compile(args) => compile::compile(args, &cli.global, out),
        Verb::Export(args) => export(args, &device()?, out),
        Verb::Import(args) => import(args, &device()?, out),
        Verb::Pretrain(args) => {
            let (device, ranks) = together()?;
            pretrain(args, &cli.global, &device, &ranks, out)
        }
        Verb::Reproduce(args) => {
            let (device, ranks) = together()?;
            reproduce::reproduce(args, &device, &ranks, out)
        }
        Verb::Data(args) => data::data(&args.verb, out),
        Verb::Completions { shell } => complete::completions(*shell, out),
        Verb::Man => complete::man(out),
    }
}

fn options(resume: bool, global: &Global, ranks: &Ranks) -> RunOptions {
    let quiet = global.quiet || !ranks.is_first();
    RunOptions { resume, quiet, interrupt: Interrupt::on_signal(), ranks: ranks.clone() }
}

fn folder(given: Option<&Path>, configured: Option<&Path>, key: &str) -> Result<PathBuf> {
    let folder = given.or(configured).map(Path::to_path_buf);
    folder.ok_or_else(|| Error::Config(format!("no output folder: give --out, or {key} in the configuration")))
}

fn train(args: &TrainArgs, global: &Global, device: &Device, ranks: &Ranks, out: &mut dyn Write) -> Result<()> {
    let mut config = args.config.load()?;
    config.model.dtype = global.dtype.unwrap_or(config.model.dtype);
    let folder = folder(args.out.as_deref(), config.train.output_dir.as_deref(), "train.output_dir")?;
    let trained = session::train(config, &folder, device, &options(args.resume, global, ranks))?;
    let best = trained.best.map_or_else(String::new, |best| format!(", validation micro-F1 {:.2}", 100. * best.score));
    output::written(writeln!(out, "{}: step {}{best}", folder.display(), trained.selected))
}

fn pretrain(args: &PretrainArgs, global: &Global, device: &Device, ranks: &Ranks, out: &mut dyn Write) -> Result<()> {
    let config = args.config.load()?;
    let configured = config.require_pretrain()?.output_dir.as_deref();
    let folder = folder(args.out.as_deref(), configured, "pretrain.output_dir")?;
    let report = session::pretrain(&config, &folder, device, &options(args.resume, global, ranks))?;
    output::written(writeln!(
        out,
        "{}: {} parameters, {} tokens, {} steps on {} sentences",
        folder.display(),
        report.parameters,
        report.vocab_size,
        report.steps,
        report.sentences
    ))
}

fn export(args: &ExportArgs, device: &Device, out: &mut dyn Write) -> Result<()> {
    let options = ExportOptions { task: args.task.clone(), format: args.format, out: args.out.clone() };
    export::export(&RunDir::new(&args.run), &options, device)?;
    output::written(writeln!(out, "{}", args.out.display()))
}

fn import(args: &ImportArgs, device: &Device, out: &mut dyn Write) -> Result<()> {
    let config = args.config.load()?;
    paper_checkpoint::import(&config, &args.checkpoint, &args.out, device)?;
    let (run, task) = (shell_word(&args.out), config.require_tasks()?.first().map_or("TASK", |task| &task.name));
    output::written(writeln!(
        out,
        "{}: a run folder, for eval, predict and compile\nTag a text, one sentence a line:\n  hyperloader predict {run} --task {task} \
         text.txt",
        args.out.display()
    ))
}

fn quickstart(args: &QuickstartArgs, global: &Global, device: &Device, out: &mut dyn Write) -> Result<()> {
    let report = quickstart::quickstart(&args.out, args.seed, device, &options(false, global, &Ranks::default()))?;
    if args.json {
        return output::json(out, &report);
    }
    eval::table(&report, out)?;
    output::written(write!(out, "{}", quickstart::next_steps(&args.out)))
}
