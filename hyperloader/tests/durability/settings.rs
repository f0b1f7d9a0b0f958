//! How much is tried, and with which random numbers.

use std::str::FromStr;

use datasets::sample::Rng;

/// The number in the environment variable `name`, or `default`.
pub(crate) fn number<T: FromStr>(name: &str, default: T) -> T {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text}: not a number")),
        Err(_) => default,
    }
}

/// The random numbers of one test. Each test has its own, so that tests can run in any order.
pub(crate) fn random(test: &str) -> Rng {
    let seed: u64 = number("HYPERLOADER_SEED", 1);
    println!("{test}: HYPERLOADER_SEED={seed}");
    Rng::seeded(test.bytes().fold(seed, |seed, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte))))
}
