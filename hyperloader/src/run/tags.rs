//! The tags of a run's tasks. Structured decoding chooses from them.

use std::collections::BTreeMap;

use super::RunDir;
use crate::{Error, Result};
use peft_files::write_listed;

/// For each task its simplified tags, sorted: `O`, `I` and the types.
pub type TagSets = BTreeMap<String, Vec<String>>;

impl RunDir {
    /// The tags of the tasks, `{"task": ["I", "O", "city", ..]}`.
    pub fn tags(&self) -> std::path::PathBuf {
        self.root().join("tags.json")
    }

    /// Writes the tags of the tasks, and lists the file in the folder's manifest.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save_tags(&self, tags: &TagSets) -> Result<()> {
        let path = self.tags();
        let text = serde_json::to_string_pretty(tags).map_err(|e| Error::malformed(&path, e.to_string()))? + "\n";
        Ok(write_listed(&path, text.as_bytes())?)
    }

    /// The tags of the tasks; empty for the run of an older version, which has no such file.
    ///
    /// # Errors
    /// If the file cannot be read, was changed after it was written, or is not such a list.
    pub fn load_tags(&self) -> Result<TagSets> {
        let path = self.tags();
        if !path.is_file() {
            return Ok(TagSets::new());
        }
        peft_files::read_json(&path).map_err(|peft_files::Error { path, source }| {
            Error::malformed(path, format!("{source}; expected {{\"task\": [\"I\", \"O\", \"type\", ..]}}"))
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn they_come_back_and_damage_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::new(folder.path());
        assert!(run.load_tags().unwrap().is_empty());
        let tags = TagSets::from([("home".to_owned(), vec!["O".to_owned(), "room".to_owned()])]);
        run.save_tags(&tags).unwrap();
        assert_eq!(run.load_tags().unwrap(), tags);
        std::fs::write(run.tags(), "[]").unwrap();
        assert!(run.load_tags().unwrap_err().to_string().contains("tags.json: 2 bytes; manifest.json says"));
        std::fs::remove_file(folder.path().join(peft_files::MANIFEST)).unwrap();
        assert!(
            run.load_tags()
                .unwrap_err()
                .to_string()
                .contains("tags.json:1: expected an object, found a list; expected {")
        );
    }
}
