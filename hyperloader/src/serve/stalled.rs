//! Clients that stall: they send nothing, or do not read their answers.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use super::options::Limits;

/// A connection that ends if its client stalls.
///
/// - The head of the first request must come within `client_time`.
/// - After an answer the connection may be silent for `idle_time`. hyper has one limit for this and for slow heads, but it must be longer
///   than the time for which proxies keep connections, or a request meets a connection that has just been closed.
/// - Once a head has begun, it must be complete within `client_time`.
/// - A client must not leave an answer unread for `client_time`, which hyper does not limit.
#[derive(Debug)]
pub(super) struct Stalled {
    stream: TcpStream,
    client_time: Duration,
    idle_time: Duration,
    answering: Answering,
    /// What `answering` was when it was looked at last.
    seen: usize,
    /// Whether a part of a head has come, or the first one is waited for.
    reads_head: bool,
    /// When the client must have sent a head, or something of it.
    head_until: Pin<Box<Sleep>>,
    /// When the client must have read something; it only counts while `writes` is set.
    read_until: Pin<Box<Sleep>>,
    writes: bool,
}

/// How many requests of a connection were begun, and how many were answered: their sum, which is odd while one is being answered. The
/// connection and its service share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Answering(Arc<AtomicUsize>);

/// A request is being answered until this is dropped.
#[derive(Debug)]
pub(super) struct Answered(Answering);

impl Answering {
    /// Says that a head is complete.
    pub(super) fn begin(&self) -> Answered {
        self.0.fetch_add(1, Ordering::Relaxed);
        Answered(self.clone())
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn is_running(&self) -> bool {
        self.count() % 2 == 1
    }
}

impl Drop for Answered {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Stalled {
    pub(super) fn new(stream: TcpStream, limits: &Limits, answering: Answering) -> Self {
        let (client_time, idle_time) = (limits.client_time, limits.idle_time);
        let [head_until, read_until] = [(); 2].map(|()| Box::pin(tokio::time::sleep(client_time)));
        let (seen, reads_head, writes) = (0, true, false);
        Self { stream, client_time, idle_time, answering, seen, reads_head, head_until, read_until, writes }
    }

    /// Gives the client time for a head that has begun, or for the next one to begin.
    fn wait_for(&mut self, reads_head: bool) {
        self.reads_head = reads_head;
        let time = if reads_head { self.client_time } else { self.idle_time };
        self.head_until.as_mut().reset(Instant::now() + time);
    }

    /// Gives the client the time between two requests, if one has been answered.
    fn look_for_answer(&mut self) {
        let count = self.answering.count();
        if !self.answering.is_running() && self.seen != count {
            self.seen = count;
            self.wait_for(false);
        }
    }

    /// `written`, or an error if the client has accepted nothing for too long.
    fn in_time<T>(&mut self, written: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.writes = false;
            return written;
        }
        if !self.writes {
            self.writes = true;
            self.read_until.as_mut().reset(Instant::now() + self.client_time);
        }
        ready!(self.read_until.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read its answer")))
    }
}

impl AsyncRead for Stalled {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.look_for_answer();
        if self.answering.is_running() {
            return read;
        }
        if buffer.filled().len() > before && !self.reads_head {
            self.wait_for(true);
        }
        if read.is_ready() {
            return read;
        }
        ready!(self.head_until.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client sends no request")))
    }
}

impl AsyncWrite for Stalled {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.in_time(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.in_time(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        // hyper does not read again after an answer until something comes, so the clock is set going here. When it is up, hyper reads.
        self.look_for_answer();
        if !self.answering.is_running() {
            let _ = self.head_until.as_mut().poll(cx);
        }
        self.in_time(flushed, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.in_time(closed, cx)
    }
}
