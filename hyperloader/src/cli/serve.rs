//! `serve`: a server until a signal ends it.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

use super::args::{Global, ServeArgs};
use super::output;
use crate::run::RunDir;
use crate::serve::ServeOptions;
use crate::train::INTERRUPTED;
use crate::{Error, Result};

pub(super) fn serve(args: &ServeArgs, global: &Global, out: &mut dyn Write) -> Result<()> {
    let options = args.options()?;
    let device = global.open_for_all(options.models.iter().map(|model| RunDir::new(&model.path)))?;
    let options = ServeOptions { dtype: global.dtype, device, ..options };
    let stop = on_signal()?;
    let tell = |address: SocketAddr| {
        output::written(writeln!(out, "{{\"address\":\"http://{address}\"}}"))?;
        output::written(out.flush())
    };
    crate::serve::serve(options, tell, async move { stop.notified().await })
}

/// What the first SIGINT or SIGTERM notifies. The second one ends the process at once.
fn on_signal() -> Result<Arc<Notify>> {
    let (stop, asked) = (Arc::new(Notify::new()), AtomicBool::new(false));
    let notified = stop.clone();
    let handler = move || match asked.swap(true, Ordering::Relaxed) {
        false => stop.notify_one(),
        true => std::process::exit(INTERRUPTED.into()),
    };
    ctrlc::set_handler(handler).map_err(|e| Error::Internal(format!("cannot handle signals: {e}")))?;
    Ok(notified)
}
