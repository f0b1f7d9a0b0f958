//! Ranks that are threads with connections of their own.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::super::{Alone, require_same_everywhere};
use super::*;

const LONG: Duration = Duration::from_secs(60);

/// A port that nobody listens at.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn launch(rank: usize, size: usize, port: u16) -> Launch {
    Launch { rank, size: NonZeroUsize::new(size).unwrap(), address: "127.0.0.1".into(), port }
}

/// What each of `launches` gets from `work`, which all do at once.
fn all<T: Send>(launches: Vec<Launch>, work: impl Fn(Launch) -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = launches.into_iter().map(|launch| scope.spawn(|| work(launch))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// What `size` ranks get from `work`.
fn ranks<T: Send>(size: usize, work: impl Fn(&Tcp) -> T + Sync) -> Vec<T> {
    let port = free_port();
    all((0..size).map(|rank| launch(rank, size, port)).collect(), |launch| work(&Tcp::join(&launch, LONG).unwrap()))
}

#[test]
fn ranks_exchange_bytes_and_numbers() {
    let part = |number: usize| -> Vec<f32> {
        (0..7).map(|i| (number * 5 + i) as f32 * 1.1f32.powi(number as i32 * 8)).collect()
    };
    let sums = Alone.sum((0..6).map(part).collect()).unwrap();
    let found = ranks(3, |rank| {
        let own = rank.rank() * 2;
        let sums = rank.sum(vec![part(own), part(own + 1)]).unwrap();
        let gathered = rank.gather(&vec![rank.rank() as u8; rank.rank()]).unwrap();
        let mut bytes = format!("of rank {}", rank.rank()).into_bytes();
        rank.broadcast(&mut bytes).unwrap();
        rank.barrier().unwrap();
        (sums, gathered, String::from_utf8(bytes).unwrap())
    });
    assert_eq!(found, vec![(sums, vec![vec![], vec![1], vec![2, 2]], "of rank 0".to_owned()); 3]);
}

#[test]
fn a_rank_with_another_configuration_is_named_by_all() {
    let found = ranks(3, |rank| {
        let hash = if rank.rank() == 2 { "x" } else { "a" };
        let own = BTreeMap::from([("config.toml".to_owned(), hash.to_owned())]);
        require_same_everywhere(rank, &own).unwrap_err().to_string()
    });
    for message in found {
        assert!(message.starts_with("rank 2 of 3 has another config.toml than rank 0"), "{message}");
    }
}

/// What `launches` are told when they do not come together.
fn refused(launches: Vec<Launch>, patience: Duration) -> Vec<String> {
    all(launches, |launch| Tcp::join(&launch, patience).unwrap_err().to_string())
}

#[test]
fn all_who_came_are_told_who_did_not() {
    let port = free_port();
    let found = refused(vec![launch(0, 4, port), launch(2, 4, port)], Duration::from_millis(400));
    for message in &found {
        let place = format!("ranks 1, 3 of 4 have not come to rank 0 at 127.0.0.1:{port} in 0.4 s");
        assert!(message.starts_with(&place), "{message}");
    }
    assert_eq!(found[0], found[1]);
}

#[test]
fn without_rank_0_the_others_say_where_they_looked() {
    let port = free_port();
    let found = refused(vec![launch(1, 2, port)], Duration::from_millis(200));
    assert!(
        found[0].starts_with(&format!("rank 1 of 2 cannot reach rank 0 at 127.0.0.1:{port} in 0.2 s")),
        "{found:?}"
    );
}

#[test]
fn ranks_of_several_worlds_are_refused() {
    let port = free_port();
    for message in refused(vec![launch(0, 3, port), launch(1, 2, port)], LONG) {
        assert_eq!(message, "rank 1 was started as one of 2 ranks, and rank 0 as one of 3");
    }
}

#[test]
fn a_rank_that_comes_twice_is_refused() {
    let port = free_port();
    let found = refused(vec![launch(0, 3, port), launch(1, 3, port), launch(1, 3, port)], LONG);
    assert_eq!(found[0], "two processes were started as rank 1 of 3");
    assert!(found.iter().all(|message| *message == found[0] || message.contains("rank 0")), "{found:?}");
}

#[test]
fn a_port_in_use_is_said() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let found = refused(vec![launch(0, 2, port)], LONG);
    assert!(
        found[0].contains(&format!("cannot listen at port {port}")) && found[0].contains("MASTER_PORT"),
        "{found:?}"
    );
}

#[test]
fn another_program_at_the_port_is_no_rank_0() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut streams: Vec<TcpStream> = other.incoming().take(2).map(|stream| stream.unwrap()).collect();
        streams.iter_mut().for_each(|stream| stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap());
        std::thread::sleep(Duration::from_secs(1));
    });
    let found = refused(vec![launch(1, 2, port)], LONG);
    assert!(found[0].contains("another program listens there"), "{found:?}");
}

