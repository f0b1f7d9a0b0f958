//! From the options to a server that has stopped.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use futures_util::future::{Either, select};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tracing::{info, warn};

use super::app::{App, router};
use super::listen::accept;
use super::metrics::Metrics;
use super::models::Registry;
use super::options::ServeOptions;
use super::phase::{Phase, Progress};
use crate::{Error, Result};

/// Serves until `stop` is there. Then requests that were accepted are answered, others are refused with 503, and the function returns.
///
/// `listening` gets the address before the models are loaded.
///
/// # Errors
/// [`Error::Config`] if the address cannot be used or the options do not fit together; if a model cannot be loaded.
pub fn serve(
    options: ServeOptions,
    listening: impl FnOnce(SocketAddr) -> Result<()>,
    stop: impl Future<Output = ()>,
) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
    let runtime = runtime.map_err(|e| Error::Internal(format!("the server cannot be started: {e}")))?;
    let served = runtime.block_on(run(options, listening, stop));
    // Connections that are still open end with it.
    drop(runtime);
    served
}

async fn run(
    options: ServeOptions,
    listening: impl FnOnce(SocketAddr) -> Result<()>,
    stop: impl Future<Output = ()>,
) -> Result<()> {
    let metrics = Arc::new(Metrics::new());
    let app = Arc::new(App { options, models: Registry::default(), metrics, progress: Progress::new() });
    let routes = router(&app)?;
    let address = app.options.address;
    let bound = TcpListener::bind(address).await.and_then(|listener| Ok((listener.local_addr()?, listener)));
    let (address, listener) = bound.map_err(|e| Error::Config(format!("--addr {address}: {e}")))?;
    listening(address)?;

    let open = GracefulShutdown::new();
    {
        let mut accepting = pin!(accept(&listener, routes, &app, &open));
        let mut stop = pin!(stop);
        let loading = pin!(app.models.load_all(&app.options, &app.metrics));
        let loaded = match select(loading, select(accepting.as_mut(), stop.as_mut())).await {
            Either::Left((loaded, _)) => Some(loaded),
            Either::Right(_) => None,
        };
        if let Some(loaded) = loaded {
            loaded?;
            check_tasks(&app)?;
            app.progress.enter(Phase::Serving);
            info!(models = app.models.all().len(), tasks = app.models.tasks().len(), "ready");
            select(accepting.as_mut(), stop).await;
        }
        app.progress.enter(Phase::Draining);
        info!(requests = app.progress.accepted(), "shutting down");
        // New connections are accepted to be told so.
        select(accepting, pin!(app.progress.all_answered())).await;
    }
    drop(listener);
    if tokio::time::timeout(app.options.limits.client_time, open.shutdown()).await.is_err() {
        warn!("connections were closed whose clients did not read their answers");
    }
    Ok(())
}

/// Checks that the tasks of the options are there.
fn check_tasks(app: &App) -> Result<()> {
    let mut known: Vec<String> = app.models.tasks().into_iter().map(|task| task.task).collect();
    known.sort();
    known.dedup();
    let asked = app.options.default_task.iter().map(|task| ("--default-task", task));
    for (option, task) in asked.chain(app.options.preload.iter().map(|task| ("--preload", task))) {
        if !known.contains(task) {
            return Err(Error::Config(format!("{option} {task}: no model has this task; known: {}", known.join(", "))));
        }
    }
    Ok(())
}
