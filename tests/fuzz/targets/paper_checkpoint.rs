//! Checkpoints of the paper's authors.
#![no_main]

use hyperloader::paper_checkpoint::read_checkpoint;
use hyperloader_fuzz::limits::bounded;
use hyperloader_fuzz::scratch;
use hyperloader_fuzz::torch::Checkpoint;

libfuzzer_sys::fuzz_target!(|checkpoint: Checkpoint| {
    let file = checkpoint.file();
    let folder = scratch::folder();
    scratch::put(&folder, "pytorch_model.bin", &file);
    let path = folder.path().join("pytorch_model.bin");
    let _ = bounded(file.len(), || read_checkpoint(&path));
});
