//! Safetensors files: any bytes, and files of parts. What is read is the same after writing and reading it.
#![no_main]

use arbitrary::Arbitrary;
use candle_core::{DType, Tensor};
use hyperloader_fuzz::limits::bounded;
use hyperloader_fuzz::scratch;
use hyperloader_fuzz::tensors::File;
use peft_files::{load_tensors, save_tensors};

#[derive(Arbitrary, Debug)]
enum Input<'a> {
    Any(&'a [u8]),
    Parts(File),
}

fn bits(tensor: &Tensor) -> Vec<u64> {
    let values = tensor.flatten_all().and_then(|tensor| tensor.to_dtype(DType::F64)?.to_vec1::<f64>());
    values.expect("numbers").into_iter().map(f64::to_bits).collect()
}

libfuzzer_sys::fuzz_target!(|input: Input<'_>| {
    let file = match &input {
        Input::Any(bytes) => bytes.to_vec(),
        Input::Parts(file) => file.bytes(),
    };
    let folder = scratch::folder();
    scratch::put(&folder, "t.safetensors", &file);
    let path = folder.path().join("t.safetensors");
    let tensors = match bounded(file.len(), || load_tensors(&path)) {
        Ok(tensors) => tensors,
        Err(error) => return assert!(error.to_string().contains("t.safetensors"), "{error}"),
    };
    let again = folder.path().join("again.safetensors");
    // Some types are read and not written.
    if save_tensors(&again, &tensors, None).is_ok() {
        let again = load_tensors(&again).expect("what was written can be read");
        assert!(again.keys().eq(tensors.keys()));
        for (name, tensor) in &tensors {
            let other = &again[name];
            assert_eq!((tensor.dims(), tensor.dtype()), (other.dims(), other.dtype()));
            assert_eq!(bits(tensor), bits(other));
        }
    }
});
