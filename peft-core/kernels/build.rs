//! Compiles the CUDA kernels to PTX, with the feature `cuda`.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "cuda")]
    cudaforge::KernelBuilder::new().source_files(["cuda/dropout.cu"]).arg("-std=c++17").arg("-O3").build_ptx()?;
    Ok(())
}
