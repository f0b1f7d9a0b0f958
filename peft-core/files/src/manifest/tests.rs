#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

fn folder_of(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    Manifest::of(folder.path()).unwrap().write(folder.path()).unwrap();
    folder
}

#[test]
fn lists_size_and_sha256_of_every_file() {
    let folder = folder_of(&[("abc.txt", "abc"), ("sub/empty", "")]);
    let manifest = verify_manifest(folder.path()).unwrap();
    assert_eq!(manifest.files.keys().collect::<Vec<_>>(), ["abc.txt", "sub/empty"]);
    // FIPS 180-2, appendix B.1, and the hash of nothing.
    let entry = |bytes, sha256: &str, crc32c: &str| FileEntry {
        bytes,
        sha256: sha256.to_owned(),
        crc32c: Some(crc32c.to_owned()),
        crc32c_blocks: None,
        before: None,
    };
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(manifest.files["abc.txt"], entry(3, abc, "364b3fb7"));
    assert_eq!(manifest.files["sub/empty"], entry(0, empty, "00000000"));
}

#[test]
fn names_the_file_that_changed_shrank_or_went() {
    let refusal = |change: fn(&Path)| {
        let folder = folder_of(&[("a", "same"), ("b", "content")]);
        change(&folder.path().join("b"));
        verify_manifest(folder.path()).unwrap_err().to_string()
    };
    let changed = refusal(|path| fs::write(path, "cantent").unwrap());
    assert!(changed.contains("/b: SHA-256 is"), "{changed}");
    let shrunk = refusal(|path| fs::write(path, "cont").unwrap());
    assert!(shrunk.contains("/b: 4 bytes") && shrunk.contains("says 7"), "{shrunk}");
    let gone = refusal(|path| fs::remove_file(path).unwrap());
    assert!(gone.contains("/b: missing"), "{gone}");
}

#[test]
fn a_damaged_manifest_or_one_that_points_outside_is_refused() {
    let refusal = |text: &str| {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(MANIFEST), text).unwrap();
        verify_manifest(folder.path()).unwrap_err().to_string()
    };
    assert!(refusal("{\"version\":1,").contains("manifest.json"));
    assert!(refusal("{\"version\":2,\"files\":{}}").contains("version 2"));
    let outside = "{\"version\":1,\"files\":{\"../x\":{\"bytes\":0,\"sha256\":\"\"}}}";
    assert!(refusal(outside).contains("../x"));
    assert_eq!(verify_manifest("/no/such/folder").unwrap_err().source.kind(), std::io::ErrorKind::NotFound);
}

/// What `check_listed` says of `name` after `change`, for a folder with `base/weights` in its manifest.
fn after(name: &str, change: impl Fn(&Path)) -> Result<(), String> {
    let folder = folder_of(&[("a", "same"), ("base/weights", "0123456789")]);
    change(folder.path());
    let read = read_listed(folder.path().join(name)).map(drop);
    let checked = check_listed(folder.path().join(name));
    assert_eq!(read.as_ref().map_err(ToString::to_string), checked.as_ref().map_err(ToString::to_string));
    checked.map_err(|error| error.to_string())
}

#[test]
fn one_file_is_checked_against_the_manifest_of_its_folder_or_of_one_above() {
    for name in ["a", "base/weights"] {
        after(name, |_| {}).unwrap();
        for content in ["", "sama", "0123456788", "012345678"] {
            let message = after(name, |folder| fs::write(folder.join(name), content).unwrap()).unwrap_err();
            assert!(message.contains(&format!("/{name}: ")), "{message}");
            assert!(message.contains("remove its entry from manifest.json"), "{message}");
        }
    }
    after("new", |folder| fs::write(folder.join("new"), "not listed").unwrap()).unwrap();
    after("a", |folder| {
        fs::write(folder.join("a"), "changed").unwrap();
        fs::remove_file(folder.join(MANIFEST)).unwrap();
    })
    .unwrap();
}

