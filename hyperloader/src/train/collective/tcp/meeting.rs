//! How ranks find each other: all come to rank 0, which lets them begin once all are there.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::super::Launch;
use super::frames::{receive_at_most, send};
use crate::{Error, Result};

/// What each connection begins with. The number changes with the messages after it.
const MAGIC: &[u8; 8] = b"HLRANKS1";

/// The most bytes of a message of the meeting.
const LIMIT: u64 = 1 << 12;

/// The time that one step of a connection takes at most.
const STEP: Duration = Duration::from_secs(3);

/// Between two looks for a connection.
const LOOK: Duration = Duration::from_millis(20);

/// The connections to another rank.
#[derive(Debug)]
pub(super) struct Link {
    /// The rank at its other end.
    pub(super) rank: usize,
    /// For what ranks do together.
    pub(super) work: TcpStream,
    /// For signs of life.
    pub(super) watch: TcpStream,
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Purpose {
    Work,
    Watch,
}

/// What a rank says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Hello {
    rank: usize,
    size: usize,
    program: String,
    purpose: Purpose,
}

/// What rank 0 answers once it knows whether all can begin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Answer {
    Begin,
    Refused(String),
}

/// The program and its version: ranks of several would not do the same.
fn program() -> String {
    format!("hyperloader {}", env!("CARGO_PKG_VERSION"))
}

/// The links of this rank: rank 0 has one to each other rank, in their order, and every other has one to rank 0.
///
/// # Errors
/// [`Error::Config`] if ranks do not fit together, or rank 0 cannot listen; [`Error::Training`] naming the ranks that have not come within
/// `patience`. All ranks that have come get the same message.
pub(super) fn meet(launch: &Launch, patience: Duration) -> Result<Vec<Link>> {
    let until = Instant::now() + patience;
    match launch.rank {
        0 => host(launch, patience, until),
        _ => Ok(vec![visit(launch, patience, until)?]),
    }
}

/// Listens at every address of this machine, unless it is told to be reached from this machine alone.
fn listen(launch: &Launch) -> Result<TcpListener> {
    let own: &[IpAddr] = match launch.address.as_str() {
        "localhost" | "127.0.0.1" => &[IpAddr::V4(Ipv4Addr::LOCALHOST)],
        "::1" => &[IpAddr::V6(Ipv6Addr::LOCALHOST)],
        _ => &[IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::UNSPECIFIED)],
    };
    let mut result = Err(ErrorKind::AddrNotAvailable.into());
    for address in own {
        result = TcpListener::bind((*address, launch.port));
        // A machine without IPv6 listens by IPv4.
        if result.as_ref().err().is_none_or(|e: &io::Error| e.kind() == ErrorKind::AddrInUse) {
            break;
        }
    }
    result.and_then(|listener| listener.set_nonblocking(true).map(|()| listener)).map_err(|e| {
        Error::Config(format!(
            "rank 0 cannot listen at port {}: {}; set another MASTER_PORT for all ranks",
            launch.port,
            peft_files::plain(&e)
        ))
    })
}

fn host(launch: &Launch, patience: Duration, until: Instant) -> Result<Vec<Link>> {
    let listener = listen(launch)?;
    let mut guests = Guests::new(launch.size.get());
    let come = loop {
        if guests.are_all_there() {
            break Ok(());
        }
        if Instant::now() >= until {
            break Err(Error::Training(guests.missing(launch, patience)));
        }
        let Ok((stream, _)) = listener.accept() else {
            std::thread::sleep(LOOK);
            continue;
        };
        // Whatever is no rank is turned away, and the others are waited for.
        if let Ok(hello) = greeted(&stream)
            && let Err(error) = guests.admit(hello, stream)
        {
            break Err(error);
        }
    };
    let answer = match &come {
        Ok(()) => Answer::Begin,
        Err(error) => Answer::Refused(error.to_string()),
    };
    guests.tell(&answer);
    come.and_then(|()| guests.into_links())
}

/// Reads who has come.
fn greeted(stream: &TcpStream) -> io::Result<Hello> {
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(STEP))?;
    stream.set_write_timeout(Some(STEP))?;
    let mut magic = [0; 8];
    (&*stream).read_exact(&mut magic)?;
    if &magic != MAGIC {
        return Err(ErrorKind::InvalidData.into());
    }
    Ok(serde_json::from_slice(&receive_at_most(stream, LIMIT)?)?)
}

/// Who has come to rank 0.
struct Guests {
    size: usize,
    /// The connections of ranks 1, 2, …
    ranks: Vec<(Option<TcpStream>, Option<TcpStream>)>,
    /// A connection that was not admitted, to be told why.
    refused: Option<TcpStream>,
}

impl Guests {
    fn new(size: usize) -> Self {
        Self { size, ranks: (1..size).map(|_| (None, None)).collect(), refused: None }
    }

    fn are_all_there(&self) -> bool {
        self.ranks.iter().all(|(work, watch)| work.is_some() && watch.is_some())
    }

