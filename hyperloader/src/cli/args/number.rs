//! Numbers on the command line, with limits and with messages in plain words.

use std::num::NonZeroUsize;
use std::str::FromStr;

/// The largest number of threads.
pub(super) const MOST_THREADS: usize = 1_024;
/// The largest length of a text in tokens.
pub(super) const MOST_TOKENS: usize = 1_000_000;
/// The largest number of things that take no memory each.
pub(super) const ANY: usize = usize::MAX;

/// A parser of the numbers from 1 to `most`. What needs memory for each is refused here, before memory is asked for.
pub(super) fn count(most: usize) -> impl Fn(&str) -> Result<NonZeroUsize, String> + Clone + Send + Sync + 'static {
    move |text| {
        let number = text.parse::<NonZeroUsize>().ok().filter(|number| number.get() <= most);
        number.ok_or_else(|| match most {
            ANY => "expected a whole number, 1 or more".to_owned(),
            _ => format!("expected a whole number from 1 to {most}"),
        })
    }
}

/// A whole number that may be 0.
pub(super) fn whole<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| "expected a whole number, 0 or more".to_owned())
}

/// A number that may have a fraction.
pub(super) fn decimal(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| "expected a number".to_owned())
}

/// A share: a number from 0 to 1.
pub(super) fn share(text: &str) -> Result<f32, String> {
    let number = text.parse().ok().filter(|number| (0.0..=1.0).contains(number));
    number.ok_or_else(|| "expected a number from 0 to 1".to_owned())
}
