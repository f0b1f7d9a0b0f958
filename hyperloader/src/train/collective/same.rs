//! Whether all ranks have the same.

use std::collections::BTreeMap;

use super::Collective;
use crate::{Error, Result};

/// Refuses to go on if ranks differ: `own` are hashes by a name for what was hashed.
///
/// # Errors
/// [`Error::Training`] naming the first rank that differs from rank 0, and what differs; if a rank is gone. All ranks get the same error.
pub(crate) fn require_same_everywhere(ranks: &dyn Collective, own: &BTreeMap<String, String>) -> Result<()> {
    if ranks.size().get() == 1 {
        return Ok(());
    }
    let text = serde_json::to_vec(own).map_err(|e| Error::Internal(format!("hashes are no JSON: {e}")))?;
    let read = |bytes: &Vec<u8>| -> Result<BTreeMap<String, String>> {
        serde_json::from_slice(bytes).map_err(|e| Error::Internal(format!("a rank sent no hashes: {e}")))
    };
    let all = ranks.gather(&text)?.iter().map(read).collect::<Result<Vec<_>>>()?;
    let Some((first, others)) = all.split_first() else { return Ok(()) };
    for (number, other) in others.iter().enumerate() {
        let keys = first.keys().chain(other.keys());
        let mut different: Vec<&str> =
            keys.filter(|key| first.get(*key) != other.get(*key)).map(String::as_str).collect();
        different.sort_unstable();
        different.dedup();
        if !different.is_empty() {
            return Err(Error::Training(format!(
                "rank {} of {} has another {} than rank 0; all ranks must train on the same, with the same program, on processors of \
                 one kind",
                number + 1,
                all.len(),
                different.join(", ")
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::super::threads::on_threads;
    use super::*;

    #[test]
    fn the_rank_that_differs_is_named_by_all() {
        let check = |odd: usize| {
            on_threads(3, move |ranks| {
                let hash = if ranks.rank() == odd { "x" } else { "a" };
                let own = [("model.name", "m"), ("tasks.0.train", hash)];
                let own = own.map(|(key, hash)| (key.to_owned(), hash.to_owned())).into();
                require_same_everywhere(ranks, &own).map_err(|error| error.to_string())
            })
        };
        assert_eq!(check(7), vec![Ok(()); 3]);
        for found in check(2) {
            let message = found.unwrap_err();
            assert!(message.starts_with("rank 2 of 3 has another tasks.0.train than rank 0"), "{message}");
        }
    }
}
