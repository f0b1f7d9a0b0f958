//! A model that is served: a thread that owns it, and workers that label with it.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use datasets::labels::{INSIDE, OUTSIDE};
use datasets::words::WordSplitter;
use rayon::{ThreadPool, ThreadPoolBuilder};
use serde::Serialize;
use tokio::sync::oneshot;
use tracing::{info, warn};

use super::batch::BatchLimits;
use super::job::{Answer, Job, Key, Text};
use super::queue::{Queue, Refused};
use super::tasks::Tasks;
use super::worker::work;
use crate::config::Config;
use crate::label::{Decoding, at_once};
use crate::run::RunDir;
use crate::serve::metrics::ModelMetrics;
use crate::serve::options::{ModelSource, ServeOptions};
use crate::session::Session;
use crate::{Error, Result};

/// The words of a batch for each text that it may have.
const WORDS_A_TEXT: usize = 32;
/// The batches of a model that are labelled at once, at most, unless the options say otherwise.
const MOST_WORKERS: usize = 4;
/// The texts of a batch, as a multiple of what is decoded together. The labeller sorts them by length.
const BATCHES: usize = 4;

/// A task of a model.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub(in crate::serve) struct TaskInfo {
    /// Its name.
    pub(in crate::serve) task: String,
    /// The name of its model.
    pub(in crate::serve) model: String,
    /// The types of its spans; `null` if they are not known, as with free decoding.
    pub(in crate::serve) tags: Option<Vec<String>>,
    /// Whether its weights are generated.
    pub(in crate::serve) loaded: bool,
}

/// What is known of a model once it is loaded.
#[derive(Debug)]
pub(in crate::serve) struct Model {
    shared: Arc<Shared>,
    tasks: Vec<TaskInfo>,
    /// Its parameters, of backbone and generator.
    pub(in crate::serve) parameters: usize,
    /// The type of its backbone's matrices.
    pub(in crate::serve) dtype: crate::model::Precision,
    splitter: WordSplitter,
    decoding: Decoding,
}

/// What the workers of a model share with its clients.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) name: String,
    pub(super) queue: Queue,
    pub(super) metrics: ModelMetrics,
    /// The tasks whose weights are generated.
    loaded: Mutex<Vec<String>>,
}

impl Shared {
    pub(super) fn keep_names(&self, names: Vec<String>) {
        *self.loaded.lock().unwrap_or_else(PoisonError::into_inner) = names;
    }
}

impl Model {
    /// Starts the thread of the model in `source`. The model comes when it is loaded and its preloaded tasks are there.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub(super) fn start(
        source: &ModelSource,
        options: &ServeOptions,
        metrics: ModelMetrics,
    ) -> Result<oneshot::Receiver<Result<Self>>> {
        let (loaded, model) = oneshot::channel();
        let (source, options) = (source.clone(), options.clone());
        let name = format!("model {}", source.name);
        let thread = thread::Builder::new().name(name.chars().take(15).collect());
        let started = thread.spawn(move || own(&source, &options, metrics, loaded));
        started.map_err(|e| Error::Internal(format!("a thread cannot be started: {e}")))?;
        Ok(model)
    }

    pub(in crate::serve) fn name(&self) -> &str {
        &self.shared.name
    }

    /// Its tasks.
    pub(in crate::serve) fn tasks(&self) -> Vec<TaskInfo> {
        let loaded = self.shared.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        self.tasks.iter().map(|task| TaskInfo { loaded: loaded.contains(&task.task), ..task.clone() }).collect()
    }

    /// The names of its tasks.
    pub(in crate::serve) fn task_names(&self) -> impl Iterator<Item = &str> {
        self.tasks.iter().map(|task| task.task.as_str())
    }

    /// Finds words in texts, as the labellers of this model do.
    pub(in crate::serve) fn splitter(&self) -> &WordSplitter {
        &self.splitter
    }

    /// Whether its answers have confidences.
    pub(in crate::serve) fn has_confidences(&self) -> bool {
        self.decoding == Decoding::Structured
    }

    /// The requests that wait.
    pub(in crate::serve) fn waiting(&self) -> usize {
        self.shared.queue.len()
    }

    /// The tasks whose weights are generated.
    pub(in crate::serve) fn loaded(&self) -> usize {
        self.shared.loaded.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Lets `texts` wait, and says where the answer will be. There must be texts.
    pub(in crate::serve) fn ask(&self, key: Key, texts: Vec<Text>) -> Result<oneshot::Receiver<Answer>, Refused> {
        let (job, answer) = Job::new(key, texts.len());
        self.shared.queue.push(job, texts)?;
        Ok(answer)
    }
}

