//! PyTorch checkpoints from parts.

use arbitrary::Arbitrary;

/// One instruction of a pickle.
#[derive(Arbitrary, Debug)]
pub enum Step {
    Integer(i32),
    Small(u8),
    Long(i64),
    Text(Word),
    Global(Word, Word),
    Remember(u8),
    Recall(u8),
    /// Any instruction without operands.
    Plain(u8),
    /// A whole tensor, as PyTorch describes one.
    Tensor {
        name: Word,
        class: u8,
        key: u8,
        offset: i16,
        shape: Vec<u8>,
        stride: Vec<u8>,
    },
    Raw(u8),
}

/// A text that matters to the reader, or any.
#[derive(Arbitrary, Debug)]
pub enum Word {
    Known(u8),
    Any(String),
}

const WORDS: [&str; 22] = [
    "torch._utils",
    "_rebuild_tensor_v2",
    "_rebuild_parameter",
    "torch._tensor",
    "_rebuild_from_type_v2",
    "torch",
    "collections",
    "OrderedDict",
    "defaultdict",
    "storage",
    "cpu",
    "0",
    "1",
    "shared.weight",
    "encoder.block.0.layer.0.SelfAttention.q.weight",
    "task_embedding_controller.task_to_embeddings.a",
    "encoder.adapter_layers_hyper_net.LayerNorm.weight",
    "encoder.adapter_layers_hyper_net.lora_a_hyper_net.weight_generator.0.weight",
    "encoder.adapter_layers_hyper_net.lora_b_hyper_net.weight_generator.0.weight",
    "encoder.adapter_layers_hyper_net.down_sampler_hyper_net.bias_generator.0.weight",
    "decoder.adapter_layers_hyper_net.up_sampler_hyper_net.bias_generator.0.bias",
    "encoder.block.0.adapter_controller.adapters.a.down_sampler.weight",
];

const CLASSES: [&str; 8] = [
    "FloatStorage",
    "DoubleStorage",
    "HalfStorage",
    "BFloat16Storage",
    "ByteStorage",
    "LongStorage",
    "IntStorage",
    "QInt8Storage",
];

/// Instructions without operands.
const PLAIN: &[u8] = b"N\x88\x89()t\x85\x86\x87]}daesuR\x81bQ\x94\x93.";

impl Word {
    fn text(&self) -> &str {
        match self {
            Self::Known(index) => WORDS[usize::from(*index) % WORDS.len()],
            Self::Any(text) => text,
        }
    }

    fn push(&self, out: &mut Vec<u8>) {
        text(out, self.text());
    }
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.push(b'X');
    out.extend((text.len() as u32).to_le_bytes());
    out.extend(text.as_bytes());
}

fn tuple(out: &mut Vec<u8>, numbers: &[u8]) {
    out.push(b'(');
    numbers.iter().for_each(|number| out.extend([b'K', *number]));
    out.push(b't');
}

impl Step {
    fn push(&self, out: &mut Vec<u8>) {
        match self {
            Self::Integer(number) => out.extend([b"J".as_slice(), &number.to_le_bytes()].concat()),
            Self::Small(number) => out.extend([b'K', *number]),
            Self::Long(number) => out.extend([b"\x8a\x08".as_slice(), &number.to_le_bytes()].concat()),
            Self::Text(word) => word.push(out),
            Self::Global(module, name) => {
                out.extend(format!("c{}\n{}\n", module.text(), name.text()).into_bytes());
            }
            Self::Remember(number) => out.extend([b'q', *number]),
            Self::Recall(number) => out.extend([b'h', *number]),
            Self::Plain(index) => out.push(PLAIN[usize::from(*index) % PLAIN.len()]),
            Self::Raw(byte) => out.push(*byte),
            Self::Tensor { name, class, key, offset, shape, stride } => {
                name.push(out);
                out.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
                text(out, "storage");
                let class = CLASSES[usize::from(*class) % CLASSES.len()];
                out.extend(format!("ctorch\n{class}\n").into_bytes());
                text(out, if key % 4 == 0 { "1" } else { "0" });
                text(out, "cpu");
                out.extend([b"K\x01tQJ".as_slice(), &i32::from(*offset).to_le_bytes()].concat());
                tuple(out, shape);
                tuple(out, stride);
                out.extend(b"\x89N");
                out.push(b't');
                out.push(b'R');
            }
        }
    }
}

/// A checkpoint: a dict of what the steps make, with two storages.
#[derive(Arbitrary, Debug)]
pub struct Checkpoint {
    steps: Vec<Step>,
    /// Whether the steps are the items of a dict, as in a state dict.
    dict: bool,
    storage: Vec<u8>,
    /// Bytes of the file that are changed: where, and to what.
    changes: Vec<(u16, u8)>,
}

impl Checkpoint {
    /// The bytes of the file.
    pub fn file(&self) -> Vec<u8> {
        let mut program = b"\x80\x02".to_vec();
        if self.dict {
            program.extend(b"}q\x00(");
        }
        self.steps.iter().for_each(|step| step.push(&mut program));
        program.extend(if self.dict { b"u.".as_slice() } else { b"." });
        let mut storage = self.storage.clone();
        // Enough for small tensors without many bytes of input.
        storage.resize(storage.len().max(64), 1);
        let mut file = zip(&[("m/data.pkl", &program), ("m/data/0", &storage), ("m/data/1", b"12345678")]);
        for (at, byte) in &self.changes {
            let length = file.len();
            file[usize::from(*at) % length] = *byte;
        }
        file
    }
}

/// A zip archive of entries without compression.
pub fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in entries {
        let mut header = vec![0; 26];
        let size = (bytes.len() as u32).to_le_bytes();
        header[0] = 20;
        header[10..14].copy_from_slice(&crc32(bytes).to_le_bytes());
        header[14..18].copy_from_slice(&size);
        header[18..22].copy_from_slice(&size);
        header[22..24].copy_from_slice(&(name.len() as u16).to_le_bytes());
        let offset = (file.len() as u32).to_le_bytes();
        directory.extend([b"PK\x01\x02\x14\x00".as_slice(), &header, &[0; 10], &offset, name.as_bytes()].concat());
        file.extend([b"PK\x03\x04".as_slice(), &header, name.as_bytes(), bytes].concat());
    }
    let count = (entries.len() as u16).to_le_bytes();
    let [size, offset] = [directory.len() as u32, file.len() as u32].map(u32::to_le_bytes);
    let end = [b"PK\x05\x06\0\0\0\0".as_slice(), &count, &count, &size, &offset, &[0; 2]].concat();
    [file, directory, end].concat()
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| crc >> 1 ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}
