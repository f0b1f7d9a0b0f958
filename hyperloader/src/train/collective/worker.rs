//! A thread that owns what must not leave it, and those who wait for it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::{Error, Result};

/// Between two looks at whether all ranks are there.
const LOOK: Duration = Duration::from_millis(50);

/// The time that work which was given up has to end.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// How long to wait for work, and what ends the wait earlier.
pub(super) struct Wait<'a> {
    /// The longest time.
    pub(super) limit: Duration,
    /// An error ends the wait.
    pub(super) check: Box<dyn Fn() -> Result<()> + 'a>,
    /// What is waited for: the end of "rank 1 of 4 has waited for 600 s …".
    pub(super) awaited: String,
}

type Job<C> = Box<dyn FnOnce(&C) + Send>;

/// A thread that owns a `C`, which it made itself. Who waits for the thread need not wait for ever: work that waits for other ranks looks
/// at `given_up`.
pub(super) struct Worker<C> {
    jobs: Option<Sender<Job<C>>>,
    given_up: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl<C> fmt::Debug for Worker<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Worker")
    }
}

impl<C: 'static> Worker<C> {
    /// Starts the thread, and waits until it has made its `C`.
    ///
    /// # Errors
    /// If `make` fails, or the wait ends.
    pub(super) fn start(wait: &Wait<'_>, make: impl FnOnce() -> Result<C> + Send + 'static) -> Result<Self> {
        let (jobs, received) = channel::<Job<C>>();
        let (made, is_made) = channel();
        let work = move || match make() {
            Ok(own) => {
                // Nobody listens if the wait has ended, and then there are no jobs either.
                let _ = made.send(Ok(()));
                received.into_iter().for_each(|job| job(&own));
            }
            Err(error) => {
                let _ = made.send(Err(error));
            }
        };
        let thread = std::thread::Builder::new().name("nccl".into()).spawn(work);
        let thread =
            thread.map_err(|e| Error::Training(format!("no thread can be started for the GPUs' exchange: {e}")))?;
        let worker = Self { jobs: Some(jobs), given_up: Arc::default(), thread: Some(thread) };
        worker.await_result(wait, &is_made)?;
        Ok(worker)
    }

    /// Does `work` on the thread.
    ///
    /// # Errors
    /// Its own; if the wait ends, or an earlier one has.
    pub(super) fn run<T: Send + 'static>(
        &self,
        wait: &Wait<'_>,
        work: impl FnOnce(&C, &AtomicBool) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (done, is_done) = channel();
        let given_up = self.given_up.clone();
        let job: Job<C> = Box::new(move |own| {
            let _ = done.send(work(own, &given_up));
        });
        let sent = self.jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok());
        if !sent || self.given_up.load(Ordering::Relaxed) {
            return Err(Error::Training("the exchange between GPUs has ended after an error".into()));
        }
        self.await_result(wait, &is_done)
    }

    fn await_result<T>(&self, wait: &Wait<'_>, result: &Receiver<Result<T>>) -> Result<T> {
        let start = Instant::now();
        loop {
            match result.recv_timeout(LOOK) {
                Ok(result) => return result,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::Internal("the thread of the exchange between GPUs has ended".into()));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            let in_time = match start.elapsed() < wait.limit {
                true => Ok(()),
                false => Err(Error::Training(format!(
                    "{} s have passed while waiting for {}",
                    wait.limit.as_secs_f64(),
                    wait.awaited
                ))),
            };
            if let Err(error) = (wait.check)().and(in_time) {
                self.given_up.store(true, Ordering::Relaxed);
                return Err(error);
            }
        }
    }
}

impl<C> Worker<C> {
    /// Ends the work at hand, and the thread. A thread that waits in a library that cannot be interrupted is left behind.
    pub(super) fn end(&mut self) {
        self.given_up.store(true, Ordering::Relaxed);
        self.jobs = None;
        let Some(thread) = self.thread.take() else { return };
        let start = Instant::now();
        while !thread.is_finished() && start.elapsed() < LAST_WORDS {
            std::thread::sleep(Duration::from_millis(2));
        }
        if thread.is_finished() {
            // The thread's panic, if it had one, has been told as the end of its work.
            let _ = thread.join();
        }
    }
}

impl<C> Drop for Worker<C> {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, clippy::unwrap_used, reason = "tests")]
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;

    fn wait(limit: Duration, check: fn() -> Result<()>) -> Wait<'static> {
        Wait { limit, check: Box::new(check), awaited: "the others".into() }
    }

    fn all_there() -> Result<()> {
        Ok(())
    }

    fn gone() -> Result<()> {
        Err(Error::Training("rank 3 is gone".into()))
    }

    const LONG: Duration = Duration::from_secs(60);

    /// Work that waits for ranks that never come.
    fn never(_: &Rc<Cell<u32>>, given_up: &AtomicBool) -> Result<()> {
        while !given_up.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(1));
        }
        Err(Error::Internal("given up".into()))
    }

    #[test]
    fn the_thread_keeps_what_cannot_leave_it() {
        let wait = wait(LONG, all_there);
        let worker = Worker::start(&wait, || Ok(Rc::new(Cell::new(1)))).unwrap();
        for expected in [2, 3] {
            let add = |own: &Rc<Cell<u32>>, _: &AtomicBool| {
                own.set(own.get() + 1);
                Ok(own.get())
            };
            assert_eq!(worker.run(&wait, add).unwrap(), expected);
        }
    }

    #[test]
    fn a_rank_that_is_gone_ends_the_wait_and_all_later_work() {
        let worker = Worker::start(&wait(LONG, all_there), || Ok(Rc::new(Cell::new(1)))).unwrap();
        assert_eq!(worker.run(&wait(LONG, gone), never).unwrap_err().to_string(), "rank 3 is gone");
        assert!(worker.run(&wait(LONG, all_there), never).unwrap_err().to_string().contains("after an error"));
    }

    #[test]
    fn so_does_too_long_a_time() {
        let short = wait(Duration::from_millis(80), all_there);
        let worker = Worker::start(&short, || Ok(Rc::new(Cell::new(1)))).unwrap();
        let message = worker.run(&short, never).unwrap_err().to_string();
        assert_eq!(message, "0.08 s have passed while waiting for the others");
    }

    #[test]
    fn what_cannot_be_made_is_an_error_and_so_is_a_panic() {
        let wait = wait(LONG, all_there);
        let failed = Worker::<()>::start(&wait, || Err(Error::Training("no GPU".into())));
        assert_eq!(failed.unwrap_err().to_string(), "no GPU");
        let worker = Worker::start(&wait, || Ok(())).unwrap();
        let broken = worker.run(&wait, |(), _| -> Result<()> { panic!("a panic of the library") });
        assert!(broken.unwrap_err().to_string().contains("has ended"));
    }
}