#[test]
fn a_damaged_manifest_is_refused_and_that_of_another_program_is_none() {
    let with = |text: &'static str| after("a", move |folder| fs::write(folder.join(MANIFEST), text).unwrap());
    for foreign in
        ["{}", "[]", "{\"name\":\"app\",\"version\":\"1.2\",\"files\":{}}", "{\"version\":1,\"files\":[\"a\"]}"]
    {
        with(foreign).unwrap();
    }
    for damaged in ["", "{\"version\":1,\"fi", "{\"version\":7,\"files\":{}}", "{\"version\":1,\"files\":{\"a\":{}}}"] {
        let message = with(damaged).unwrap_err();
        assert!(message.contains("manifest.json"), "{message}");
    }
}

#[test]
fn an_older_manifest_without_crc_is_read_and_checks_nothing_while_loading() {
    let folder = folder_of(&[("a", "same")]);
    let mut manifest = Manifest::read(folder.path()).unwrap();
    manifest.files.get_mut("a").unwrap().crc32c = None;
    manifest.write(folder.path()).unwrap();
    assert!(!fs::read_to_string(folder.path().join(MANIFEST)).unwrap().contains("crc32c"));
    verify_manifest(folder.path()).unwrap();
    fs::write(folder.path().join("a"), "other").unwrap();
    check_listed(folder.path().join("a")).unwrap();
    verify_manifest(folder.path()).unwrap_err();
}

#[test]
fn a_listed_file_is_replaced_with_its_entry() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config");
    for content in ["one", "two", "two"] {
        write_listed(&path, content.as_bytes()).unwrap();
        assert_eq!(crate::read_text(&path).unwrap(), content);
        let manifest = verify_manifest(folder.path()).unwrap();
        assert_eq!(manifest, Manifest::of(folder.path()).unwrap(), "the old content is forgotten");
    }
    fs::write(&path, "three").unwrap();
    check_listed(&path).unwrap_err();
    list_files(folder.path(), &["config"]).unwrap();
    assert_eq!(verify_manifest(folder.path()).unwrap().files["config"], FileEntry::of_bytes(b"three"));
}

#[test]
fn a_file_that_cannot_be_replaced_leaves_file_and_manifest_as_they_were() {
    let folder = folder_of(&[("a", "same"), ("taken/x", "")]);
    let manifest = fs::read(folder.path().join(MANIFEST)).unwrap();
    write_listed(folder.path().join("taken"), b"a folder has this name").unwrap_err();
    assert_eq!(fs::read(folder.path().join(MANIFEST)).unwrap(), manifest);
    fs::remove_file(folder.path().join("a")).unwrap();
    fs::create_dir(folder.path().join("a")).unwrap();
    write_listed(folder.path().join("a"), b"other").unwrap_err();
    assert_eq!(fs::read(folder.path().join(MANIFEST)).unwrap(), manifest);
}

#[test]
fn a_replacement_cut_short_accepts_old_and_new_content_and_nothing_else() {
    let folder = folder_of(&[("a", "old")]);
    let between = |from: &FileEntry, to: &[u8]| {
        let both = FileEntry { before: Some(Box::new(from.clone())), ..FileEntry::of_bytes(to) };
        let mut manifest = Manifest::read(folder.path()).unwrap();
        manifest.files.insert("a".to_owned(), both.clone());
        manifest.write(folder.path()).unwrap();
        both
    };
    // Killed twice before the file itself was replaced.
    let once = between(&FileEntry::of_bytes(b"old"), b"new");
    between(&once, b"newer");
    let path = folder.path().join("a");
    for content in ["old", "new", "newer"] {
        fs::write(&path, content).unwrap();
        check_listed(&path).unwrap();
        verify_manifest(folder.path()).unwrap();
    }
    fs::write(&path, "nix").unwrap();
    check_listed(&path).unwrap_err();
    verify_manifest(folder.path()).unwrap_err();
    fs::write(&path, "old").unwrap();
    write_listed(&path, b"newest").unwrap();
    assert_eq!(verify_manifest(folder.path()).unwrap(), Manifest::of(folder.path()).unwrap());
}

