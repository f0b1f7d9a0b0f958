//! Character spans as tags of tokens.

use super::check::Reason;
use crate::labels::Tag;

/// A slot at the characters `start..end` of the utterance.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Slot<'a> {
    start: usize,
    end: usize,
    name: &'a str,
}

/// Parses `start:end:name,…`. The prefix `SL:` of a name is removed. An empty text has no slots.
pub(super) fn parse(text: &str) -> Result<Vec<Slot<'_>>, Reason> {
    text.split(',').filter(|slot| !slot.trim().is_empty()).map(parse_one).collect()
}

fn parse_one(text: &str) -> Result<Slot<'_>, Reason> {
    let malformed = || format!("slot `{text}`: expected `start:end:name` with start before end");
    let mut parts = text.trim().splitn(3, ':');
    let mut number = || parts.next().and_then(|part| part.parse::<usize>().ok());
    let (start, end) = (number().ok_or_else(malformed)?, number().ok_or_else(malformed)?);
    let name = parts.next().ok_or_else(malformed)?;
    let name = name.strip_prefix("SL:").unwrap_or(name);
    match start < end && !name.is_empty() {
        true => Ok(Slot { start, end, name }),
        false => Err(malformed()),
    }
}

/// The BIO tags of tokens with `borders` (start and end in characters, in order). The first token of a slot is
/// `B-name`, the others are `I-name`. A slot must begin and end with tokens, and must not overlap another slot.
pub(super) fn tags(slots: &[Slot<'_>], borders: &[(usize, usize)]) -> Result<Vec<String>, Reason> {
    let mut tags = vec![Tag::Outside; borders.len()];
    for slot in slots {
        let Slot { start, end, name } = slot;
        let covered = borders
            .binary_search_by_key(start, |border| border.0)
            .ok()
            .zip(borders.binary_search_by_key(end, |border| border.1).ok())
            .and_then(|(first, last)| tags.get_mut(first..=last))
            .ok_or_else(|| format!("slot `{start}:{end}:{name}` does not begin and end with a token"))?;
        if covered.iter().any(|tag| *tag != Tag::Outside) {
            return Err(format!("slot `{start}:{end}:{name}` overlaps another"));
        }
        covered.fill(Tag::Inside(name));
        if let Some(first) = covered.first_mut() {
            *first = Tag::Begin(name);
        }
    }
    Ok(tags.iter().map(Tag::to_string).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// "to São Paulo now"
    const BORDERS: [(usize, usize); 4] = [(0, 2), (3, 6), (7, 12), (13, 16)];

    fn tagged(text: &str) -> Result<Vec<String>, Reason> {
        tags(&parse(text)?, &BORDERS)
    }

    #[test]
    fn a_slot_begins_with_b_and_goes_on_with_i() {
        assert_eq!(tagged("3:12:SL:CITY").unwrap(), ["O", "B-CITY", "I-CITY", "O"]);
        assert_eq!(tagged("13:16:when,0:2:x/y").unwrap(), ["B-x/y", "O", "O", "B-when"]);
        assert_eq!(tagged("").unwrap(), ["O"; 4]);
    }

    #[test]
    fn neighbors_of_one_name_stay_two() {
        assert_eq!(tagged("3:6:c,7:12:c").unwrap(), ["O", "B-c", "B-c", "O"]);
    }

    #[test]
    fn a_slot_off_the_token_borders_is_named() {
        for off in ["4:12:c", "3:11:c", "13:99:c", "2:3:c"] {
            let reason = tagged(off).unwrap_err();
            assert!(reason.contains(&format!("`{off}` does not begin and end")), "{reason}");
        }
    }

    #[test]
    fn overlapping_slots_are_named() {
        assert!(tagged("3:12:a,7:16:b").unwrap_err().contains("`7:16:b` overlaps"));
        assert!(tagged("3:12:a,3:12:a").unwrap_err().contains("overlaps"));
    }

    #[test]
    fn malformed_slots_are_named() {
        for bad in ["3:12", "x:12:c", "-1:2:c", "12:3:c", "3:3:c", "3:12:", "3:12:SL:"] {
            assert!(tagged(bad).unwrap_err().contains(&format!("`{bad}`")));
        }
    }
}
