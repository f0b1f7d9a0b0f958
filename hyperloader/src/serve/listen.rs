//! Connections.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tower::ServiceExt;
use tracing::{debug, warn};

use super::app::App;
use super::stalled::{Answering, Stalled};

/// The most bytes of a request's head.
const HEAD_BYTES: usize = 64 << 10;

/// Accepts connections and answers their requests; it never returns. `open` ends the connections.
pub(super) async fn accept(listener: &TcpListener, routes: Router, app: &Arc<App>, open: &GracefulShutdown) {
    let limits = &app.options.limits;
    let places = Arc::new(Semaphore::new(limits.connections.get().min(Semaphore::MAX_PERMITS)));
    let mut http = http1::Builder::new();
    // `Stalled` ends slow connections.
    http.header_read_timeout(None).max_buf_size(HEAD_BYTES);
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
        let (routes, answering) = (routes.clone(), Answering::default());
        let stream = TokioIo::new(Stalled::new(stream, limits, answering.clone()));
        let service = service_fn(move |request| {
            let (answer, answered) = (routes.clone().oneshot(request), answering.begin());
            async move {
                let answer = answer.await;
                drop(answered);
                answer
            }
        });
        let connection = open.watch(http.serve_connection(stream, service));
        let counted = app.metrics.connection();
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                debug!("a connection ended: {error}");
            }
            drop((counted, place));
        });
    }
}
