//! The processes that a launcher started together: `mpirun`, or `torchrun` and its like.

use super::args::Verb;
#[cfg(not(feature = "mpi"))]
use crate::Error;
use crate::Result;
use crate::train::{Launch, Ranks, Tcp};

/// The ranks of this command, as long as it lives.
pub(super) struct Started {
    pub(super) ranks: Ranks,
    /// It ends MPI when it is dropped.
    #[cfg(feature = "mpi")]
    _process: Option<crate::train::MpiProcess>,
}

impl Started {
    fn without_mpi(ranks: Ranks) -> Self {
        Self {
            ranks,
            #[cfg(feature = "mpi")]
            _process: None,
        }
    }
}

/// The ranks that work on `verb` together. Verbs that do not train are one process each, also if a launcher started several. What
/// `RANK`, `WORLD_SIZE`, `MASTER_ADDR` and `MASTER_PORT` say comes before what MPI says: `torchrun` may itself run under `srun`.
///
/// # Errors
/// [`Error::Config`](crate::Error::Config) if MPI cannot be started, this program cannot use it, or a variable is wrong; if ranks do not come together.
pub(super) fn start(verb: &Verb) -> Result<Started> {
    match verb {
        Verb::Train(_) | Verb::Pretrain(_) | Verb::Adapt(_) | Verb::Bench(_) | Verb::Reproduce(_) => {}
        _ => return Ok(Started::without_mpi(Ranks::default())),
    }
    match Launch::from_environment()? {
        Some(launch) => Ok(Started::without_mpi(Ranks::new(Tcp::join(&launch, Tcp::PATIENCE)?))),
        None => join_mpi(),
    }
}

#[cfg(feature = "mpi")]
fn join_mpi() -> Result<Started> {
    Ok(match crate::train::MpiProcess::start()? {
        Some((process, mpi)) => Started { ranks: Ranks::new(mpi), _process: Some(process) },
        None => Started::without_mpi(Ranks::default()),
    })
}

/// Several processes would all train the same, into one folder.
#[cfg(not(feature = "mpi"))]
fn join_mpi() -> Result<Started> {
    let processes = std::env::var("OMPI_COMM_WORLD_SIZE").or_else(|_| std::env::var("PMI_SIZE")).ok();
    match processes.and_then(|count| count.parse::<usize>().ok()) {
        Some(count) if count > 1 => Err(Error::Config(format!(
            "mpirun has started {count} processes of this program, which was built without MPI; build it with --features mpi, or start \
             one process"
        ))),
        _ => Ok(Started::without_mpi(Ranks::default())),
    }
}
