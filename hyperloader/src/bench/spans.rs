//! Times of `tracing` spans.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use candle_core::Device;
use tracing::span::Id;
use tracing::{Subscriber, subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};

use super::device_memory;

/// Milliseconds of each time a span was left, by the span's name.
pub(super) type SpanTimes = BTreeMap<&'static str, Vec<f64>>;

/// Runs `work` and returns its result with the times of those of `spans` that this thread opens in it, and the most memory of the device
/// that was in use when one began or ended.
///
/// A device works while the host goes on, so the host waits for it before each look at the clock. These waits cost time, which spans that
/// hold others include.
pub(super) fn timed<T>(
    device: &Device,
    spans: &'static [&'static str],
    work: impl FnOnce() -> T,
) -> (T, SpanTimes, Option<u64>) {
    let measured = Arc::new(Mutex::new(Measured::default()));
    let layer = Timing { device: device.clone(), spans, measured: measured.clone() };
    let value = subscriber::with_default(Registry::default().with(layer), work);
    let Measured { times, memory } = std::mem::take(&mut *lock(&measured));
    (value, times, memory)
}

#[derive(Default)]
struct Measured {
    times: SpanTimes,
    memory: Option<u64>,
}

/// A layer that keeps the times of some spans.
struct Timing {
    device: Device,
    spans: &'static [&'static str],
    measured: Arc<Mutex<Measured>>,
}

impl Timing {
    /// Waits for the device. If it fails, so does the next operation, which says why.
    fn settle(&self) {
        if self.device.synchronize().is_ok() {
            let used = device_memory(&self.device);
            let memory = &mut lock(&self.measured).memory;
            *memory = used.max(*memory);
        }
    }

    fn concerns(&self, name: &str) -> bool {
        self.spans.contains(&name)
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Timing {
    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id).filter(|span| self.concerns(span.name())) {
            self.settle();
            span.extensions_mut().replace(Instant::now());
        }
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id).filter(|span| self.concerns(span.name())) else { return };
        self.settle();
        if let Some(entered) = span.extensions_mut().remove::<Instant>() {
            let milliseconds = 1e3 * entered.elapsed().as_secs_f64();
            lock(&self.measured).times.entry(span.name()).or_default().push(milliseconds);
        }
    }
}

/// The times, even if a thread panicked while it held them: they are complete after every span.
fn lock(measured: &Mutex<Measured>) -> std::sync::MutexGuard<'_, Measured> {
    measured.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::trace_span;

    #[test]
    fn each_time_that_a_span_is_left_is_one_measurement() {
        let (value, times, memory) = timed(&Device::Cpu, &["outer", "inner"], || {
            for _ in 0..3 {
                let _outer = trace_span!("outer").entered();
                trace_span!("inner").in_scope(|| std::thread::sleep(std::time::Duration::from_millis(1)));
            }
            7
        });
        assert_eq!((value, times["outer"].len(), times["inner"].len()), (7, 3, 3));
        assert_eq!(memory, None, "the processor has no memory of its own");
        assert!(times["outer"].iter().zip(&times["inner"]).all(|(outer, inner)| outer >= inner && *inner >= 1.0));
    }

    #[test]
    fn other_spans_are_not_waited_for() {
        let work = || trace_span!("outer").in_scope(|| trace_span!("inner").in_scope(|| ()));
        let ((), times, _) = timed(&Device::Cpu, &["outer"], work);
        assert_eq!(times.keys().collect::<Vec<_>>(), [&"outer"]);
    }
}
