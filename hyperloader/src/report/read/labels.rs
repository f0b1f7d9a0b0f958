//! Short names for folders.

use std::path::{Path, PathBuf};

/// The last part of each path; as many parts as are needed where several paths end alike. Equal paths are numbered.
pub(super) fn labels(paths: &[PathBuf]) -> Vec<String> {
    let longest = paths.iter().map(|path| path.components().count()).max().unwrap_or(1);
    let mut labels: Vec<String> = Vec::new();
    for path in paths {
        let is_own =
            |parts: &usize| paths.iter().filter(|other| tail(other, *parts) == tail(path, *parts)).count() == 1;
        let parts = (1..=longest).find(is_own).unwrap_or(1);
        let label = tail(path, parts);
        let same = labels.iter().filter(|other| **other == label || other.starts_with(&format!("{label} ("))).count();
        labels.push(if same == 0 { label } else { format!("{label} ({})", same + 1) });
    }
    labels
}

fn tail(path: &Path, parts: usize) -> String {
    let all: Vec<_> = path.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    all.get(all.len().saturating_sub(parts)..).unwrap_or_default().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_as_short_as_it_can_be() {
        let of = |paths: &[&str]| labels(&paths.iter().map(PathBuf::from).collect::<Vec<_>>());
        assert_eq!(of(&["runs/a", "runs/b"]), ["a", "b"]);
        assert_eq!(of(&["x/run", "y/run", "z"]), ["x/run", "y/run", "z"]);
        assert_eq!(of(&["x/run", "x/run"]), ["run", "run (2)"]);
    }
}
