//! The arguments of `serve`.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::number::{ANY, count};
use crate::config::MOST_BEAMS;
use crate::serve::{Limits, ModelSource, ServeOptions};
use crate::{Error, Result};

pub(super) const AFTER_HELP: &str = "The first line on standard output is the address: {\"address\":\"http://127.0.0.1:8080\"}. GET /ready answers 200 once the models are \
     loaded. SIGTERM and SIGINT end the server when it has answered what it accepted.\n\n\
     Example: hyperloader serve runs/first\n\n\
     Then: curl --json '{\"task\": \"snips\", \"text\": \"play some jazz\"}' http://127.0.0.1:8080/v1/label";

#[derive(Debug, Args)]
pub(in crate::cli) struct ServeArgs {
    /// The folders of trained runs or compiled models; NAME=FOLDER gives a model another name than its folder's
    #[arg(required = true, value_name = "RUN_OR_COMPILED")]
    pub(in crate::cli) models: Vec<String>,
    /// The address and the port to listen on; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080")]
    pub(in crate::cli) addr: SocketAddr,
    /// The task of requests that name none [default: the only one]
    #[arg(long, value_name = "TASK")]
    pub(in crate::cli) default_task: Option<String>,
    /// A task whose weights are generated before the server is ready; may be given several times [default: the task of a model that
    /// has one]
    #[arg(long, value_name = "TASK")]
    pub(in crate::cli) preload: Vec<String>,
    /// The tasks of a model whose weights are kept; the least recently used ones go first
    #[arg(long, value_name = "N", default_value = "16", value_parser = count(ANY))]
    pub(in crate::cli) max_tasks: NonZeroUsize,
    /// The batches of a model that are labelled at once [default: one per thread, up to 4]
    #[arg(long, value_name = "N", value_parser = count(256))]
    pub(in crate::cli) workers: Option<NonZeroUsize>,
    /// The most texts of a batch [default: 4 times the run's eval.batch_size]
    #[arg(long, value_name = "N", value_parser = count(100_000))]
    pub(in crate::cli) batch_texts: Option<NonZeroUsize>,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    access: AccessArgs,
}

/// What is accepted.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
struct LimitArgs {
    /// The requests of a model that may wait; the next one is answered with 429
    #[arg(long, value_name = "N", default_value = "64", value_parser = count(1_000_000))]
    max_queue: NonZeroUsize,
    /// The bytes of a request's body; more are answered with 413
    #[arg(long, value_name = "BYTES", default_value = "1048576", value_parser = count(ANY))]
    max_body: NonZeroUsize,
    /// The words of a request, over all of its texts; more are answered with 413
    #[arg(long, value_name = "N", default_value = "20000", value_parser = count(ANY))]
    max_words: NonZeroUsize,
    /// The texts of a request; more are answered with 413
    #[arg(long, value_name = "N", default_value = "256", value_parser = count(ANY))]
    max_texts: NonZeroUsize,
    /// The best sequences of tags that a request may ask for
    #[arg(long, value_name = "N", default_value = "8", value_parser = count(MOST_BEAMS))]
    max_n_best: NonZeroUsize,
    /// The seconds until a request is answered with 504
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = count(86_400))]
    request_time: NonZeroUsize,
    /// The seconds that a client may take to send a head or a body, or to accept a part of an answer
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = count(86_400))]
    client_time: NonZeroUsize,
    /// The seconds for which a connection may be silent after an answer
    #[arg(long, value_name = "SECONDS", default_value = "75", value_parser = count(86_400))]
    idle_time: NonZeroUsize,
    /// The connections that are open at once; further ones wait
    #[arg(long, value_name = "N", default_value = "512", value_parser = count(1_000_000))]
    max_connections: NonZeroUsize,
}

/// Who may ask.
#[derive(Debug, Args)]
#[command(next_help_heading = "Access")]
struct AccessArgs {
    /// A file with a token that clients must send (Authorization: Bearer TOKEN) [default: none is needed]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// A file with a token to load and unload models at /v1/models [default: nobody may]
    #[arg(long, value_name = "FILE")]
    admin_token_file: Option<PathBuf>,
    /// An origin whose pages may read answers in a browser; may be given several times [default: none]
    #[arg(long, value_name = "ORIGIN")]
    cors_origin: Vec<String>,
}

impl ServeArgs {
    /// What they ask for.
    ///
    /// # Errors
    /// [`Error::Config`] if the name of a model is none; if a file with a token cannot be read or holds none.
    pub(in crate::cli) fn options(&self) -> Result<ServeOptions> {
        let seconds = |number: NonZeroUsize| Duration::from_secs(number.get() as u64);
        let token = |file: &Option<PathBuf>, option: &str| {
            let read = file.as_deref().map(crate::serve::Secret::read).transpose();
            read.map_err(|source| Error::Setting {
                key: option.to_owned(),
                source: Box::new(Error::Config(source.to_string())),
            })
        };
        let limits = Limits {
            queue: self.limits.max_queue,
            body_bytes: self.limits.max_body,
            words: self.limits.max_words,
            texts: self.limits.max_texts,
            n_best: self.limits.max_n_best,
            request_time: seconds(self.limits.request_time),
            client_time: seconds(self.limits.client_time),
            idle_time: seconds(self.limits.idle_time),
            connections: self.limits.max_connections,
        };
        Ok(ServeOptions {
            address: self.addr,
            models: self.models.iter().map(|model| ModelSource::parse(model)).collect::<Result<_>>()?,
            default_task: self.default_task.clone(),
            preload: self.preload.clone(),
            max_tasks: self.max_tasks,
            workers: self.workers,
            batch_texts: self.batch_texts,
            limits,
            token: token(&self.access.token_file, "--token-file")?,
            admin_token: token(&self.access.admin_token_file, "--admin-token-file")?,
            cors_origins: self.access.cors_origin.clone(),
            ..ServeOptions::default()
        })
    }
}
