//! What a training step with LoRA costs on an encoder of BERT-base's shape: time and peak memory of four ways to put the branch in.
//!
//! - `wrapped`: candle's own operations, wrapped by `PeftModel::wrap`: `W + ΔW` in the graph.
//! - `branch`: the same operations with a low-rank branch written by hand.
//! - `wrapped-kernels`: the operations of `peft-kernels`, wrapped.
//! - `kernels`: the operations of `peft-kernels`, which compute map and branch as one.
//!
//! `cargo bench -p peft-tests --bench wrapped` prints a table. Each way runs in a process of its own, because peak memory is one number a
//! process. `PEFT_BENCH_STEPS` sets the number of steps (7). Memory is read from `/proc`, so it is known on Linux only.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark")]

use std::time::{Duration, Instant};

use candle_core::{DType, Device, Result, Shape, Tensor, Var};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};
use hyperloader::optim::{AdamW, AdamWConfig};
use peft_core::rng::{Stream, stream_of};
use peft_core::{Ctx, KAIMING_UNIFORM, ParamStore, PeftModel, initial, normal};
use peft_kernels::{self as ops, Attention, Kernels, LayerNorm, LowRank};
use peft_lora::LoraConfig;

/// BERT-base.
const LAYERS: usize = 12;
const HIDDEN: usize = 768;
const INNER: usize = 3072;
const HEADS: usize = 12;
const VOCABULARY: usize = 30522;
const POSITIONS: usize = 512;
const TAGS: usize = 9;
/// The batch.
const ROWS: usize = 8;
const LENGTH: usize = 64;
/// LoRA.
const RANK: usize = 8;

/// Set to the name of one way in its process.
const WAY: &str = "PEFT_BENCH_WAY";
const WAYS: [&str; 4] = ["wrapped", "branch", "wrapped-kernels", "kernels"];

fn main() {
    match std::env::var(WAY) {
        Ok(way) => println!("{}", measure(&way)),
        Err(_) => table(),
    }
}

fn table() {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("BERT-base, batch {ROWS} x {LENGTH}, LoRA of rank {RANK} on query and value; load {}", load.trim());
    println!("{:16} {:>12} {:>12} {:>12}", "", "median step", "fastest", "peak memory");
    for way in WAYS {
        let program = std::env::current_exe().expect("this program");
        let output = std::process::Command::new(program).env(WAY, way).output().expect("a process");
        assert!(output.status.success(), "{way}: {}", String::from_utf8_lossy(&output.stderr));
        print!("{}", String::from_utf8_lossy(&output.stdout));
    }
}

/// A map with a bias.
struct Map {
    weight: Tensor,
    bias: Tensor,
}

struct Norm {
    gamma: Tensor,
    beta: Tensor,
}

struct Layer {
    query: Map,
    key: Map,
    value: Map,
    output: Map,
    norm: Norm,
    up: Map,
    down: Map,
    last: Norm,
    /// `A` and `B` at query and value, where the branch is not in the weight.
    branches: Option<[[Tensor; 2]; 2]>,
}

struct Encoder {
    words: Tensor,
    positions: Tensor,
    norm: Norm,
    layers: Vec<Layer>,
    head: Map,
    kernels: Kernels,
}

fn map(vb: VarBuilder<'_>, d_in: usize, d_out: usize) -> Result<Map> {
    Ok(Map { weight: vb.get_with_hints((d_out, d_in), "weight", KAIMING_UNIFORM)?, bias: vb.get(d_out, "bias")? })
}

fn norm(vb: VarBuilder<'_>) -> Result<Norm> {
    Ok(Norm { gamma: vb.get_with_hints(HIDDEN, "weight", Init::Const(1.))?, beta: vb.get(HIDDEN, "bias")? })
}

