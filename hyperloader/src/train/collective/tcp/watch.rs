//! Signs of life: who is gone, and who ends all.
//!
//! Every rank but rank 0 has one watched connection, to rank 0; rank 0 tells all others what it learns. A process that ends closes its
//! connection, however it ends. A machine that vanishes does not, so each side also sends a sign of life now and then.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::meeting::Link;
use crate::{Error, Result};

/// How signs of life are exchanged, and what ends a process.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Between two signs of life.
    pub(super) beat: Duration,
    /// A rank that is silent for so long is gone.
    pub(super) silence: Duration,
    /// Ends this process with an exit code.
    pub(super) end: fn(i32),
}

impl Default for Pace {
    fn default() -> Self {
        Self { beat: Duration::from_secs(5), silence: Duration::from_secs(60), end: |code| std::process::exit(code) }
    }
}

/// The time that a process has to leave its GPU before it is ended from outside.
const GRACE: Duration = Duration::from_millis(300);

/// What is said on a watched connection.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Sign {
    /// The rank lives.
    Alive,
    /// The rank has done its work and leaves.
    Leaves,
    /// This rank is gone.
    Gone(u64),
    /// All processes are to end with this exit code.
    End(u64),
}

impl Sign {
    fn to_bytes(self) -> [u8; 9] {
        let (kind, number) = match self {
            Self::Alive => (0, 0),
            Self::Leaves => (1, 0),
            Self::Gone(rank) => (2, rank),
            Self::End(code) => (3, code),
        };
        let mut bytes = [kind; 9];
        if let Some(rest) = bytes.get_mut(1..) {
            rest.copy_from_slice(&u64::to_le_bytes(number));
        }
        bytes
    }

    fn from_bytes(bytes: [u8; 9]) -> Option<Self> {
        let [kind, number @ ..] = bytes;
        let number = u64::from_le_bytes(number);
        match kind {
            0 => Some(Self::Alive),
            1 => Some(Self::Leaves),
            2 => Some(Self::Gone(number)),
            3 => Some(Self::End(number)),
            _ => None,
        }
    }
}

/// What this rank knows of the others.
#[derive(Debug)]
struct Known {
    size: usize,
    /// Why the ranks cannot go on.
    lost: Mutex<Option<String>>,
    /// Whether this rank leaves.
    leaves: AtomicBool,
    /// The watched connections, each with the rank at its other end.
    watched: Mutex<Vec<(usize, TcpStream)>>,
    /// The connections for work. They are closed when a rank is gone, which ends every wait for it.
    work: Vec<TcpStream>,
}

impl Known {
    fn say(&self, sign: Sign, except: Option<usize>) {
        for (rank, stream) in &mut *locked(&self.watched) {
            if Some(*rank) != except {
                // Who cannot be told is found to be gone by its own watcher.
                let _ = stream.write_all(&sign.to_bytes());
            }
        }
    }

    fn lose(&self, reason: String) {
        locked(&self.lost).get_or_insert(reason);
        for stream in &self.work {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Watches the other ranks as long as it lives.
#[derive(Debug)]
pub(super) struct Watch {
    known: Arc<Known>,
    /// Signs of life end when it is dropped.
    _beats: Sender<()>,
}

impl Watch {
    /// Watches the other ends of `links`.
    pub(super) fn start(links: &[Link], size: usize, pace: Pace) -> Result<Self> {
        let failed = |e: std::io::Error| Error::Training(format!("ranks cannot be watched: {e}"));
        let copies = |stream: fn(&Link) -> &TcpStream| -> std::io::Result<Vec<TcpStream>> {
            links.iter().map(|link| stream(link).try_clone()).collect()
        };
        let watched = copies(|link| &link.watch).map_err(failed)?;
        let known = Arc::new(Known {
            size,
            lost: Mutex::new(None),
            leaves: AtomicBool::new(false),
            watched: Mutex::new(links.iter().map(|link| link.rank).zip(watched).collect()),
            work: copies(|link| &link.work).map_err(failed)?,
        });
        for link in links {
            link.watch.set_read_timeout(Some(pace.silence)).map_err(failed)?;
            let (stream, rank, known) = (link.watch.try_clone().map_err(failed)?, link.rank, known.clone());
            let watcher = std::thread::Builder::new().name(format!("watch-{rank}"));
            watcher.spawn(move || watch(stream, rank, &known, pace)).map_err(failed)?;
        }
        let (beats, stop) = channel();
        let beating = known.clone();
        let heart = move || {
            while stop.recv_timeout(pace.beat) == Err(RecvTimeoutError::Timeout) {
                beating.say(Sign::Alive, None);
            }
        };
        std::thread::Builder::new().name("signs-of-life".into()).spawn(heart).map_err(failed)?;
        Ok(Self { known, _beats: beats })
    }

    /// Why the ranks cannot go on, if they cannot.
    pub(super) fn lost(&self) -> Option<String> {
        locked(&self.known.lost).clone()
    }

    /// Ends all other ranks.
    pub(super) fn end_others(&self, code: u8) {
        self.known.say(Sign::End(code.into()), None);
    }

    /// Tells the others that this rank has done its work. What it does not say before its connections close is a death.
    pub(super) fn leave(&self) {
        self.known.leaves.store(true, Ordering::Relaxed);
        self.known.say(Sign::Leaves, None);
        for (_, stream) in &*locked(&self.known.watched) {
            let _ = stream.shutdown(Shutdown::Write);
        }
    }
}

/// Hears the signs of one rank until it leaves or is gone.
fn watch(mut stream: TcpStream, rank: usize, known: &Known, pace: Pace) {
    loop {
        let mut bytes = [0; 9];
        let heard = stream.read_exact(&mut bytes).map(|()| Sign::from_bytes(bytes));
        let size = known.size;
        match heard {
            Ok(Some(Sign::Alive)) => {}
            Ok(Some(Sign::Leaves)) => return,
            Ok(Some(Sign::Gone(other))) => return known.lose(format!("rank {other} of {size} is gone")),
            Ok(Some(Sign::End(code))) => {
                known.say(Sign::End(code), Some(rank));
                known.lose(format!(
                    "rank {rank} of {size} ends all ranks, after an error of its own or of another rank"
                ));
                std::thread::sleep(GRACE);
                return (pace.end)(i32::try_from(code).unwrap_or(1));
            }
            _ if known.leaves.load(Ordering::Relaxed) => return,
            Ok(None) | Err(_) => {
                let is_silent = heard.is_err_and(|e| matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
                known.say(Sign::Gone(rank as u64), Some(rank));
                return known.lose(match is_silent {
                    true => {
                        format!("rank {rank} of {size} has given no sign of life for {} s", pace.silence.as_secs_f64())
                    }
                    false => format!("rank {rank} of {size} is gone: its process has ended, or was killed"),
                });
            }
        }
    }
}
