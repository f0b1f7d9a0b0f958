//! Logs of a server.

use tracing::Level;

/// Writes the events of this process to stderr, each as a line with its time, level and fields. With `requests`, each request is an
/// event. No event holds text that was sent to be labelled.
///
/// It has no effect if the process already has a `tracing` subscriber.
pub fn log_events(requests: bool) {
    let level = if requests { Level::DEBUG } else { Level::INFO };
    let lines = tracing_subscriber::fmt().with_target(false).with_ansi(false).log_internal_errors(false);
    let _ = tracing::subscriber::set_global_default(lines.with_max_level(level).with_writer(std::io::stderr).finish());
}
