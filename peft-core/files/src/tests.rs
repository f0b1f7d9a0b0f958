#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use super::*;

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn replaces_the_file_and_leaves_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.txt");
    for content in ["one", "two"] {
        write_atomic(&path, |file| file.write_all(content.as_bytes())).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
    }
    assert_eq!(names(folder.path()), ["a.txt"]);
}

#[test]
fn a_failed_write_keeps_the_old_content_and_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.txt");
    fs::write(&path, "old").unwrap();
    let failed = write_atomic(&path, |file| -> io::Result<()> {
        file.write_all(b"half of the ne")?;
        Err(io::Error::other("no space"))
    });
    let message = failed.unwrap_err().to_string();
    assert!(message.contains("a.txt") && message.contains("no space"), "{message}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    assert_eq!(names(folder.path()), ["a.txt"]);
}

#[test]
fn the_old_file_is_whole_until_the_new_one_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.txt");
    fs::write(&path, "old").unwrap();
    write_atomic(&path, |file| {
        file.write_all(b"new")?;
        file.flush()?;
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        Ok(())
    })
    .unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "new");
}

#[test]
fn a_missing_folder_a_folder_and_a_path_without_a_name_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    assert!(write_atomic(folder.path().join("no/such/file"), |_| Ok(())).is_err());
    assert!(write_atomic(folder.path(), |_| Ok(())).unwrap_err().to_string().contains("a folder"));
    assert!(write_atomic("..", |_| Ok(())).is_err());
}

#[test]
fn staged_files_change_nothing_before_they_are_committed() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("a"), "old").unwrap();
    for kept in [false, true] {
        let staged = ["a", "b"].map(|name| stage(path(name), |file| file.write_all(b"new")).unwrap().0);
        assert_eq!(fs::read_to_string(path("a")).unwrap(), "old");
        if kept {
            staged.into_iter().for_each(|staged| staged.commit().unwrap());
        }
    }
    assert_eq!(names(folder.path()), ["a", "b"]);
    assert_eq!(fs::read_to_string(path("a")).unwrap(), "new");
}

#[test]
fn new_folders_go_unless_they_are_kept_or_hold_something() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("a/b");
    drop(create_folders(&path).unwrap());
    assert_eq!(names(root.path()), [""; 0]);
    let made = create_folders(&path).unwrap();
    fs::write(root.path().join("a/notes"), "mine").unwrap();
    drop(made);
    assert_eq!(names(&root.path().join("a")), ["notes"]);
    fs::write(root.path().join("file"), "").unwrap();
    let message = create_folders(root.path().join("file/below")).unwrap_err().to_string();
    assert!(message.contains("file"), "{message}");
}

#[test]
fn a_dash_is_stdout_and_a_file_is_not() {
    let folder = tempfile::tempdir().unwrap();
    assert!(is_stdout("-"));
    fs::write(folder.path().join("a"), "").unwrap();
    assert!(!is_stdout(folder.path().join("a")) && !is_stdout(folder.path().join("none")));
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_link_stays_and_its_target_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (link, target) = (folder.path().join("link"), folder.path().join("target"));
        symlink("target", &link).unwrap();
        for content in ["made", "replaced"] {
            write_atomic(&link, |file| file.write_all(content.as_bytes())).unwrap();
            assert_eq!(fs::read_link(&link).unwrap(), Path::new("target"));
            assert_eq!(fs::read_to_string(&target).unwrap(), content);
        }
        assert_eq!(names(folder.path()), ["link", "target"]);
    }

    #[test]
    fn devices_are_written_through() {
        write_atomic("/dev/null", |file| file.write_all(b"nowhere")).unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn a_file_that_another_process_has_open_is_written_through() {
        use std::os::fd::AsRawFd;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let open = fs::File::create(&path).unwrap();
        let link = folder.path().join("link");
        symlink(format!("/dev/fd/{}", open.as_raw_fd()), &link).unwrap();
        if !link.exists() {
            return eprintln!("skipped: this system has no /dev/fd");
        }
        for content in ["longer", "new"] {
            write_atomic(&link, |file| file.write_all(content.as_bytes())).unwrap();
            let same = std::os::unix::fs::MetadataExt::ino(&fs::metadata(&path).unwrap())
                == std::os::unix::fs::MetadataExt::ino(&open.metadata().unwrap());
            assert!(same, "the open file is still the one with this name");
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
    }

    #[test]
    fn a_copy_made_of_hard_links_keeps_the_old_content() {
        let folder = tempfile::tempdir().unwrap();
        let (path, copy) = (folder.path().join("a"), folder.path().join("backup"));
        fs::write(&path, "old").unwrap();
        fs::hard_link(&path, &copy).unwrap();
        write_atomic(&path, |file| file.write_all(b"new")).unwrap();
        assert_eq!(fs::read_to_string(copy).unwrap(), "old");
    }

    #[test]
    fn a_protected_file_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
        let allowed = fs::OpenOptions::new().write(true).open(&path).is_ok();
        let written = write_atomic(&path, |file| file.write_all(b"new"));
        // The superuser may write to every file.
        assert_eq!(written.is_ok(), allowed);
        assert_eq!(fs::read_to_string(&path).unwrap() == "new", allowed);
    }

    #[test]
    fn a_new_file_is_readable_by_others_and_a_replaced_one_keeps_its_permissions() {
        let folder = tempfile::tempdir().unwrap();
        let (new, usual) = (folder.path().join("new"), folder.path().join("usual"));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        fs::write(&usual, "").unwrap();
        write_atomic(&new, |_| Ok(())).unwrap();
        assert_eq!(mode(&new), mode(&usual));
        fs::set_permissions(&new, fs::Permissions::from_mode(0o640)).unwrap();
        write_atomic(&new, |_| Ok(())).unwrap();
        assert_eq!(mode(&new), 0o640);
    }
}
