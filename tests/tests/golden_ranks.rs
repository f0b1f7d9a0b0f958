//! Every golden folder's gradients and trained weights, by two ranks of MPI which share the sentences of each batch.
//!
//! This program starts itself under `mpirun` and then is each rank.
#![allow(clippy::expect_used, clippy::panic, reason = "tests")]

use std::process::{Command, exit};

use hyperloader::optim::Unreached;
use hyperloader::train::{MpiProcess, Ranks};
use peft_kernels::Kernels;
use peft_tests::golden::steps::{gradients, gradients_gap, train, weights_gap};
use peft_tests::golden::{COMMITTED, Golden, folders};

const RANKS: usize = 2;

fn main() {
    match MpiProcess::start().expect("MPI") {
        Some((_process, mpi)) => {
            // Unwinding would end MPI in order, which waits for the other ranks.
            let report = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                report(info);
                std::process::abort()
            }));
            check(&Ranks::new(mpi));
        }
        None => exit(under_mpirun()),
    }
}

/// Starts the ranks; the exit code of all.
fn under_mpirun() -> i32 {
    let own = std::env::current_exe().expect("the path of this program");
    let mut command = Command::new("mpirun");
    command.args(["-n", &RANKS.to_string()]).arg(own);
    for name in ["OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "OMPI_MCA_rmaps_base_oversubscribe"] {
        command.env(name, "1");
    }
    command.env("OMPI_MCA_hwloc_base_binding_policy", "none").env("RAYON_NUM_THREADS", "1");
    command.status().expect("mpirun").code().unwrap_or(1)
}

fn check(ranks: &Ranks) {
    assert_eq!(ranks.size().get(), RANKS);
    let folders = folders();
    let (mut worst, mut checked, mut mixed) = (0f64, 0, 0);
    for folder in &folders {
        let golden = Golden::open(folder);
        let mut note = |what: &str, used: f64| {
            assert!(used <= 1., "{} {what}: {:.1} % of the tolerance", golden.name, 100. * used);
            worst = worst.max(used);
            checked += 1;
        };
        let of_batches: Vec<&str> = golden.description.tasks_of_batches.iter().map(String::as_str).collect();
        let same = vec![of_batches[0]; of_batches.len()];
        let ours = gradients(&golden.model(), &golden, (0, of_batches[0]), Kernels::Fused, ranks);
        note("gradients", gradients_gap(&golden, &ours));
        let weights = |stem: &str, tasks: &[&str], unreached, steps| {
            weights_gap(&golden, stem, || train(&golden, tasks, unreached, steps, Kernels::Fused, ranks))
        };
        let expected = "the steps of one task";
        note("after_step1", weights("after_step1", &same, Unreached::Dense, 1).expect(expected));
        note("same_task", weights("after_step5.same_task", &same, Unreached::Dense, 5).expect(expected));
        for (stem, unreached) in [("mixed_dense", Unreached::Dense), ("mixed_lazy", Unreached::Lazy)] {
            if let Some(used) = weights(&format!("after_step5.{stem}"), &of_batches, unreached, 5) {
                note(stem, used);
                mixed += 1;
            }
        }
    }
    assert!(folders.len() >= COMMITTED && mixed > 0, "{} folders, {mixed} with mixed tasks", folders.len());
    if ranks.is_first() {
        let count = folders.len();
        println!(
            "{RANKS} ranks: {count} golden folders, {checked} checks, at most {:.1} % of the tolerance",
            100. * worst
        );
    }
}
