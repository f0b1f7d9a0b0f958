//! PyTorch checkpoints: any bytes, and archives whose pickle is made of instructions.
#![no_main]

use arbitrary::Arbitrary;
use hyperloader_fuzz::limits::bounded;
use hyperloader_fuzz::scratch;
use hyperloader_fuzz::torch::{Checkpoint, zip};
use peft_files::load_pickle;

#[derive(Arbitrary, Debug)]
enum Input<'a> {
    Any(&'a [u8]),
    Program(&'a [u8], &'a [u8]),
    Parts(Checkpoint),
}

libfuzzer_sys::fuzz_target!(|input: Input<'_>| {
    let file = match &input {
        Input::Any(bytes) => bytes.to_vec(),
        Input::Program(program, storage) => zip(&[("archive/data.pkl", program), ("archive/data/0", storage)]),
        Input::Parts(checkpoint) => checkpoint.file(),
    };
    let folder = scratch::folder();
    scratch::put(&folder, "pytorch_model.bin", &file);
    let path = folder.path().join("pytorch_model.bin");
    match bounded(file.len(), || load_pickle(&path)) {
        Err(error) => assert!(error.to_string().contains("pytorch_model.bin"), "{error}"),
        Ok(tensors) => assert!(tensors.values().all(|tensor| tensor.flatten_all().is_ok())),
    }
});
