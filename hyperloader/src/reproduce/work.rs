//! Running a suite: backbone, cells, tables.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use candle_core::Device;
use tracing::subscriber::{NoSubscriber, with_default};
use tracing::{info, warn};

use super::cell::Cell;
use super::claim::{Claim, LOOK_AGAIN, clear_claims};
use super::outcome::CellResult;
use super::plan::SuitePlan;
use super::protocols::Protocol;
use super::ranks::{Order, follow, order};
use super::record::SuiteRecord;
use super::scoring::score_cell;
use super::tables::write_tables;
use crate::run::MODEL_FILE;
use crate::session::{RunOptions, pretrain, train};
use crate::train::{Interrupt, Ranks};
use crate::{Error, Result};
use peft_files::create_folders;

/// How a suite is run.
#[derive(Debug, Clone)]
pub struct WorkOptions {
    /// The cells that this process trains at once. The threads are shared out.
    pub jobs: NonZeroUsize,
    /// Draws of the bootstrap.
    pub draws: usize,
    /// The command, for `suite.json`.
    pub command: String,
    /// Saves the state of the cells and stops.
    pub interrupt: Interrupt,
    /// The ranks that train each cell together.
    pub ranks: Ranks,
}

impl WorkOptions {
    /// How each of its runs is carried out.
    fn run(&self) -> RunOptions {
        RunOptions { resume: true, quiet: true, interrupt: self.interrupt.clone(), ranks: self.ranks.clone() }
    }
}

/// Runs the cells of `plan` that are not finished, and writes the tables. When it returns, all cells of the plan are finished.
///
/// # Errors
/// [`Error::Config`] if the folder holds another suite; [`Error::Interrupted`] once the interrupt is requested. If cells fail, the
/// others are finished first, and the error names each.
pub fn run_suite(plan: &SuitePlan, device: &Device, options: &WorkOptions) -> Result<()> {
    let ranks = &options.ranks;
    if ranks.are_many() && options.jobs.get() > 1 {
        return Err(Error::Config("--jobs: several ranks train one cell at a time; give --jobs 1".into()));
    }
    if !ranks.is_first() {
        return follow(plan, device, &options.run());
    }
    let done = run_all(plan, device, options);
    match done {
        Ok(()) | Err(Error::Interrupted { .. }) => order(ranks, &Order::End).and(done),
        // All ranks end with the process.
        Err(error) => Err(error),
    }
}

fn run_all(plan: &SuitePlan, device: &Device, options: &WorkOptions) -> Result<()> {
    let out = &plan.options.out;
    // Everything that can be wrong with the call is found before anything is written.
    plan.cells().iter().try_for_each(|cell| plan.config(cell).map(drop))?;
    let record = SuiteRecord::of(plan, &options.command)?;
    create_folders(out)?.keep();
    keep_record(plan, record, options)?;
    make_backbone(plan, device, options)?;
    let failures = work_on_cells(plan, device, options)?;
    write_all_tables(plan, options, true)?;
    match failures.as_slice() {
        [] => {
            clear_claims(out);
            Ok(())
        }
        _ => Err(Error::Training(format!(
            "{} of {} cells failed; the others are finished, and the same command tries again:\n  {}",
            failures.len(),
            plan.cells().len(),
            failures.join("\n  ")
        ))),
    }
}

fn stopped(plan: &SuitePlan) -> Error {
    Error::Interrupted { step: 0, path: plan.options.out.clone() }
}

fn keep_record(plan: &SuitePlan, record: SuiteRecord, options: &WorkOptions) -> Result<()> {
    let out = &plan.options.out;
    let claim = Claim::wait(out, "suite", &options.interrupt, || ())?.ok_or_else(|| stopped(plan))?;
    let record = match SuiteRecord::read(out)? {
        Some(old) => old.joined(record, out)?,
        None => record,
    };
    record.write(out)?;
    drop(claim);
    Ok(())
}

fn make_backbone(plan: &SuitePlan, device: &Device, options: &WorkOptions) -> Result<()> {
    let Some(config) = plan.pretraining()? else { return Ok(()) };
    let folder = plan.backbone_folder();
    let is_there = || folder.join(MODEL_FILE).is_file();
    if is_there() {
        return Ok(());
    }
    let waiting = || info!("waiting for the backbone, which another process pretrains");
    let claim = Claim::wait(&plan.options.out, "backbone", &options.interrupt, waiting)?;
    let claim = claim.ok_or_else(|| stopped(plan))?;
    if !is_there() {
        info!("pretraining the backbone in {}", folder.display());
        order(&options.ranks, &Order::Backbone)?;
        pretrain(&config, &folder, device, &options.run())?;
    }
    drop(claim);
    Ok(())
}

/// The cells that are left, and what went wrong.
struct Queue {
    waiting: VecDeque<Cell>,
    failures: Vec<String>,
    done: usize,
    all: usize,
}

