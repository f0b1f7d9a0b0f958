//! The files that the quickstart writes.

use sha2::{Digest, Sha256};

use super::write_corpora;

/// The documented scores belong to exactly these sentences.
#[test]
fn every_seed_always_writes_the_same_files() {
    let expected = [
        (0, "5d2701163f9cb4a1bb2e88a3dfd28c25aaaed114a97b1a47fbb9760d5bae1652"),
        (1, "f89078c327ef5ed0b07bb77c3fe93c12956e76d0b583a5bc5302253087f43c47"),
        (42, "b279889aca9c022aa0503716be31d96dfe2aaf6f18105eb6be9a14d2f5e54b72"),
        (u64::MAX, "74db31f2ad5bff880ba9e5d98574a731dc14827482f03a20879b599a1c975975"),
    ];
    let written = expected.map(|(seed, _)| (seed, hash_of_files(seed)));
    assert_eq!(written, expected.map(|(seed, hash)| (seed, hash.to_owned())));
}

/// The SHA-256 of the names and the bytes of all tasks' files.
fn hash_of_files(seed: u64) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut hash = Sha256::new();
    for task in write_corpora(folder.path(), seed).unwrap() {
        for path in [task.train, task.validation.unwrap(), task.test.unwrap()] {
            hash.update(path.file_name().unwrap().to_str().unwrap());
            hash.update(std::fs::read(&path).unwrap());
        }
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
