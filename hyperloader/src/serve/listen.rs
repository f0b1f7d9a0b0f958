//! Connections.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tracing::{debug, warn};

use super::app::App;
use super::stalled::Stalled;

/// The most bytes of a request's head.
const HEAD_BYTES: usize = 64 << 10;

/// Accepts connections and answers their requests; it never returns. `open` ends the connections.
pub(super) async fn accept(listener: &TcpListener, routes: Router, app: &Arc<App>, open: &GracefulShutdown) {
    let limits = &app.options.limits;
    let places = Arc::new(Semaphore::new(limits.connections.get().min(Semaphore::MAX_PERMITS)));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.client_time).max_buf_size(HEAD_BYTES);
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors, perhaps: connections that end make room.
                warn!("no connection can be accepted: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        // Answers are small and complete: nothing is gained by waiting for more of them.
        let _ = stream.set_nodelay(true);
        let stream = TokioIo::new(Stalled::new(stream, limits.client_time));
        let connection = open.watch(http.serve_connection(stream, TowerToHyperService::new(routes.clone())));
        let counted = app.metrics.connection();
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                debug!("a connection ended: {error}");
            }
            drop((counted, place));
        });
    }
}