/// A file of so many bytes with its manifest, and a reader of a part of it.
fn long(length: usize) -> (tempfile::TempDir, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = (0..length).map(|at| (at * at / 7) as u8).collect();
    write_listed(folder.path().join("weights"), &bytes).unwrap();
    assert_eq!(FileEntry::of_file(&folder.path().join("weights")).unwrap(), FileEntry::of_bytes(&bytes));
    (folder, bytes)
}

#[test]
fn a_long_mapped_file_is_refused_where_its_damage_is_read_and_nowhere_else() {
    let (folder, mut bytes) = long((1 << 20) + 70_000);
    let path = folder.path().join("weights");
    let whole = FileEntry::of_bytes(&bytes);
    assert_eq!(whole.crc32c, Some(format!("{:08x}", crc32c::crc32c(&bytes))));
    for at in [0, 65_535, 65_536, 500_000, bytes.len() - 1] {
        bytes[at] ^= 4;
        let checks = MappedChecks::new(&path, &bytes).unwrap();
        let block = at / 65_536 * 65_536;
        checks.check(&bytes, 0..block).unwrap();
        checks.check(&bytes, (block + 65_536).min(bytes.len())..bytes.len()).unwrap();
        for range in [at..at + 1, 0..bytes.len(), block..block + 1] {
            let message = checks.check(&bytes, range).unwrap_err().to_string();
            assert!(message.contains("/weights: CRC-32C of block at byte"), "{message}");
        }
        bytes[at] ^= 4;
        checks.check(&bytes, 0..bytes.len()).unwrap();
    }
    let message = MappedChecks::new(&path, &bytes[1..]).unwrap_err().to_string();
    assert!(message.contains("/weights: 1118575 bytes; manifest.json says 1118576"), "{message}");
}

#[test]
fn a_short_mapped_file_and_one_that_is_being_replaced_are_checked_at_once() {
    let (folder, bytes) = long(1 << 20);
    let path = folder.path().join("weights");
    MappedChecks::new(&path, &bytes).unwrap().check(&bytes, 0..bytes.len()).unwrap();
    MappedChecks::new(&path, b"other").unwrap_err();
    let (folder, bytes) = long((1 << 20) + 1);
    let mut manifest = Manifest::read(folder.path()).unwrap();
    let before = Some(Box::new(FileEntry::of_bytes(b"earlier")));
    manifest.files.get_mut("weights").unwrap().before = before;
    manifest.write(folder.path()).unwrap();
    let path = folder.path().join("weights");
    MappedChecks::new(&path, b"earlier").unwrap();
    MappedChecks::new(&path, &bytes).unwrap();
    MappedChecks::new(&path, b"other").unwrap_err();
    manifest.files.insert(
        "weights".to_owned(),
        FileEntry { crc32c_blocks: Some("12".to_owned()), ..FileEntry::of_bytes(&bytes) },
    );
    manifest.write(folder.path()).unwrap();
    let message = MappedChecks::new(&path, &bytes).unwrap_err().to_string();
    assert!(message.contains("does not hold one CRC-32C for each block"), "{message}");
}

#[test]
fn files_that_belong_together_are_listed_together() {
    let folder = folder_of(&[("a", "old a"), ("b", "old b"), ("c", "stays")]);
    let staged = |name: &str, text: &str| {
        crate::stage(folder.path().join(name), |file| std::io::Write::write_all(file, text.as_bytes())).unwrap().0
    };
    commit_listed([staged("a", "new a"), staged("b", "old b"), staged("d", "new d")]).unwrap();
    assert_eq!(verify_manifest(folder.path()).unwrap(), Manifest::of(folder.path()).unwrap());
    assert_eq!(fs::read_to_string(folder.path().join("a")).unwrap(), "new a");
    // The second cannot be replaced: the first is the new one already, and is accepted.
    let both = [staged("a", "newer a"), staged("b", "newer b")];
    fs::remove_file(folder.path().join("b")).unwrap();
    fs::create_dir(folder.path().join("b")).unwrap();
    assert!(commit_listed(both).unwrap_err().to_string().contains("/b: "));
    assert_eq!(crate::read_text(folder.path().join("a")).unwrap(), "newer a");
    let through = crate::stage("/dev/null", |file| std::io::Write::write_all(file, b"x")).unwrap().0;
    commit_listed([through]).unwrap();
}