impl Encoder {
    /// With branches if there is a `store` for their weights.
    fn new(vb: &VarBuilder<'_>, kernels: Kernels, store: Option<&ParamStore>) -> Result<Self> {
        let layer = |n: usize| -> Result<Layer> {
            let vb = vb.pp("encoder.layer").pp(n);
            let branch = |name: &str| -> Result<[Tensor; 2]> {
                let vb = store.expect("only called with a store").var_builder().pp(n).pp(name);
                let b = vb.get_with_hints((HIDDEN, RANK), "B", Init::Const(0.))?;
                Ok([vb.get_with_hints((RANK, HIDDEN), "A", KAIMING_UNIFORM)?, b])
            };
            let both = || -> Result<_> { Ok([branch("query")?, branch("value")?]) };
            Ok(Layer {
                query: map(vb.pp("attention.self.query"), HIDDEN, HIDDEN)?,
                key: map(vb.pp("attention.self.key"), HIDDEN, HIDDEN)?,
                value: map(vb.pp("attention.self.value"), HIDDEN, HIDDEN)?,
                output: map(vb.pp("attention.output.dense"), HIDDEN, HIDDEN)?,
                norm: norm(vb.pp("attention.output.LayerNorm"))?,
                up: map(vb.pp("intermediate.dense"), HIDDEN, INNER)?,
                down: map(vb.pp("output.dense"), INNER, HIDDEN)?,
                last: norm(vb.pp("output.LayerNorm"))?,
                branches: store.map(|_| both()).transpose()?,
            })
        };
        let table = |name: &str, rows: usize| vb.get_with_hints((rows, HIDDEN), name, normal(0.02));
        Ok(Self {
            words: table("embeddings.word_embeddings.weight", VOCABULARY)?,
            positions: table("embeddings.position_embeddings.weight", POSITIONS)?,
            norm: norm(vb.pp("embeddings.LayerNorm"))?,
            layers: (0..LAYERS).map(layer).collect::<Result<_>>()?,
            head: map(vb.pp("classifier"), HIDDEN, TAGS)?,
            kernels,
        })
    }

    fn loss(&self, ids: &Tensor, tags: &Tensor) -> Result<Tensor> {
        let positions = self.positions.narrow(0, 0, LENGTH)?;
        let x = ops::embedding(ids, &self.words, self.kernels)?.broadcast_add(&positions)?;
        let first = self.normed(&x, &self.norm)?;
        let x = self.layers.iter().try_fold(first, |x, layer| self.layer(layer, &x))?;
        let logits = self.mapped(&x, &self.head, None)?;
        candle_nn::loss::cross_entropy(&logits.flatten_to(1)?, tags)
    }

    fn normed(&self, x: &Tensor, norm: &Norm) -> Result<Tensor> {
        ops::layer_norm(x, &LayerNorm { gamma: &norm.gamma, beta: &norm.beta, eps: 1e-12 }, self.kernels)
    }

    fn mapped(&self, x: &Tensor, map: &Map, branch: Option<&[Tensor; 2]>) -> Result<Tensor> {
        let Some([a, b]) = branch else {
            return ops::add_bias(&ops::linear(x, &map.weight, self.kernels)?, &map.bias, self.kernels);
        };
        let y = match self.kernels {
            Kernels::Fused => {
                ops::linear_low_rank(x, &map.weight, &LowRank { a, b, scaling: 1., dropout: None }, self.kernels)?
            }
            // As one writes it by hand.
            _ => {
                let low = ops::linear(x, a, self.kernels)?;
                (ops::linear(x, &map.weight, self.kernels)? + ops::linear(&low, b, self.kernels)?)?
            }
        };
        ops::add_bias(&y, &map.bias, self.kernels)
    }

    fn layer(&self, layer: &Layer, x: &Tensor) -> Result<Tensor> {
        let [at_query, at_value] = match &layer.branches {
            Some([query, value]) => [Some(query), Some(value)],
            None => [None, None],
        };
        let (q, k) = (self.mapped(x, &layer.query, at_query)?, self.mapped(x, &layer.key, None)?);
        let v = self.mapped(x, &layer.value, at_value)?;
        let scale = Some(1. / ((HIDDEN / HEADS) as f32).sqrt());
        let options = Attention { heads: HEADS, key_value_heads: HEADS, scale, bias: None, mask: None, dropout: None };
        let mixed = ops::attention([&q, &k, &v], &options, self.kernels)?;
        let y = self.mapped(&mixed, &layer.output, None)?;
        let x = self.normed(&ops::residual(x, &y, None, self.kernels)?, &layer.norm)?;
        let inner = self.mapped(&x, &layer.up, None)?;
        let inner = match self.kernels {
            Kernels::Fused => ops::gelu(&inner, self.kernels)?,
            // One operation of candle, as one writes it by hand.
            _ => inner.gelu_erf()?,
        };
        let y = self.mapped(&inner, &layer.down, None)?;
        self.normed(&ops::residual(&x, &y, None, self.kernels)?, &layer.last)
    }
}

