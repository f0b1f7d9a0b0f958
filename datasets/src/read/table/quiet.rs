//! Polars panics on damaged files. Its panic becomes an error here, and its message reaches nobody.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// Whether this thread is in [`quietly`].
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` on this thread; `None` if it panics. The panic prints nothing. `work` must only read what it shares.
///
/// The process has one hook for panics. The first call puts one in front of it that only knows about this function.
pub(super) fn quietly<T>(work: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            if !QUIET.get() {
                before(panic);
            }
        }));
    });
    let outer = QUIET.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work)).ok();
    QUIET.set(outer);
    done
}

#[cfg(test)]
mod tests {
    use super::quietly;

    #[test]
    #[allow(clippy::panic, reason = "what is tested")]
    fn a_panic_is_none() {
        assert_eq!(quietly(|| 1), Some(1));
        assert_eq!(quietly(|| -> i32 { panic!("never shown") }), None);
    }
}
