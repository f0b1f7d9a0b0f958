//! The source of the CUDA kernels, compiled by the C compiler of the host and compared with the code for the CPU, bit by bit.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use half::bf16;
use tempfile::TempDir;

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
    fn run(&self, what: &str, numbers: &[u64], input: Vec<u8>) -> Vec<u8> {
        let mut call = Command::new(self.folder.path().join("dropout"));
        call.arg(what).args(numbers.iter().map(u64::to_string));
        let mut child = call.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let writer = std::thread::spawn(move || stdin.write_all(&input));
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{what} {numbers:?}: {}", output.status);
        writer.join().unwrap().unwrap();
        output.stdout
    }

    /// The number that the program prints.
    fn number(&self, what: &str, numbers: &[u64]) -> u64 {
        String::from_utf8(self.run(what, numbers, Vec::new())).unwrap().trim().parse().unwrap()
    }
}

/// Elements whose bytes the kernel reads and writes.
trait Element: Copy {
    const NAME: &'static str;
    fn from_f32(x: f32) -> Self;
    fn to_f32(self) -> f32;
    fn bytes(self) -> Vec<u8>;
}

impl Element for f32 {
    const NAME: &'static str = "f32";
    fn from_f32(x: f32) -> Self {
        x
    }
    fn to_f32(self) -> f32 {
        self
    }
    fn bytes(self) -> Vec<u8> {
        self.to_ne_bytes().to_vec()
    }
}

impl Element for bf16 {
    const NAME: &'static str = "bf16";
    fn from_f32(x: f32) -> Self {
        Self::from_f32(x)
    }
    fn to_f32(self) -> f32 {
        self.to_f32()
    }
    fn bytes(self) -> Vec<u8> {
        self.to_ne_bytes().to_vec()
    }
}

/// Values that arithmetic treats apart.
const SPECIAL: [f32; 8] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, 1e-40, 3.4e38, -3.3e38, 1e-45];

/// `n` values of all sizes, some of them special.
fn values(n: usize) -> Vec<f32> {
    let ordinary = |i: usize| (i as f32 * 0.7).sin() * 10f32.powi(i as i32 % 60 - 30);
    (0..n).map(|i| SPECIAL.get(i % 37).copied().unwrap_or_else(|| ordinary(i))).collect()
}

/// Compares elements `first..n` of `n`, where `first` is the first one of a block.
fn agrees<T: Element>(host: &Host, key: DropoutKey, n: u64, (grid, block): (u64, u64), first: u64) {
    let dropper = Dropper::new(key).unwrap();
    let x: Vec<T> = values((n - first) as usize).into_iter().map(T::from_f32).collect();
    let Dropper { base, threshold, scale } = dropper;
    let numbers = [n, base, threshold.into(), scale.to_bits().into(), grid, block, first];
    let found = host.run(T::NAME, &numbers, x.iter().flat_map(|x| x.bytes()).collect());
    let mut y: Vec<f32> = x.iter().map(|x| x.to_f32()).collect();
    dropper.apply(first as usize, &mut y);
    let expected: Vec<u8> = y.into_iter().flat_map(|y| T::from_f32(y).bytes()).collect();
    let (found, after) = found.split_at(expected.len());
    assert!(found == expected, "{key:?}, {first}..{n} of {}, {grid} blocks of {block}", T::NAME);
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
                agrees::<f32>(&host, key, n, launch, 0);
                agrees::<bf16>(&host, key, n, launch, 0);
            }
        }
    }
}

#[test]
fn kernels_reach_elements_and_pairs_after_the_end_of_32_bits() {
    let host = Host::compile();
    let key = DropoutKey { p: 0.5, seed: 5, stream: 6 };
    for n in [(1 << 32) + 3, (1 << 33) + 1025, 1u64 << 34] {
        let blocks = n.div_ceil(512);
        let first = (blocks - 3) * 512;
        agrees::<f32>(&host, key, n, (blocks, 256), first);
        agrees::<bf16>(&host, key, n, (blocks, 256), first);
    }
}

#[test]
fn random_bits_of_far_pairs_are_those_of_the_cpu() {
    let host = Host::compile();
    let dropper = Dropper::new(DropoutKey { p: 0.1, seed: 3, stream: 4 }).unwrap();
    for pair in [0, 1, u64::from(u32::MAX), 1 << 32, (1 << 39) - 1, u64::MAX] {
        assert_eq!(host.number("bits", &[dropper.base, pair]), dropper.bits(pair), "pair {pair}");
    }
}

#[test]
fn an_element_is_kept_from_the_threshold_on() {
    let host = Host::compile();
    let dropper = Dropper::new(DropoutKey { p: 0.25, seed: 0, stream: 0 }).unwrap();
    for x in SPECIAL.into_iter().chain([1.5, -2.0]) {
        for bits in [0, dropper.threshold - 1, dropper.threshold, dropper.threshold + 1, u32::MAX] {
            let numbers = [bits, dropper.threshold, dropper.scale.to_bits(), x.to_bits()].map(u64::from);
            let expected = dropper.decide(bits, x).to_bits();
            assert_eq!(host.number("decide", &numbers), u64::from(expected), "bits {bits}, x {x}");
        }
    }
}

#[test]
fn rounding_to_bf16_is_that_of_half() {
    let host = Host::compile();
    // All exponents and signs, with the fractions around those that are halfway between two numbers of 16 bits; NaN with its highest bits zero.
    let fractions = [
        0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF, 0x1_7FFF, 0x1_8000, 0x1_8001, 0x3F_FFFF, 0x40_0000, 0x7F_7FFF, 0x7F_8000,
        0x7F_FFFF,
    ];
    let x: Vec<u32> = (0..512u32).flat_map(|high| fractions.map(|low| high << 23 | low)).collect();
    let found = host.run("round", &[x.len() as u64], x.iter().flat_map(|x| x.to_ne_bytes()).collect());
    let (found, _) = found.as_chunks::<2>();
    assert_eq!(found.len(), x.len());
    for (x, found) in x.into_iter().zip(found) {
        let expected = bf16::from_f32(f32::from_bits(x)).to_bits();
        assert_eq!(u16::from_ne_bytes(*found), expected, "{x:08x}");
    }
}