impl Drop for Model {
    /// The model's workers answer what waits; then its memory is free.
    fn drop(&mut self) {
        self.shared.queue.close();
    }
}

/// Owns the model: everything that borrows from it ends before this does.
fn own(source: &ModelSource, options: &ServeOptions, metrics: ModelMetrics, loaded: oneshot::Sender<Result<Model>>) {
    let started = Instant::now();
    let session = match Session::load_in(&RunDir::new(&source.path), &options.device, options.dtype) {
        Ok((session, _)) => session,
        Err(error) => {
            let _ = loaded.send(Err(error));
            return;
        }
    };
    let tasks = Tasks::new(&session, options.max_tasks.get());
    // A GPU labels one batch at a time, whatever was asked for.
    let most = at_once(&options.device);
    let workers = options.workers.map_or(most.min(MOST_WORKERS), Into::into);
    let workers = if options.device.is_cpu() { workers } else { most };
    let prepared = preload(&session, &tasks, options).and_then(|()| {
        let batch = session.config.eval.batch_size.get();
        let texts = options.batch_texts.map_or(batch * BATCHES, Into::into);
        let limits = BatchLimits { texts, words: texts * WORDS_A_TEXT, workers };
        let queue = Queue::new(options.limits.queue.get(), limits);
        let shared = Shared { name: source.name.clone(), queue, metrics, loaded: Mutex::new(tasks.names()) };
        describe(&session, Arc::new(shared))
    });
    let shared = match prepared {
        Ok(model) => {
            let shared = model.shared.clone();
            info!(model = source.name, tasks = model.tasks.len(), ms = started.elapsed().as_millis(), "loaded");
            // Nobody waits for it: it is dropped, which closes its queue, and the workers end at once.
            let _ = loaded.send(Ok(model));
            shared
        }
        Err(error) => {
            let _ = loaded.send(Err(error));
            return;
        }
    };
    thread::scope(|scope| {
        let (shared, tasks) = (&*shared, &tasks);
        let own = || own_threads(workers);
        for number in 1..workers {
            let thread = thread::Builder::new().name(format!("worker {number}"));
            // With fewer threads than asked for, the others do the work.
            let _ = thread.spawn_scoped(scope, move || work(shared, tasks, own().as_ref()));
        }
        work(shared, tasks, own().as_ref());
    });
    info!(model = source.name, "unloaded");
}

/// The threads of one of several workers: its share of all. A single worker uses all, and so does one whose threads cannot be started.
fn own_threads(workers: usize) -> Option<ThreadPool> {
    let share = (rayon::current_num_threads() / workers).max(1);
    let threads = (workers > 1).then(|| ThreadPoolBuilder::new().num_threads(share).build())?;
    threads.inspect_err(|e| warn!("a worker has no threads of its own: {e}")).ok()
}

/// Generates the weights of the tasks that are asked for, and of the only task of a model.
fn preload(session: &Session, tasks: &Tasks<'_>, options: &ServeOptions) -> Result<()> {
    let own: Vec<&str> = session.config.tasks.iter().map(|task| task.name.as_str()).collect();
    for task in &own {
        if own.len() == 1 || options.preload.iter().any(|name| name == task) {
            tasks.get(task)?;
        }
    }
    Ok(())
}

fn describe(session: &Session, shared: Arc<Shared>) -> Result<Model> {
    let Config { tasks, eval, data, model, .. } = &session.config;
    let of_task = |task: &crate::config::TaskConfig| {
        let tags = session
            .tags
            .get(&task.name)
            .map(|tags| tags.iter().filter(|tag| !matches!(tag.as_str(), INSIDE | OUTSIDE)).cloned().collect());
        TaskInfo { task: task.name.clone(), model: shared.name.clone(), tags, loaded: false }
    };
    Ok(Model {
        tasks: tasks.iter().map(of_task).collect(),
        parameters: session.parameters()?,
        dtype: model.dtype,
        splitter: WordSplitter::new(&data.words)?,
        decoding: eval.decoding,
        shared,
    })
}