/// Random weights by name.
struct Random;

impl SimpleBackend for Random {
    fn get(&self, s: Shape, name: &str, h: Init, dtype: DType, dev: &Device) -> Result<Tensor> {
        initial(Stream::new(1, stream_of(name)), &s, h, dev).map_err(candle_core::Error::wrap)?.to_dtype(dtype)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> Result<Tensor> {
        candle_core::bail!("no shape for {name}")
    }

    fn contains_tensor(&self, _: &str) -> bool {
        true
    }
}

/// One line of the table.
fn measure(way: &str) -> String {
    let weights = VarBuilder::from_backend(Box::new(Random), DType::F32, Device::Cpu);
    let kernels = if way.ends_with("kernels") { Kernels::Fused } else { Kernels::Plain };
    let words = (0..ROWS * LENGTH).map(|i| (i * 7919 % VOCABULARY) as u32).collect::<Vec<_>>();
    let ids = Tensor::from_vec(words, (ROWS, LENGTH), &Device::Cpu).unwrap();
    let tags = (0..ROWS * LENGTH).map(|i| (i % TAGS) as u32).collect::<Vec<_>>();
    let batch = (ids, Tensor::new(tags, &Device::Cpu).unwrap());
    if way.starts_with("wrapped") {
        let model = PeftModel::wrap(weights, move |vb| Encoder::new(&vb, kernels, None)).unwrap();
        let model = model.loss(|encoder, (ids, tags): &(Tensor, Tensor), _| encoder.loss(ids, tags));
        let lora = LoraConfig::new(RANK).alpha(RANK as f64).target_modules(["query", "value"]);
        let model = model.method(lora).build().unwrap();
        return line(way, model.vars(), || model.loss(&batch, "default", &mut Ctx::train(1, 0)).unwrap());
    }
    let store = ParamStore::new(2, &Device::Cpu);
    let encoder = Encoder::new(&weights, kernels, Some(&store)).unwrap();
    line(way, store.vars(), || encoder.loss(&batch.0, &batch.1).unwrap())
}

/// Trains for some steps after one that warms up.
fn line(way: &str, vars: Vec<(String, Var)>, loss: impl Fn() -> Tensor) -> String {
    let count: usize = vars.iter().map(|(_, var)| var.elem_count()).sum();
    assert_eq!(count, LAYERS * 2 * 2 * RANK * HIDDEN, "{way}: every way trains the same weights");
    let mut optimizer = AdamW::new(vars, AdamWConfig::default()).unwrap();
    let steps = std::env::var("PEFT_BENCH_STEPS").ok().and_then(|steps| steps.parse().ok()).unwrap_or(7usize).max(1);
    let mut step = || {
        let start = Instant::now();
        optimizer.backward_step(&loss(), 1e-4).unwrap();
        start.elapsed()
    };
    step();
    let mut times: Vec<Duration> = (0..steps).map(|_| step()).collect();
    times.sort();
    let millis = |time: Duration| format!("{:.0} ms", time.as_secs_f64() * 1e3);
    let (median, fastest) = (millis(times[times.len() / 2]), millis(times[0]));
    format!("{way:16} {median:>12} {fastest:>12} {:>12}", peak())
}

/// The largest resident memory of this process so far.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    match line.trim().trim_end_matches(" kB").parse::<f64>() {
        Ok(kibibytes) => format!("{:.0} MiB", kibibytes / 1024.),
        Err(_) => "unknown".to_owned(),
    }
}
