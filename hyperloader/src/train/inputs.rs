//! Hashes of what a run learns from, so that it is not continued on something else.

use std::collections::BTreeMap;
use std::path::Path;

use crate::{Error, Result};

/// Hashes by the key of the configuration that names the content, such as `tasks.0.train`.
pub type Inputs = BTreeMap<String, String>;

/// Refuses inputs that differ from those of the checkpoint in `folder`. Inputs that only one of the two has are not compared.
///
/// # Errors
/// [`Error::Config`] naming the keys.
pub(crate) fn require_same_inputs(folder: &Path, kept: &Inputs, now: &Inputs) -> Result<()> {
    let differs = |key: &&String| now.get(*key).is_some_and(|hash| kept.get(*key) != Some(hash));
    let changed: Vec<&str> = kept.keys().filter(differs).map(String::as_str).collect();
    if changed.is_empty() {
        return Ok(());
    }
    Err(Error::Config(format!(
        "{}: the content of {} is not what the run was trained on; restore it, or give another --out for a new run",
        folder.display(),
        changed.join(", ")
    )))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_changed_input_is_named_and_an_old_checkpoint_without_hashes_is_accepted() {
        let inputs =
            |hash: &str| Inputs::from([("model.name".into(), "a".into()), ("tasks.0.train".into(), hash.into())]);
        let compare = |kept: &Inputs| require_same_inputs(Path::new("step-3"), kept, &inputs("b"));
        compare(&inputs("b")).unwrap();
        compare(&Inputs::new()).unwrap();
        let message = compare(&inputs("c")).unwrap_err().to_string();
        assert!(message.contains("step-3") && message.contains("tasks.0.train") && !message.contains("model.name"));
    }
}
