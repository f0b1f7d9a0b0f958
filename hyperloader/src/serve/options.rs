//! What is served, where, and within which limits.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use candle_core::Device;
use peft_core::nonzero;
use smart_default::SmartDefault;

use super::secret::Secret;
use crate::model::Precision;
use crate::{Error, Result};

/// A run folder or a compiled folder, and the name by which clients ask for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelSource {
    /// The name.
    pub name: String,
    /// The folder.
    pub path: PathBuf,
}

impl ModelSource {
    /// The model in `path`, which is named `name` or, without one, like its folder.
    ///
    /// # Errors
    /// [`Error::Config`] if the name is empty, is longer than 100 characters, or has others than letters, digits, `.`, `_` and `-`.
    pub fn new(name: Option<&str>, path: &Path) -> Result<Self> {
        let folder = || Some(path.canonicalize().ok()?.file_name()?.to_str()?.to_owned());
        let name = name.map(str::to_owned).or_else(folder).unwrap_or_default();
        let is_allowed = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-');
        if name.is_empty() || name.chars().count() > 100 || !name.chars().all(is_allowed) {
            return Err(Error::Config(format!(
                "{}: {name:?} cannot be the name of a model, which has letters, digits, '.', '_' and '-'; give NAME={}",
                path.display(),
                path.display()
            )));
        }
        Ok(Self { name, path: path.to_path_buf() })
    }

    /// What the command line names: `PATH` or `NAME=PATH`.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn parse(text: &str) -> Result<Self> {
        match text.split_once('=') {
            Some((name, path)) if !Path::new(text).exists() && !name.contains(['/', '\\']) => {
                Self::new(Some(name), Path::new(path))
            }
            _ => Self::new(None, Path::new(text)),
        }
    }
}

/// What a server accepts. What is above a limit is refused before it is computed.
#[derive(Debug, Clone, PartialEq, Eq, SmartDefault)]
#[non_exhaustive]
pub struct Limits {
    /// The requests of a model that may wait; the next one is answered with 429. Default 64.
    #[default(nonzero(64))]
    pub queue: NonZeroUsize,
    /// The bytes of a request's body. Default 1 MiB.
    #[default(nonzero(1 << 20))]
    pub body_bytes: NonZeroUsize,
    /// The words of a request, over all of its texts. Default 20,000.
    #[default(nonzero(20_000))]
    pub words: NonZeroUsize,
    /// The texts of a request. Default 256.
    #[default(nonzero(256))]
    pub texts: NonZeroUsize,
    /// The best sequences of tags that a request may ask for. Default 8.
    #[default(nonzero(8))]
    pub n_best: NonZeroUsize,
    /// The time from a request's first byte to its answer. Default 60 s.
    #[default(Duration::from_secs(60))]
    pub request_time: Duration,
    /// The time in which a client has to send the head of a request, its body, and to accept a part of the answer. Default 10 s.
    #[default(Duration::from_secs(10))]
    pub client_time: Duration,
    /// The time for which a connection may be silent after an answer. Default 75 s, longer than proxies keep theirs.
    #[default(Duration::from_secs(75))]
    pub idle_time: Duration,
    /// The connections that are open at once; further ones wait. Default 512.
    #[default(nonzero(512))]
    pub connections: NonZeroUsize,
}

/// What a server does.
#[derive(Debug, Clone, SmartDefault)]
#[non_exhaustive]
pub struct ServeOptions {
    /// The address and port to listen on; port 0 takes a free one. Default `127.0.0.1:8080`.
    #[default(SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)))]
    pub address: SocketAddr,
    /// The models.
    pub models: Vec<ModelSource>,
    /// The task of requests that name none. Default: the only one, if there is only one.
    pub default_task: Option<String>,
    /// The tasks whose weights are generated before the server is ready. A model of one task always is.
    pub preload: Vec<String>,
    /// The tasks of a model whose weights are kept; the least recently used ones go first. Default 16.
    #[default(nonzero(16))]
    pub max_tasks: NonZeroUsize,
    /// The batches of a model that are labelled at once. Default: one for each thread, up to 4.
    pub workers: Option<NonZeroUsize>,
    /// The most texts of a batch. Default: four times the run's `eval.batch_size`.
    pub batch_texts: Option<NonZeroUsize>,
    /// What is accepted.
    pub limits: Limits,
    /// What clients must present. Default: nothing.
    pub token: Option<Secret>,
    /// What clients must present to load and unload models. Default: nobody may.
    pub admin_token: Option<Secret>,
    /// The origins whose pages a browser may let read answers, such as `https://example.org`. Default: none.
    pub cors_origins: Vec<String>,
    /// The type of the backbones' frozen matrices. Default: each run's own.
    pub dtype: Option<Precision>,
    /// The device. Default: the CPU.
    #[default(Device::Cpu)]
    pub device: Device,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_model_is_named_like_its_folder_unless_a_name_is_given() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("a=b");
        std::fs::create_dir(&run).unwrap();
        std::fs::create_dir(folder.path().join("first")).unwrap();
        let first = folder.path().join("first");
        assert_eq!(ModelSource::parse(first.to_str().unwrap()).unwrap().name, "first");
        assert_eq!(
            ModelSource::parse(&format!("mine={}", first.display())).unwrap(),
            ModelSource { name: "mine".into(), path: first }
        );
        // A folder that exists is never cut at its '='.
        let message = ModelSource::parse(run.to_str().unwrap()).unwrap_err().to_string();
        assert!(message.contains("\"a=b\" cannot be the name of a model"), "{message}");
        assert_eq!(ModelSource::parse(&format!("it={}", run.display())).unwrap().path, run);
    }
}
