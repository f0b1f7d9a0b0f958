//! What a server counts, for Prometheus.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry as Prometheus, Unit};

use super::models::Registry;

/// The content type of [`Metrics::text`].
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper ends of the times to answer, in seconds.
const SECONDS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1., 2.5, 5., 10., 30.];
/// Upper ends of the numbers of texts in a batch.
const TEXTS: [f64; 9] = [1., 2., 4., 8., 16., 32., 64., 128., 256.];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByStatus {
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByRoute {
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByModel {
    model: String,
}

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// The counters of a server.
#[derive(Debug)]
pub(super) struct Metrics {
    registry: Mutex<Prometheus>,
    requests: Family<ByStatus, Counter>,
    seconds: Histograms<ByRoute>,
    connections: Gauge,
    answering: Gauge,
    waiting: Family<ByModel, Gauge>,
    tasks: Family<ByModel, Gauge>,
    batches: Histograms<ByModel>,
    texts: Family<ByModel, Counter>,
    words: Family<ByModel, Counter>,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut registry = Prometheus::with_prefix("hyperloader");
        let new = Self {
            registry: Mutex::default(),
            requests: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            connections: Gauge::default(),
            answering: Gauge::default(),
            waiting: Family::default(),
            tasks: Family::default(),
            batches: Family::new_with_constructor(|| Histogram::new(TEXTS)),
            texts: Family::default(),
            words: Family::default(),
        };
        registry.register("requests", "Answered requests", new.requests.clone());
        let help = "The time from a request's head to its answer";
        registry.register_with_unit("request_duration", help, Unit::Seconds, new.seconds.clone());
        registry.register("connections", "Open connections", new.connections.clone());
        registry.register("requests_in_flight", "Requests accepted and not answered", new.answering.clone());
        registry.register("queue_requests", "Requests that wait to be labelled", new.waiting.clone());
        registry.register("loaded_tasks", "Tasks whose weights are generated and kept", new.tasks.clone());
        registry.register("batch_texts", "Texts that were labelled together", new.batches.clone());
        registry.register("texts", "Texts that were labelled", new.texts.clone());
        registry.register("words", "Words that were labelled", new.words.clone());
        Self { registry: Mutex::new(registry), ..new }
    }

    /// Counts an answered request.
    pub(super) fn request(&self, route: &str, status: u16, time: Duration) {
        let route = route.to_owned();
        self.seconds.get_or_create(&ByRoute { route: route.clone() }).observe(time.as_secs_f64());
        self.requests.get_or_create(&ByStatus { route, status }).inc();
    }

    /// Counts a connection until the result is dropped.
    pub(super) fn connection(&self) -> OpenConnection {
        self.connections.inc();
        OpenConnection(self.connections.clone())
    }

    /// The counters of a model.
    pub(super) fn model(&self, name: &str) -> ModelMetrics {
        let model = ByModel { model: name.to_owned() };
        ModelMetrics {
            batches: self.batches.get_or_create(&model).clone(),
            texts: self.texts.get_or_create(&model).clone(),
            words: self.words.get_or_create(&model).clone(),
        }
    }

    /// Everything, as Prometheus reads it.
    pub(super) fn text(&self, models: &Registry, accepted: usize) -> String {
        self.answering.set(whole(accepted));
        self.waiting.clear();
        self.tasks.clear();
        for model in models.all() {
            let name = ByModel { model: model.name().to_owned() };
            self.waiting.get_or_create(&name).set(whole(model.waiting()));
            self.tasks.get_or_create(&name).set(whole(model.loaded()));
        }
        let mut text = String::new();
        // Writing into a string cannot fail.
        let _ = encode(&mut text, &self.registry.lock().unwrap_or_else(PoisonError::into_inner));
        text
    }
}

fn whole(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A connection that counts until it is dropped.
#[derive(Debug)]
pub(super) struct OpenConnection(Gauge);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// The counters of one model.
#[derive(Debug, Clone)]
pub(super) struct ModelMetrics {
    batches: Histogram,
    texts: Counter,
    words: Counter,
}

impl ModelMetrics {
    /// Counts a batch.
    pub(super) fn batch(&self, texts: usize, words: usize) {
        self.batches.observe(texts as f64);
        self.texts.inc_by(texts as u64);
        self.words.inc_by(words as u64);
    }
}

/// The counters, which several parts of a server share.
pub(super) type SharedMetrics = Arc<Metrics>;
