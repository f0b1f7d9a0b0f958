//! The processes that `mpirun` started together.

use super::args::Verb;
#[cfg(not(feature = "mpi"))]
use crate::Error;
use crate::Result;
use crate::train::Ranks;

/// The ranks of this command, as long as it lives.
pub(super) struct Started {
    pub(super) ranks: Ranks,
    /// It ends MPI when it is dropped.
    #[cfg(feature = "mpi")]
    _process: Option<crate::train::MpiProcess>,
}

/// The ranks that work on `verb` together. Verbs that do not train are one process each, also if `mpirun` started several.
///
/// # Errors
/// [`Error::Config`] if MPI cannot be started, or this program cannot use it.
pub(super) fn start(verb: &Verb) -> Result<Started> {
    match verb {
        Verb::Train(_) | Verb::Pretrain(_) | Verb::Adapt(_) | Verb::Bench(_) | Verb::Reproduce(_) => join(),
        _ => Ok(alone()),
    }
}

#[cfg(feature = "mpi")]
fn alone() -> Started {
    Started { ranks: Ranks::default(), _process: None }
}

#[cfg(feature = "mpi")]
fn join() -> Result<Started> {
    Ok(match crate::train::MpiProcess::start()? {
        Some((process, mpi)) => Started { ranks: Ranks::new(mpi), _process: Some(process) },
        None => alone(),
    })
}

#[cfg(not(feature = "mpi"))]
fn alone() -> Started {
    Started { ranks: Ranks::default() }
}

/// Several processes would all train the same, into one folder.
#[cfg(not(feature = "mpi"))]
fn join() -> Result<Started> {
    let processes = std::env::var("OMPI_COMM_WORLD_SIZE").or_else(|_| std::env::var("PMI_SIZE")).ok();
    match processes.and_then(|count| count.parse::<usize>().ok()) {
        Some(count) if count > 1 => Err(Error::Config(format!(
            "mpirun has started {count} processes of this program, which was built without MPI; build it with --features mpi, or start \
             one process"
        ))),
        _ => Ok(alone()),
    }
}