#[test]
fn what_is_no_rank_is_turned_away_and_the_others_meet() {
    let port = free_port();
    let launches = vec![launch(0, 2, port), launch(1, 2, port)];
    let found = all(launches, |launch| {
        if launch.rank == 1 {
            let mut stranger = loop {
                match TcpStream::connect(("127.0.0.1", port)) {
                    Ok(stream) => break stream,
                    Err(_) => std::thread::sleep(Duration::from_millis(5)),
                }
            };
            stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
            // It is closed at once.
            assert_eq!(stranger.read(&mut [0]).unwrap_or(0), 0);
        }
        let rank = Tcp::join(&launch, LONG).unwrap();
        rank.gather(b"x").unwrap().len()
    });
    assert_eq!(found, [2, 2]);
}

/// A rank that meets the others, and closes its connections without a word, as one that is killed.
fn dies(launch: &Launch) {
    drop(meeting::meet(launch, LONG).unwrap());
}

#[test]
fn a_rank_that_dies_ends_the_waits_of_all_others() {
    for dead in [0, 2] {
        let port = free_port();
        let start = Instant::now();
        let found = all((0..4).map(|rank| launch(rank, 4, port)).collect(), |launch| {
            if launch.rank == dead {
                dies(&launch);
                return String::new();
            }
            let rank = Tcp::join(&launch, LONG).unwrap();
            rank.barrier().unwrap_err().to_string()
        });
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
        for message in found.iter().enumerate().filter(|(rank, _)| *rank != dead).map(|(_, message)| message) {
            assert!(message.starts_with(&format!("rank {dead} of 4 is gone")), "{message}");
        }
    }
}

#[test]
fn a_rank_that_gives_no_sign_of_life_is_gone() {
    let port = free_port();
    let pace = Pace { beat: Duration::from_millis(40), silence: Duration::from_millis(400), end: |_| {} };
    let found = all((0..3).map(|rank| launch(rank, 3, port)).collect(), |launch| {
        if launch.rank == 1 {
            let links = meeting::meet(&launch, LONG).unwrap();
            std::thread::sleep(Duration::from_secs(2));
            drop(links);
            return String::new();
        }
        let rank = Tcp::join_at(&launch, LONG, pace).unwrap();
        rank.barrier().unwrap_err().to_string()
    });
    assert_eq!(found[0], "rank 1 of 3 has given no sign of life for 0.4 s");
    assert_eq!(found[2], "rank 1 of 3 is gone");
}

#[test]
fn signs_of_life_keep_ranks_that_work_for_long() {
    let port = free_port();
    let pace = Pace { beat: Duration::from_millis(40), silence: Duration::from_millis(400), end: |_| {} };
    let found = all((0..2).map(|rank| launch(rank, 2, port)).collect(), |launch| {
        let rank = Tcp::join_at(&launch, LONG, pace).unwrap();
        std::thread::sleep(Duration::from_secs(1));
        rank.gather(b"x").map(|all| all.len()).unwrap()
    });
    assert_eq!(found, [2, 2]);
}

#[test]
fn a_rank_that_has_done_its_work_may_leave() {
    let found = ranks(3, |rank| {
        rank.barrier().unwrap();
        std::thread::sleep(Duration::from_millis(150 * rank.rank() as u64));
        rank.check().map_err(|error| error.to_string())
    });
    assert_eq!(found, vec![Ok(()); 3]);
}

static ENDED: Mutex<Vec<i32>> = Mutex::new(Vec::new());

#[test]
fn one_rank_ends_all() {
    let port = free_port();
    let pace = Pace { end: |code| ENDED.lock().unwrap().push(code), ..Pace::default() };
    let found = all((0..3).map(|rank| launch(rank, 3, port)).collect(), |launch| {
        let rank = Tcp::join_at(&launch, LONG, pace).unwrap();
        if launch.rank == 2 {
            rank.stop_all(7);
            std::thread::sleep(Duration::from_secs(1));
            return String::new();
        }
        let message = rank.barrier().unwrap_err().to_string();
        std::thread::sleep(Duration::from_secs(1));
        message
    });
    assert_eq!(*ENDED.lock().unwrap(), [7, 7]);
    assert!(found[..2].iter().all(|message| message.contains("ends all ranks")), "{found:?}");
}
