//! What a launcher says of this process in its variables.

use std::num::NonZeroUsize;
use std::str::FromStr;

use crate::{Error, Result};

/// The variables that hold the number of a process among those of its machine: of `torchrun`, OpenMPI, MPICH and Intel MPI, Slurm.
const LOCAL_RANK: [&str; 4] = ["LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID"];

/// Which of several processes this one is, and where rank 0 is: what `torchrun` and those who imitate it say in variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// `RANK`.
    pub rank: usize,
    /// `WORLD_SIZE`.
    pub size: NonZeroUsize,
    /// `MASTER_ADDR`: the name or address of the machine of rank 0.
    pub address: String,
    /// `MASTER_PORT`, or the next one under `torchrun`: its own store listens at `MASTER_PORT`.
    pub port: u16,
}

impl Launch {
    /// What the variables of this process say; `None` if it was not started as one of several.
    ///
    /// # Errors
    /// [`Error::Config`] naming the variable that is missing or wrong.
    pub fn from_environment() -> Result<Option<Self>> {
        Self::read(&|name| std::env::var(name).ok())
    }

    fn read(variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<Self>> {
        let (Some(rank), Some(size)) = (number(variable, "RANK")?, number::<NonZeroUsize>(variable, "WORLD_SIZE")?)
        else {
            return Ok(None);
        };
        if size.get() == 1 {
            return Ok(None);
        }
        if rank >= size.get() {
            return Err(Error::Config(format!("RANK is {rank}: with WORLD_SIZE={size} it must be below {size}")));
        }
        let missing =
            |name: &str| Error::Config(format!("RANK and WORLD_SIZE are set, {name} is not: it says where rank 0 is"));
        let address = variable("MASTER_ADDR").ok_or_else(|| missing("MASTER_ADDR"))?;
        let port: u16 = number(variable, "MASTER_PORT")?.ok_or_else(|| missing("MASTER_PORT"))?;
        let is_taken = variable("TORCHELASTIC_USE_AGENT_STORE").is_some_and(|value| value == "True");
        let port = port.checked_add(is_taken.into());
        let port = port.ok_or_else(|| Error::Config("MASTER_PORT is 65535, and torchrun needs it itself".into()))?;
        Ok(Some(Self { rank, size, address, port }))
    }
}

/// The number of this process among those of its machine, if a launcher says it.
///
/// # Errors
/// [`Error::Config`] naming the variable that is no number.
pub fn local_rank() -> Result<Option<usize>> {
    local_rank_in(&|name| std::env::var(name).ok())
}

fn local_rank_in(variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<usize>> {
    LOCAL_RANK.into_iter().find_map(|name| number(variable, name).transpose()).transpose()
}

fn number<T: FromStr>(variable: &dyn Fn(&str) -> Option<String>, name: &str) -> Result<Option<T>> {
    let Some(text) = variable(name) else { return Ok(None) };
    let wrong = |_| Error::Config(format!("the variable {name} is {text:?}, which is not a number that it can have"));
    text.trim().parse().map(Some).map_err(wrong)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn launch(variables: &[(&str, &str)]) -> Result<Option<Launch>, String> {
        let find = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Launch::read(&find).map_err(|error| error.to_string())
    }

    const ALL: [(&str, &str); 4] =
        [("RANK", "2"), ("WORLD_SIZE", "4"), ("MASTER_ADDR", "node0"), ("MASTER_PORT", "29500")];

    #[test]
    fn one_of_several_is_told_by_rank_and_size() {
        let found = launch(&ALL).unwrap().unwrap();
        assert_eq!((found.rank, found.size.get(), &*found.address, found.port), (2, 4, "node0", 29500));
        for few in [&ALL[1..], &[ALL[0], ALL[2]], &[ALL[0], ("WORLD_SIZE", "1")], &[]] {
            assert_eq!(launch(few), Ok(None), "{few:?}");
        }
    }

    #[test]
    fn torchrun_has_its_own_server_at_the_port() {
        let with_store = |port| launch(&[ALL[0], ALL[1], ALL[2], port, ("TORCHELASTIC_USE_AGENT_STORE", "True")]);
        assert_eq!(with_store(ALL[3]).unwrap().unwrap().port, 29501);
        assert!(with_store(("MASTER_PORT", "65535")).unwrap_err().contains("65535"));
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        assert!(launch(&ALL[..2]).unwrap_err().contains("MASTER_ADDR is not"));
        assert!(launch(&ALL[..3]).unwrap_err().contains("MASTER_PORT is not"));
        assert!(launch(&[("RANK", "4"), ALL[1]]).unwrap_err().contains("RANK is 4"));
        assert!(launch(&[("RANK", "x"), ALL[1]]).unwrap_err().contains("RANK is \"x\""));
        assert!(launch(&[ALL[0], ("WORLD_SIZE", "0")]).unwrap_err().contains("WORLD_SIZE is \"0\""));
        assert!(launch(&[ALL[0], ALL[1], ALL[2], ("MASTER_PORT", "70000")]).unwrap_err().contains("MASTER_PORT"));
    }

    #[test]
    fn the_local_rank_of_the_innermost_launcher_counts() {
        let of = |variables: &[(&str, &str)]| {
            let find =
                |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
            local_rank_in(&find).map_err(|error| error.to_string())
        };
        assert_eq!(of(&[("SLURM_LOCALID", "0"), ("LOCAL_RANK", "3")]), Ok(Some(3)));
        assert_eq!(of(&[("SLURM_LOCALID", "0"), ("OMPI_COMM_WORLD_LOCAL_RANK", "2")]), Ok(Some(2)));
        assert_eq!(of(&[("SLURM_LOCALID", "1")]), Ok(Some(1)));
        assert_eq!(of(&[]), Ok(None));
        assert!(of(&[("LOCAL_RANK", "-1")]).unwrap_err().contains("LOCAL_RANK"));
    }
}
