//! JSON Lines: one object a line.

use super::object::Object;
use crate::error::Place;
use crate::read::check::Reason;
use crate::read::lines::numbered;

/// The objects of all lines that are not blank.
pub(super) fn objects(bytes: &[u8]) -> Vec<(Place, Result<Object, Reason>)> {
    let lines = numbered(bytes).filter(|(_, line)| !line.as_ref().is_ok_and(|line| line.trim().is_empty()));
    let object = |line: &str| {
        // A line is one object, so the position in the line is enough.
        serde_json::from_str(line)
            .or_else(|error| Object::with_bad_values(line).ok_or(error))
            .map_err(|error| format!("not a JSON object: {}", in_line(&error)))
    };
    lines.map(|(place, line)| (place, line.and_then(object))).collect()
}

/// An error without its line, which is always 1.
fn in_line(error: &serde_json::Error) -> String {
    error.to_string().replace(" at line 1 column ", " at column ")
}
