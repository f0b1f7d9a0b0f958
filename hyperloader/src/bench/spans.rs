//! Times of `tracing` spans.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tracing::span::Id;
use tracing::{Subscriber, subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};

/// Milliseconds of each time a span was left, by the span's name.
pub(super) type SpanTimes = BTreeMap<&'static str, Vec<f64>>;

/// Runs `work` and returns its result with the times of all spans that this thread opens in it.
pub(super) fn timed<T>(work: impl FnOnce() -> T) -> (T, SpanTimes) {
    let times = Arc::new(Mutex::new(SpanTimes::new()));
    let layer = Timing(times.clone());
    let value = subscriber::with_default(Registry::default().with(layer), work);
    let times = std::mem::take(&mut *lock(&times));
    (value, times)
}

/// A layer that keeps the times of spans.
struct Timing(Arc<Mutex<SpanTimes>>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Timing {
    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            span.extensions_mut().replace(Instant::now());
        }
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(entered) = span.extensions_mut().remove::<Instant>() {
            let milliseconds = 1e3 * entered.elapsed().as_secs_f64();
            lock(&self.0).entry(span.name()).or_default().push(milliseconds);
        }
    }
}

/// The times, even if a thread panicked while it held them: they are complete after every span.
fn lock(times: &Mutex<SpanTimes>) -> std::sync::MutexGuard<'_, SpanTimes> {
    times.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::trace_span;

    #[test]
    fn each_time_that_a_span_is_left_is_one_measurement() {
        let (value, times) = timed(|| {
            for _ in 0..3 {
                let _outer = trace_span!("outer").entered();
                trace_span!("inner").in_scope(|| std::thread::sleep(std::time::Duration::from_millis(1)));
            }
            7
        });
        assert_eq!((value, times["outer"].len(), times["inner"].len()), (7, 3, 3));
        assert!(times["outer"].iter().zip(&times["inner"]).all(|(outer, inner)| outer >= inner && *inner >= 1.0));
    }
}
