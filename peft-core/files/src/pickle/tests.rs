#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::fs;
use std::io::{Cursor, Write};
use std::path::PathBuf;

use candle_core::DType;
use proptest::prelude::*;
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;

/// A zip archive of these entries.
fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn text(text: &str) -> Vec<u8> {
    [b"X", u32::try_from(text.len()).unwrap().to_le_bytes().as_slice(), text.as_bytes()].concat()
}

fn tuple(numbers: &[i32]) -> Vec<u8> {
    let numbers = numbers.iter().flat_map(|n| [b"J".as_slice(), &n.to_le_bytes()].concat());
    [b"(".to_vec(), numbers.collect(), b"t".to_vec()].concat()
}

/// The instructions for a tensor, as `torch.save` writes them.
fn tensor(storage: [&str; 2], offset: i32, shape: &[i32], stride: &[i32]) -> Vec<u8> {
    let [class, key] = storage;
    let storage = [b"(".to_vec(), text("storage"), format!("ctorch\n{class}\n").into_bytes(), text(key), text("cpu")];
    let parts = [
        b"ctorch._utils\n_rebuild_tensor_v2\n(".to_vec(),
        storage.concat(),
        b"K\x04tQ".to_vec(),
        [b"J".as_slice(), &offset.to_le_bytes()].concat(),
        tuple(shape),
        tuple(stride),
        b"\x89ccollections\nOrderedDict\n)RtR".to_vec(),
    ];
    parts.concat()
}

/// The program for a dict of these items.
fn dict(items: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let items: Vec<u8> = items.iter().flat_map(|(name, value)| [text(name), value.clone()].concat()).collect();
    [b"\x80\x02}q\x00(".as_slice(), &items, b"u."].concat()
}

fn file(entries: &[(&str, &[u8])]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pytorch_model.bin");
    fs::write(&path, archive(entries)).unwrap();
    (folder, path)
}

/// Reads a file with this program and one storage, called `0`, of the numbers 0 to 5.
fn read(program: &[u8]) -> Result<BTreeMap<String, Tensor>, String> {
    let numbers: Vec<u8> = (0..6u8).flat_map(|n| f32::from(n).to_le_bytes()).collect();
    let (_folder, path) = file(&[("m/data.pkl", program), ("m/byteorder", b"little"), ("m/data/0", &numbers)]);
    load_pickle(&path).map_err(|error| error.to_string())
}

fn refusal(program: &[u8]) -> String {
    let message = read(program).unwrap_err();
    assert!(message.contains("pytorch_model.bin"), "{message}");
    message
}

const FLOATS: [&str; 2] = ["FloatStorage", "0"];

#[test]
fn whole_parts_turned_and_shared_tensors_are_read() {
    let tensors = read(&dict(&[
        ("whole", tensor(FLOATS, 0, &[2, 3], &[3, 1])),
        ("turned", tensor(FLOATS, 0, &[3, 2], &[1, 3])),
        ("part", tensor(FLOATS, 4, &[2], &[1])),
        ("one", tensor(FLOATS, 5, &[], &[])),
        ("column", tensor(FLOATS, 1, &[2, 1], &[3, 1])),
        ("repeated", tensor(FLOATS, 2, &[3], &[0])),
        ("empty", tensor(FLOATS, 0, &[0, 3], &[3, 1])),
        ("tied", tensor(FLOATS, 0, &[2, 3], &[3, 1])),
        ("no tensor", b"N".to_vec()),
    ]))
    .unwrap();
    let matrix = |name: &str| tensors[name].to_vec2::<f32>().unwrap();
    assert_eq!(matrix("whole"), [[0., 1., 2.], [3., 4., 5.]]);
    assert_eq!(matrix("tied"), matrix("whole"));
    assert_eq!(matrix("turned"), [[0., 3.], [1., 4.], [2., 5.]]);
    assert_eq!(matrix("column"), [[1.], [4.]]);
    assert_eq!(tensors["part"].to_vec1::<f32>().unwrap(), [4., 5.]);
    assert_eq!(tensors["repeated"].to_vec1::<f32>().unwrap(), [2.; 3]);
    assert_eq!(tensors["one"].to_scalar::<f32>().unwrap(), 5.);
    assert_eq!(tensors["empty"].dims(), [0, 3]);
    assert!(!tensors.contains_key("no tensor"));
}

#[test]
fn what_candle_reads_is_read_as_candle_reads_it() {
    let program = dict(&[
        ("a", tensor(FLOATS, 0, &[2, 3], &[3, 1])),
        ("b", tensor(FLOATS, 3, &[3], &[1])),
        ("c", tensor(FLOATS, 0, &[3, 2], &[1, 3])),
    ]);
    let numbers: Vec<u8> = (0..6u8).flat_map(|n| (f32::from(n) - 2.5).to_le_bytes()).collect();
    let (_folder, path) = file(&[("m/data.pkl", &program), ("m/data/0", &numbers)]);
    let (ours, theirs) = (load_pickle(&path).unwrap(), candle_core::pickle::read_all(&path).unwrap());
    assert_eq!(ours.len(), theirs.len());
    for (name, tensor) in theirs {
        let values = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!((ours[&name].dims(), values(&ours[&name])), (tensor.dims(), values(&tensor)), "{name}");
    }
}

