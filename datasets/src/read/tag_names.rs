//! Tags that are written as numbers.

use super::check::Reason;

/// Replaces every tag that is a number by its name.
pub(super) fn apply(names: &[String], tags: &mut [String]) -> Result<(), Reason> {
    for tag in tags {
        let Ok(number) = tag.parse::<i64>() else {
            continue;
        };
        let name = usize::try_from(number).ok().and_then(|number| names.get(number));
        let Some(name) = name else {
            return Err(format!("tag {number} has no name: there are {} names, the first is for 0", names.len()));
        };
        name.clone_into(tag);
    }
    Ok(())
}

/// What to do where tags are numbers and nothing names them.
pub(super) const NUMBERS: &str = "the tags are numbers: name them in their order as tag_names";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_names_and_names_stay() {
        let names = ["O", "B-x"].map(str::to_owned);
        let mut tags = ["1", "0", "B-x"].map(str::to_owned);
        assert_eq!(apply(&names, &mut tags), Ok(()));
        assert_eq!(tags, ["B-x", "O", "B-x"]);
        for number in ["2", "-100"] {
            let error = apply(&names, &mut [number.to_owned()]);
            assert!(error.is_err_and(|reason| reason.contains(number) && reason.contains("2 names")));
        }
    }
}
