//! The content of a folder, to compare what two processes wrote.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What a repeated run must reproduce: every file below `root` by its path, links as the path that they hold. `root` may be a
/// file, and need not exist.
///
/// Times are left out: of `metrics.jsonl` only the rest counts, and TensorBoard's events, a file per session, do not.
pub(crate) fn content(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for path in walk(root) {
        let name = path.strip_prefix(root).unwrap().to_path_buf();
        let text = path.to_string_lossy().into_owned();
        if path.is_symlink() {
            found.insert(name, fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes());
        } else if text.ends_with("metrics.jsonl") {
            found.insert(name, timeless(&fs::read_to_string(&path).unwrap()).into_bytes());
        } else if !text.contains("events.out.tfevents") {
            found.insert(name, fs::read(&path).unwrap());
        }
    }
    found
}

/// Fails if the two differ, and says where.
pub(crate) fn assert_same(found: &BTreeMap<PathBuf, Vec<u8>>, expected: &BTreeMap<PathBuf, Vec<u8>>, when: &str) {
    let names = |tree: &BTreeMap<PathBuf, Vec<u8>>| tree.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(found), names(expected), "{when}");
    let differs = found.iter().find(|(name, bytes)| expected[*name] != **bytes);
    assert!(differs.is_none(), "{when}: {} differs", differs.unwrap().0.display());
}

/// Files and links below `root`, in order; `root` itself if it is a file; nothing if it does not exist. What another process
/// removes meanwhile is left out.
pub(crate) fn walk(root: &Path) -> Vec<PathBuf> {
    if fs::symlink_metadata(root).is_ok_and(|metadata| !metadata.is_dir()) {
        return vec![root.to_path_buf()];
    }
    let Ok(items) = fs::read_dir(root) else { return Vec::new() };
    let mut items: Vec<_> = items.flatten().map(|item| item.path()).collect();
    items.sort();
    items.iter().flat_map(|item| walk(item)).collect()
}

/// Fails if there are half-written files and folders below `folder`.
pub(crate) fn assert_no_leftovers(folder: &Path, when: &str) {
    let found = leftovers(folder);
    assert!(found.is_empty(), "{when}: {found:?}");
}

fn leftovers(folder: &Path) -> Vec<PathBuf> {
    let Ok(items) = fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for item in items.flatten() {
        let name = item.file_name().into_string().unwrap();
        if name.contains(".tmp-") || name.contains(".old-") {
            found.push(item.path());
        } else if item.file_type().unwrap().is_dir() {
            found.extend(leftovers(&item.path()));
        }
    }
    found
}

/// The lines without the keys that depend on the clock.
fn timeless(log: &str) -> String {
    let line = |line: &str| {
        let mut object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).unwrap();
        object.retain(|key, _| key != "seconds" && key != "tokens_per_second");
        serde_json::to_string(&object).unwrap() + "\n"
    };
    log.lines().map(line).collect()
}