#[test]
fn parameters_subclasses_and_attributes_of_the_dict_are_understood() {
    let inner = tensor(FLOATS, 0, &[6], &[1]);
    let parameter = [b"ctorch._utils\n_rebuild_parameter\n(".as_slice(), &inner, b"\x88NtR"].concat();
    let arguments = tensor(FLOATS, 0, &[6], &[1]);
    // `_rebuild_from_type_v2(_rebuild_tensor_v2, type, arguments, state)`.
    let (function, arguments) = arguments.split_at(b"ctorch._utils\n_rebuild_tensor_v2\n".len());
    let arguments = arguments.strip_suffix(b"R").unwrap();
    let subclass =
        [b"ctorch._tensor\n_rebuild_from_type_v2\n(", function, b"cmine\nTensor\n", arguments, b"NtR"].concat();
    let mut program = dict(&[("parameter", parameter), ("subclass", subclass)]);
    program.pop();
    program.extend([b"}(".as_slice(), &text("_metadata"), b"NuK\x01K\x02sb."].concat());
    let tensors = read(&program).unwrap();
    assert_eq!(tensors.keys().collect::<Vec<_>>(), ["parameter", "subclass"]);
    assert!(tensors.values().all(|tensor| tensor.elem_count() == 6));
}

#[test]
fn the_types_of_storages_are_those_of_candle() {
    let kinds = [("DoubleStorage", DType::F64), ("LongStorage", DType::I64), ("IntStorage", DType::I32)];
    let more = [("HalfStorage", DType::F16), ("BFloat16Storage", DType::BF16), ("BoolStorage", DType::U8)];
    for (class, dtype) in kinds.into_iter().chain(more) {
        let tensors = read(&dict(&[("t", tensor([class, "0"], 1, &[2], &[1]))])).unwrap();
        assert_eq!((tensors["t"].dtype(), tensors["t"].dims()), (dtype, [2].as_slice()));
    }
    let message = refusal(&dict(&[("t", tensor(["ComplexFloatStorage", "0"], 0, &[1], &[1]))]));
    assert!(message.contains("\"t\"") && message.contains("ComplexFloatStorage"), "{message}");
}

#[test]
fn a_tensor_outside_its_storage_is_named() {
    let max = i32::MAX;
    for (offset, shape, stride) in [
        (0, vec![7], vec![1]),
        (6, vec![1], vec![1]),
        (-1, vec![1], vec![1]),
        (0, vec![2, 3], vec![4, 1]),
        (0, vec![max, max, max], vec![1, 1, 1]),
        (max, vec![2], vec![max]),
        (0, vec![2, 2], vec![1]),
        (0, vec![1; 17], vec![1; 17]),
        (0, vec![max], vec![0]),
        (0, vec![0, max, max, max], vec![1; 4]),
    ] {
        let message = refusal(&dict(&[("far", tensor(FLOATS, offset, &shape, &stride))]));
        assert!(message.contains("\"far\""), "{message}");
    }
}

#[test]
fn programs_that_use_much_memory_or_much_depth_end_soon() {
    // A text of four gigabytes, of which there is nothing.
    assert!(refusal(b"\x80\x02X\xff\xff\xff\xff.").contains("byte 2"));
    // Each list holds the one before it twice: 2^40 items if they were copied.
    let doubled = [b"]q\x00".as_slice(), &b"](h\x00h\x00eq\x00".repeat(40), b"."].concat();
    assert!(refusal(&doubled).contains("no state dict"));
    // A tuple in a tuple, and so on.
    let deep = [b")".as_slice(), &b"\x85".repeat(400_000), b"."].concat();
    assert!(refusal(&deep).contains("no state dict"));
    assert!(refusal(&[b")".repeat(600_000).as_slice(), b"."].concat()).contains("more than"));
}

#[test]
fn other_files_are_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pytorch_model.bin");
    let message = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        load_pickle(&path).unwrap_err().to_string()
    };
    assert!(message(b"no zip").contains("not a PyTorch checkpoint"));
    assert!(message(b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.").contains("save it again"));
    assert!(message(&archive(&[("a.txt", b"")])).contains("no data.pkl"));
    assert!(message(&archive(&[("m/data.pkl", b"N."), ("m/byteorder", b"big")])).contains("little-endian"));
    let lacking = dict(&[("t", tensor(["FloatStorage", "7"], 0, &[1], &[1]))]);
    assert!(message(&archive(&[("m/data.pkl", &lacking)])).contains("m/data/7"));
    assert!(refusal(b"\x80\x02cos\nsystem\n(U\x04true").contains("unknown instruction"));
}

#[test]
fn a_flipped_bit_in_a_storage_is_found() {
    let program = dict(&[("t", tensor(FLOATS, 0, &[6], &[1]))]);
    let mut bytes = archive(&[("m/data.pkl", &program), ("m/data/0", &[7; 24])]);
    let at = bytes.windows(24).position(|window| window == [7; 24]).unwrap();
    bytes[at + 5] ^= 1;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pytorch_model.bin");
    fs::write(&path, bytes).unwrap();
    let message = load_pickle(&path).unwrap_err().to_string();
    assert!(message.contains("m/data/0"), "{message}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn changed_programs_never_panic(at in 0usize..300, byte: u8, cut in 0usize..300) {
        let mut program = dict(&[
            ("a", tensor(FLOATS, 0, &[2, 3], &[3, 1])),
            ("b", tensor(FLOATS, 4, &[2], &[1])),
        ]);
        if let Some(place) = program.get_mut(at) {
            *place = byte;
        }
        program.truncate(program.len().saturating_sub(cut / 8));
        let _ = read(&program);
    }
}
