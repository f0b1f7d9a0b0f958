//! The source of the CUDA kernels, compiled by the C compiler of the host and compared with the code for the CPU, bit by bit.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use candle_core::{Device, Tensor, WithDType};
use half::bf16;
use tempfile::TempDir;

use super::cuda::OnDevice;
use super::{DropoutKey, Dropper};

/// The program of `cuda/host/dropout.c`.
struct Host {
    folder: TempDir,
}

impl Host {
    fn compile() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("cuda/host/dropout.c");
        let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
        let mut call = Command::new(&compiler);
        call.args(["-O2", "-Wall", "-Wextra", "-Werror", "-o"]).arg(folder.path().join("dropout")).arg(source);
        let status =
            call.status().unwrap_or_else(|e| panic!("this test needs a C compiler, $CC or cc: {compiler}: {e}"));
        assert!(status.success(), "{compiler}: {status}");
        Self { folder }
    }

    /// What the program prints, with `input` as its standard input.
    fn run(&self, arguments: &[String], input: Vec<u8>) -> Vec<u8> {
        let mut call = Command::new(self.folder.path().join("dropout"));
        let mut child = call.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        // The program reads all before it writes.
        child.stdin.take().unwrap().write_all(&input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", output.status);
        output.stdout
    }
}

/// Elements whose bytes the kernel reads and writes.
trait Element: WithDType {
    const NAME: &'static str;
    fn bytes(self) -> Vec<u8>;
}

impl Element for f32 {
    const NAME: &'static str = "f32";
    fn bytes(self) -> Vec<u8> {
        self.to_ne_bytes().to_vec()
    }
}

impl Element for bf16 {
    const NAME: &'static str = "bf16";
    fn bytes(self) -> Vec<u8> {
        self.to_ne_bytes().to_vec()
    }
}

/// Values of all sizes, and those that arithmetic treats apart.
fn values<T: Element>(n: usize) -> Vec<T> {
    let special = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 1e-40, 3.4e38, -3.3e38, 1e-45];
    let ordinary = |i: usize| (i as f64 * 0.7).sin() * 10f64.powi(i as i32 % 60 - 30);
    (0..n).map(|i| T::from_f64(special.get(i % 37).copied().unwrap_or_else(|| ordinary(i)))).collect()
}

fn agrees<T: Element>(host: &Host, key: DropoutKey, n: usize, (grid, block): (u32, u32)) {
    let dropper = Dropper::new(key).unwrap();
    let x: Vec<T> = values(n);
    let input: Vec<u8> = x.iter().flat_map(|x| x.bytes()).collect();
    let numbers =
        [n as u64, dropper.base, dropper.threshold.into(), dropper.scale.to_bits().into(), grid.into(), block.into()];
    let arguments: Vec<String> = [T::NAME.to_owned()].into_iter().chain(numbers.map(|n| n.to_string())).collect();
    let found = host.run(&arguments, input);
    let y = Tensor::from_vec(x, n, &Device::Cpu).unwrap().apply_op1_no_bwd(&OnDevice(dropper)).unwrap();
    let expected: Vec<u8> = y.to_vec1::<T>().unwrap().iter().flat_map(|y| y.bytes()).collect();
    let (found, after) = found.split_at(expected.len());
    assert!(found == expected, "{key:?}, {n} elements of {}, {grid} blocks of {block}", T::NAME);
    assert!(after.iter().all(|byte| *byte == 0xA5), "{n} elements of {}: the kernel writes after the end", T::NAME);
}

#[test]
fn kernels_give_the_bits_of_the_cpu() {
    let host = Host::compile();
    let keys = [(0.1, 42, 7), (0.5, 0, 0), (0.9, u64::MAX, u64::MAX), (1e-9, 1, 1 << 63)];
    for (p, seed, stream) in keys {
        let key = DropoutKey { p, seed, stream };
        for n in [1, 2, 3, 511, 512, 513, 5000] {
            // Fewer threads than pairs, as many, and more.
            for launch in [(1, 1), (1, 32), (3, 64), (4, 256)] {
                agrees::<f32>(&host, key, n, launch);
                agrees::<bf16>(&host, key, n, launch);
            }
        }
    }
}

#[test]
fn random_bits_of_far_pairs_are_those_of_the_cpu() {
    let host = Host::compile();
    let dropper = Dropper::new(DropoutKey { p: 0.1, seed: 3, stream: 4 }).unwrap();
    for pair in [0, 1, u64::from(u32::MAX), 1 << 32, (1 << 39) - 1, u64::MAX] {
        let found = host.run(&["bits".to_owned(), dropper.base.to_string(), pair.to_string()], Vec::new());
        assert_eq!(String::from_utf8(found).unwrap().trim(), dropper.bits(pair).to_string(), "pair {pair}");
    }
}
