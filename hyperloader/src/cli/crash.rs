//! Panics: one sentence for the user, whatever `RUST_BACKTRACE` says.

use std::any::Any;
use std::io::Write;
use std::panic::{AssertUnwindSafe, Location, PanicHookInfo, catch_unwind};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

/// The exit code of a bug; `sysexits.h` calls it `EX_SOFTWARE`.
const BUG: u8 = 70;

/// Where the last panic happened. A hook has no other way to tell: the payload of a panic has no place.
static PLACE: Mutex<Option<String>> = Mutex::new(None);

/// Runs `work`. If it panics, on any thread whose panic reaches this one, that is reported as a bug.
///
/// Panics that the library catches itself, because it knows of a dependency that panics, print nothing.
pub(super) fn guarded(work: impl FnOnce() -> ExitCode) -> ExitCode {
    std::panic::set_hook(Box::new(remember));
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        let place = PLACE.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Nobody can be told if stderr is closed.
        let _ = writeln!(std::io::stderr(), "{}", report(&text(payload.as_ref()), place.as_deref()));
        ExitCode::from(BUG)
    })
}

fn remember(info: &PanicHookInfo<'_>) {
    *PLACE.lock().unwrap_or_else(PoisonError::into_inner) = info.location().map(place);
}

/// The file within its crate, and the line.
fn place(location: &Location<'_>) -> String {
    let parts: Vec<&str> = location.file().split(['/', '\\']).collect();
    let src = parts.iter().rposition(|part| *part == "src").unwrap_or_default();
    format!("{}:{}", parts.get(src.saturating_sub(1)..).unwrap_or_default().join("/"), location.line())
}

fn text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str).or_else(|| payload.downcast_ref().copied());
    text.unwrap_or("no reason was given").trim().replace('\n', " ")
}

fn report(reason: &str, place: Option<&str>) -> String {
    let place = place.map(|place| format!(" ({place})")).unwrap_or_default();
    let (version, address) = (env!("CARGO_PKG_VERSION"), env!("CARGO_PKG_REPOSITORY"));
    format!(
        "error: this is a bug in hyperloader {version}: {reason}{place}. Please report it with the command that you ran: \
         {address}/issues"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_is_one_line_with_reason_and_place() {
        let payload: Box<dyn Any + Send> = Box::new("index 3 is\nout of range".to_owned());
        let line = report(&text(payload.as_ref()), Some("polars-core-0.55/src/frame.rs:7"));
        assert!(line.contains("index 3 is out of range (polars-core-0.55/src/frame.rs:7). Please report"), "{line}");
        assert!(!line.contains('\n') && line.starts_with("error: this is a bug in hyperloader "), "{line}");
        assert_eq!(text(&"plain"), "plain");
        assert_eq!(text(&5_u8), "no reason was given");
    }

    #[test]
    fn a_place_has_no_folder_of_the_machine_that_built_it() {
        let place = place(Location::caller());
        assert!(place.contains("src/cli/crash.rs:") && !place.starts_with('/'), "{place}");
    }
}
