//! Messages for people.

use tracing::Level;

/// Prints the warnings and messages of this process on stderr, each as a plain line without time and level.
///
/// A command calls it once at its start. It has no effect if the process already has a `tracing` subscriber.
pub fn print_messages() {
    let lines = tracing_subscriber::fmt().without_time().with_level(false).with_target(false);
    // A stderr that cannot be written to must not stop the command.
    let lines = lines.log_internal_errors(false).with_max_level(Level::INFO).with_writer(std::io::stderr).finish();
    // An error means that the process has chosen its own subscriber.
    let _ = tracing::subscriber::set_global_default(lines);
}