/// Works on all cells; what failed, by cell.
fn work_on_cells(plan: &SuitePlan, device: &Device, options: &WorkOptions) -> Result<Vec<String>> {
    let cells = plan.cells();
    let (all, out) = (cells.len(), &plan.options.out);
    let (finished, waiting): (Vec<_>, Vec<_>) =
        cells.into_iter().partition(|cell| CellResult::is_in(&cell.folder(out)));
    if !finished.is_empty() {
        info!("{} of {all} cells are finished already", finished.len());
    }
    // A damaged result is found before hours of work.
    finished.iter().try_for_each(|cell| CellResult::read(&cell.folder(out)).map(drop))?;
    let queue = Queue { waiting: waiting.into(), failures: Vec::new(), done: finished.len(), all };
    let queue = Mutex::new(queue);
    let jobs = options.jobs.get();
    if jobs == 1 {
        worker(plan, device, options, &queue)?;
    } else {
        let threads = (rayon::current_num_threads() / jobs).max(1);
        let pools = (0..jobs).map(|_| rayon::ThreadPoolBuilder::new().num_threads(threads).build());
        let pools: Vec<_> = pools
            .collect::<Result<_, _>>()
            .map_err(|e| Error::Training(format!("--jobs {jobs}: threads cannot be started: {e}")))?;
        std::thread::scope(|scope| {
            let start = |pool: &rayon::ThreadPool| pool.install(|| worker(plan, device, options, &queue));
            let handles: Vec<_> = pools.iter().map(|pool| scope.spawn(move || start(pool))).collect();
            let failed = || Err(Error::Internal("a job ended by a panic".to_owned()));
            handles.into_iter().map(|handle| handle.join().unwrap_or_else(|_| failed())).collect::<Result<Vec<()>>>()
        })?;
    }
    Ok(queue.into_inner().unwrap_or_else(PoisonError::into_inner).failures)
}

/// Takes cells from the queue until all are finished. A cell that another process has goes to the end.
fn worker(plan: &SuitePlan, device: &Device, options: &WorkOptions, queue: &Mutex<Queue>) -> Result<()> {
    let lock = || queue.lock().unwrap_or_else(PoisonError::into_inner);
    let out = &plan.options.out;
    let mut held_elsewhere = 0;
    loop {
        if options.interrupt.is_requested() {
            return Err(stopped(plan));
        }
        let (cell, left) = {
            let mut queue = lock();
            (queue.waiting.pop_front(), queue.waiting.len())
        };
        let Some(cell) = cell else { return Ok(()) };
        let Some(claim) = Claim::take(out, &cell.name())? else {
            lock().waiting.push_back(cell);
            held_elsewhere += 1;
            if held_elsewhere > left {
                // Others have all that is left.
                std::thread::sleep(LOOK_AGAIN);
            }
            continue;
        };
        held_elsewhere = 0;
        let outcome = match CellResult::is_in(&cell.folder(out)) {
            true => Ok(None),
            false => with_default(NoSubscriber::new(), || run_cell(plan, &cell, device, options)).map(Some),
        };
        match outcome {
            Ok(result) => {
                drop(claim);
                let mut queue = lock();
                queue.done += 1;
                if let Some(result) = result {
                    info!("{}/{}  {}", queue.done, queue.all, line(&cell, &result));
                }
                drop(queue);
                if let Err(error) = write_all_tables(plan, options, false) {
                    warn!("the tables are not written after this cell: {error}");
                }
            }
            Err(error @ Error::Interrupted { .. }) => return Err(error),
            // The other ranks are somewhere in the middle of this cell.
            Err(error) if options.ranks.are_many() => return Err(error),
            Err(error) => {
                warn!("{}: {error}", cell.name());
                lock().failures.push(format!("{}: {error}", cell.name()));
            }
        }
    }
}

/// Trains and scores one cell, from its newest checkpoint if it has one.
fn run_cell(plan: &SuitePlan, cell: &Cell, device: &Device, options: &WorkOptions) -> Result<CellResult> {
    let started = Instant::now();
    let config = plan.config(cell)?;
    order(&options.ranks, &Order::Cell(cell.name()))?;
    train(config, &cell.folder(&plan.options.out), device, &options.run())?;
    score_cell(plan, cell, device, started)
}

/// A finished cell in one line.
fn line(cell: &Cell, result: &CellResult) -> String {
    let average = |protocol: Protocol| {
        let scores = result.scores.values().filter_map(|scores| scores.get(&protocol));
        let sum: f64 = scores.map(|score| score.micro_f1).sum();
        100. * sum / result.scores.len().max(1) as f64
    };
    format!(
        "{}: micro-F1 {:.2} strict, {:.2} as in the paper; {:.0} s",
        cell.name(),
        average(Protocol::Strict),
        average(Protocol::Paper),
        result.seconds
    )
}

/// Writes the tables. After a cell, they have no differences, and another process that writes them now counts too.
fn write_all_tables(plan: &SuitePlan, options: &WorkOptions, is_end: bool) -> Result<()> {
    let out = &plan.options.out;
    let claim = match is_end {
        true => Claim::wait(out, "tables", &options.interrupt, || ())?,
        false => Claim::take(out, "tables")?,
    };
    let Some(claim) = claim else { return Ok(()) };
    write_tables(out, if is_end { options.draws } else { 0 })?;
    drop(claim);
    Ok(())
}