    /// Keeps the connection of a rank that fits.
    fn admit(&mut self, hello: Hello, stream: TcpStream) -> Result<()> {
        let Hello { rank, size, program: other, purpose } = hello;
        let problem = if size != self.size {
            Some(format!("rank {rank} was started as one of {size} ranks, and rank 0 as one of {}", self.size))
        } else if other != program() {
            Some(format!("rank {rank} runs {other}, and rank 0 runs {}", program()))
        } else {
            None
        };
        let place = rank.checked_sub(1).and_then(|index| self.ranks.get_mut(index));
        let place = place.map(|(work, watch)| if purpose == Purpose::Work { work } else { watch });
        let problem = problem.or_else(|| match &place {
            Some(None) => None,
            _ => Some(format!("two processes were started as rank {rank} of {size}")),
        });
        match (problem, place) {
            (None, Some(place)) => {
                *place = Some(stream);
                Ok(())
            }
            (problem, _) => {
                self.refused = Some(stream);
                Err(Error::Config(problem.unwrap_or_default()))
            }
        }
    }

    /// Tells all that have come. Who has gone in the meantime is found out by the first exchange.
    fn tell(&self, answer: &Answer) {
        let Ok(answer) = serde_json::to_vec(answer) else { return };
        let works = self.ranks.iter().filter_map(|(work, _)| work.as_ref());
        for stream in works.chain(&self.refused) {
            let _ = send(stream, &answer);
        }
    }

    fn missing(&self, launch: &Launch, patience: Duration) -> String {
        let is_missing = |(_, (work, watch)): &(usize, &(Option<_>, Option<_>))| work.is_none() || watch.is_none();
        let missing = self.ranks.iter().enumerate().filter(is_missing).map(|(index, _)| (index + 1).to_string());
        let missing: Vec<String> = missing.collect();
        let (ranks, have) = if missing.len() == 1 { ("rank", "has") } else { ("ranks", "have") };
        let (missing, size) = (missing.join(", "), self.size);
        let Launch { address, port, .. } = launch;
        format!(
            "{ranks} {missing} of {size} {have} not come to rank 0 at {address}:{port} in {} s; start as many processes as WORLD_SIZE says, with the same \
             MASTER_ADDR and MASTER_PORT, at an address that all can reach",
            patience.as_secs_f64()
        )
    }

    fn into_links(self) -> Result<Vec<Link>> {
        let link = |(index, ends)| match ends {
            (Some(work), Some(watch)) => Some(Link { rank: index + 1, work, watch }),
            _ => None,
        };
        let links: Option<Vec<Link>> = self.ranks.into_iter().enumerate().map(link).collect();
        let links = links.ok_or_else(|| Error::Internal("a rank has come without its connections".into()))?;
        links.into_iter().map(ready).collect()
    }
}

/// From now on, work is waited for as long as it takes.
fn ready(link: Link) -> Result<Link> {
    for stream in [&link.work, &link.watch] {
        let set = stream.set_read_timeout(None).and_then(|()| stream.set_write_timeout(None));
        set.map_err(|e| Error::Training(format!("the connection to rank {}: {e}", link.rank)))?;
    }
    Ok(link)
}

fn visit(launch: &Launch, patience: Duration, until: Instant) -> Result<Link> {
    let Launch { rank, size, address, port } = launch;
    let me = format!("rank {rank} of {size}");
    let unreachable = |e: io::Error| {
        let (seconds, reason) = (patience.as_secs_f64(), peft_files::plain(&e));
        Error::Training(format!("{me} cannot reach rank 0 at {address}:{port} in {seconds} s: {reason}"))
    };
    let open = |purpose| {
        let stream = connect(launch, until)?;
        introduce(&stream, launch, purpose).map(|()| stream)
    };
    let work = open(Purpose::Work).map_err(unreachable)?;
    let watch = open(Purpose::Watch).map_err(unreachable)?;
    // Rank 0 answers when its own patience ends; it may have started later.
    let answer = work.set_read_timeout(Some(2 * patience + STEP)).and_then(|()| receive_at_most(&work, LIMIT));
    let answer = answer.map_err(|e| match e.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Error::Training(format!(
            "{me} has had no answer from {address}:{port} in {} s",
            (2 * patience).as_secs_f64()
        )),
        _ => Error::Training(format!(
            "{me}: rank 0 at {address}:{port} has ended before all ranks were there, or another program listens there"
        )),
    })?;
    match serde_json::from_slice(&answer) {
        Ok(Answer::Begin) => ready(Link { rank: 0, work, watch }),
        Ok(Answer::Refused(reason)) => Err(Error::Config(reason)),
        Err(_) => Err(Error::Config(format!("{me}: what listens at {address}:{port} is not rank 0 of this program"))),
    }
}

/// Connects to rank 0, which may not have started yet.
fn connect(launch: &Launch, until: Instant) -> io::Result<TcpStream> {
    loop {
        let mut failed = io::Error::from(ErrorKind::AddrNotAvailable);
        match (launch.address.as_str(), launch.port).to_socket_addrs() {
            Ok(addresses) => {
                for address in addresses {
                    match TcpStream::connect_timeout(&address, STEP) {
                        Ok(stream) => return Ok(stream),
                        Err(e) => failed = e,
                    }
                }
            }
            Err(e) => failed = e,
        }
        if Instant::now() >= until {
            return Err(failed);
        }
        std::thread::sleep(5 * LOOK);
    }
}

fn introduce(mut stream: &TcpStream, launch: &Launch, purpose: Purpose) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(STEP))?;
    stream.write_all(MAGIC)?;
    let hello = Hello { rank: launch.rank, size: launch.size.get(), program: program(), purpose };
    send(stream, &serde_json::to_vec(&hello)?)
}
