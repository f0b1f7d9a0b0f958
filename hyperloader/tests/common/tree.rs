//! A whole folder as a value, to show that a command has not changed it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Everything below `folder`: kind, permissions and content by path. Links are not followed.
pub(crate) fn tree(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    collect(folder, "", &mut found);
    found
}

fn collect(folder: &Path, prefix: &str, found: &mut BTreeMap<String, String>) {
    for item in fs::read_dir(folder).unwrap() {
        let item = item.unwrap();
        let (path, name) = (item.path(), format!("{prefix}{}", item.file_name().to_string_lossy()));
        let metadata = fs::symlink_metadata(&path).unwrap();
        let content = if metadata.is_symlink() {
            fs::read_link(&path).unwrap().to_string_lossy().into_owned()
        } else if metadata.is_file() {
            format!("{:?}", fs::read(&path).unwrap())
        } else {
            String::new()
        };
        found.insert(name.clone(), format!("{:?} {:?} {content}", metadata.file_type(), metadata.permissions()));
        if metadata.is_dir() {
            collect(&path, &format!("{name}/"), found);
        }
    }
}
