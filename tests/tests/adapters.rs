//! Many adapters on one T5: rows of a batch that differ, named adapters, combining, merging and unmerging.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::{VarBuilder, VarMap};
use peft_adapter as _;
use peft_core::{
    ActiveAdapters, AdapterWeights, Adapters, Condition, Ctx, GeneratorConfig, ParamStore, PeftConfig, Plan, Tasks,
    WeightGenerator,
};
use peft_hyper as _;
use peft_lora::{Combination, CombinationType, add_weighted_adapter};
use peft_t5::decode::{GenerationConfig, Source, generate};
use peft_t5::{T5, T5Config, Weights, preset, shift_right};

const CPU: &Device = &Device::Cpu;
const LORA: &str = r#"{"peft_type": "LORA", "r": 3, "lora_alpha": 12}"#;
const WIDE_LORA: &str = r#"{"peft_type": "LORA", "r": 2, "lora_alpha": 7, "target_modules": "all-linear"}"#;
const BOTTLENECK: &str = r#"{"peft_type": "BOTTLENECK", "reduction_factor": 4}"#;
const STATIC: &str = r#"{"generator": "static"}"#;
const PER_TASK: &str = r#"{"generator": "static", "per_task": true, "shared": ["ln_after"]}"#;
const HYPER: &str = r#"{"generator": "hypernetwork", "embedding_dim": 5, "hidden_dim": 7, "conditioning_dim": 6}"#;

fn shape() -> T5Config {
    let mut shape = preset("t5-small").expect("a built-in shape");
    (shape.vocab_size, shape.d_model, shape.d_kv, shape.d_ff) = (40, 16, 4, 24);
    (shape.num_heads, shape.num_layers, shape.num_decoder_layers) = (4, 2, 2);
    shape
}

/// Tied and not: version 1.1 has a linear map `lm_head`.
fn shapes() -> [T5Config; 2] {
    [shape(), T5Config { tie_word_embeddings: false, ..shape() }]
}

fn build(config: &T5Config) -> T5 {
    T5::new(config, Weights::random(1).var_builder(DType::F32, CPU)).unwrap()
}

fn plan(t5: &T5, methods: &[&str]) -> Plan {
    let methods: Vec<Box<dyn PeftConfig>> = methods.iter().map(|m| serde_json::from_str(m).unwrap()).collect();
    Plan::resolve(t5.sites(), &methods).unwrap()
}

/// A generator for three tasks whose variables were moved by up to `size`.
fn generator(plan: &Plan, config: &str, seed: u64, size: f32) -> (ParamStore, Box<dyn WeightGenerator>) {
    let store = ParamStore::new(seed, CPU);
    let config: Box<dyn GeneratorConfig> = serde_json::from_str(config).unwrap();
    let generator = config.build(plan, &Tasks::new(["one", "two", "three"]), store.var_builder()).unwrap();
    for (number, (_, var)) in store.vars().into_iter().enumerate() {
        let wave = |i: usize| size * ((i * 7 + number * 3 + seed as usize) as f32).sin();
        let moved = Tensor::from_vec((0..var.elem_count()).map(wave).collect(), var.shape(), CPU).unwrap();
        var.set(&(var.as_tensor() + moved).unwrap()).unwrap();
    }
    (store, generator)
}

fn weights(plan: &Plan, seed: u64, size: f32) -> AdapterWeights {
    generator(plan, STATIC, seed, size).1.generate(&Condition::Task(0)).unwrap()
}

/// Ids, mask and labels of four sentences.
fn batch() -> [Tensor; 3] {
    let ids = |rows: &[[u32; 5]; 4]| Tensor::new(rows, CPU).unwrap();
    let source = ids(&[[5, 9, 12, 7, 1], [8, 30, 1, 0, 0], [11, 6, 21, 1, 0], [33, 14, 2, 17, 1]]);
    let mask = source.ne(0u32).unwrap().to_dtype(DType::U32).unwrap();
    [source, mask, ids(&[[4, 17, 9, 2, 1], [6, 3, 1, 0, 0], [14, 8, 8, 1, 0], [25, 1, 0, 0, 0]])]
}

fn row(batch: &[Tensor; 3], n: usize) -> [Tensor; 3] {
    batch.each_ref().map(|t| t.narrow(0, n, 1).unwrap())
}

fn logits(t5: &T5, [source, mask, labels]: &[Tensor; 3], active: &ActiveAdapters<'_>) -> Tensor {
    let mut ctx = Ctx::eval();
    let encoded = t5.encode(source, mask, active, &mut ctx).unwrap();
    let hidden = t5.decode(&shift_right(labels, 0).unwrap(), &encoded, active, &mut ctx).unwrap();
    t5.logits(&hidden, active, &mut ctx).unwrap()
}

fn write(t5: &T5, [source, mask, _]: &[Tensor; 3], active: &ActiveAdapters<'_>, num_beams: usize) -> Vec<Vec<u32>> {
    let [num_beams, max_length] = [num_beams, 14].map(|n| NonZeroUsize::new(n).unwrap());
    // Without a reward for length sentences end at different times.
    let config = GenerationConfig { num_beams, max_length, length_penalty: 0., ..GenerationConfig::default() };
    let encoded = t5.encode(source, mask, active, &mut Ctx::eval()).unwrap();
    generate(&Source::new(t5, &encoded, active), &config).unwrap()
}

fn gap(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.dims(), b.dims());
    (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar().unwrap()
}

/// What a comparison of mixed and separate decoding has seen. The test checks it, so that it cannot pass because nothing happens.
#[derive(Debug, Default)]
struct Seen {
    /// How often rows left the batch at different times, in greedy and in beam search.
    uneven: [usize; 2],
    /// A row's tokens differ from those that the first row's adapter writes there.
    differ: usize,
}

impl Seen {
    fn check(&self, name: &str) {
        println!("{name}: {self:?}");
        assert!(self.differ > 50 && self.uneven.iter().all(|count| *count > 0), "{name}: {self:?}");
    }
}

/// Greedy and beam search of `mixed` equal those of `alone(row)` row by row, whatever word ends a sentence.
fn decodes_as_apart<'a>(
    shape: &T5Config,
    name: &str,
    mixed: &ActiveAdapters<'_>,
    alone: impl Fn(usize) -> ActiveAdapters<'a>,
) -> Seen {
    let (batch, mut seen) = (batch(), Seen::default());
    for eos_token_id in 1..shape.vocab_size as u32 {
        let t5 = build(&T5Config { eos_token_id, ..shape.clone() });
        for (uneven, beams) in seen.uneven.iter_mut().zip([1, 3]) {
            let together = write(&t5, &batch, mixed, beams);
            let mut lengths = Vec::new();
            for (n, tokens) in together.iter().enumerate() {
                let apart = write(&t5, &row(&batch, n), &alone(n), beams).remove(0);
                assert_eq!(tokens[..apart.len()], apart, "{name}, {beams} beams, </s> {eos_token_id}, row {n}");
                assert!(tokens[apart.len()..].iter().all(|token| *token == 0));
                seen.differ += usize::from(write(&t5, &row(&batch, n), &alone(0), beams).remove(0) != apart);
                lengths.push(apart.len());
            }
            *uneven += usize::from(lengths.iter().any(|len| *len != lengths[0]));
        }
    }
    seen
}

#[test]
fn a_batch_of_mixed_tasks_writes_what_separate_batches_write() {
    let tasks = [2, 0, 1, 0];
    for shape in shapes() {
        let t5 = build(&shape);
        let cases = [
            ("hypernetwork", &[LORA, BOTTLENECK][..], HYPER, 0.4),
            ("static per task", &[WIDE_LORA, BOTTLENECK], PER_TASK, 0.5),
        ];
        for (name, methods, config, size) in cases {
            let plan = plan(&t5, methods);
            let (_store, generator) = generator(&plan, config, 3, size);
            let weights = |condition| generator.generate(&condition).unwrap().detach();
            let alone: Vec<AdapterWeights> = tasks.iter().map(|task| weights(Condition::Task(*task))).collect();
            let mixed = ActiveAdapters::new(&plan, weights(Condition::Rows(tasks.to_vec()))).unwrap();
            let seen = decodes_as_apart(&shape, name, &mixed, |n| ActiveAdapters::new(&plan, &alone[n]).unwrap());
            seen.check(name);
        }
    }
}

/// Adapters of different methods at different sites, as plans with weights.
fn zoo(t5: &T5) -> Vec<(Plan, AdapterWeights)> {
    let methods: [&[&str]; 3] = [&[LORA], &[BOTTLENECK], &[WIDE_LORA, BOTTLENECK]];
    let adapter = |(seed, methods): (u64, &&[&str])| {
        let plan = plan(t5, methods);
        let weights = weights(&plan, seed, 0.5);
        (plan, weights)
    };
    (5..).zip(&methods).map(adapter).collect()
}

#[test]
fn a_batch_of_mixed_adapters_equals_separate_batches() {
    let choices = [[Some(2), None, Some(0), Some(1)], [Some(1), Some(0), Some(1), Some(1)]];
    for shape in shapes() {
        let t5 = build(&shape);
        let zoo = zoo(&t5);
        let adapters: Vec<_> = zoo.iter().map(|(plan, weights)| ActiveAdapters::new(plan, weights).unwrap()).collect();
        for choice in choices {
            let mixed = ActiveAdapters::by_row(&choice, &adapters).unwrap();
            let alone = |n: usize| choice[n].map_or_else(ActiveAdapters::none, |a: usize| adapters[a].clone());
            let together = logits(&t5, &batch(), &mixed);
            for n in 0..choice.len() {
                let apart = logits(&t5, &row(&batch(), n), &alone(n));
                assert!(gap(&together.narrow(0, n, 1).unwrap(), &apart) < 1e-5, "row {n}");
                let other = logits(&t5, &row(&batch(), n), &adapters[(n + 2) % 3]);
                assert!(choice[n] == Some((n + 2) % 3) || gap(&other, &apart) > 1e-2, "row {n}: adapters must differ");
            }
            let seen = decodes_as_apart(&shape, "adapters", &mixed, alone);
            seen.check("adapters");
        }
    }
}

/// A generator whose variables have another type than a store's, at the same values.
fn in_type(plan: &Plan, config: &str, dtype: DType) -> (Vec<(String, Var)>, Box<dyn WeightGenerator>) {
    let (store, _) = generator(plan, config, 4, 0.1);
    let map = VarMap::new();
    let config: Box<dyn GeneratorConfig> = serde_json::from_str(config).unwrap();
    let builder = VarBuilder::from_varmap(&map, dtype, CPU);
    let generator = config.build(plan, &Tasks::new(["one", "two", "three"]), builder).unwrap();
    let vars: BTreeMap<String, Var> = map.data().lock().unwrap().clone().into_iter().collect();
    for (name, var) in store.vars() {
        vars[&name].set(&var.to_dtype(dtype).unwrap()).unwrap();
    }
    (vars.into_iter().collect(), generator)
}

/// By variable, the gradients of the sum of squared logits, of the mixed batch and of its rows one by one.
fn gradients_of_mixed_rows(dtype: DType) -> Vec<(String, [Option<Tensor>; 2])> {
    let t5 = T5::new(&shape(), Weights::random(1).var_builder(dtype, CPU)).unwrap();
    let (lora, both) = (plan(&t5, &[LORA]), plan(&t5, &[WIDE_LORA, BOTTLENECK]));
    let [(lora_vars, lora_weights), (both_vars, both_weights)] =
        [(&lora, HYPER), (&both, PER_TASK)].map(|(plan, config)| in_type(plan, config, dtype));
    let generate = |generator: &dyn WeightGenerator, condition| generator.generate(&condition).unwrap();
    let loss =
        |batch: &[Tensor; 3], active: &ActiveAdapters<'_>| logits(&t5, batch, active).sqr().unwrap().sum_all().unwrap();

    // One adapter is a task of a hypernetwork; the other one has a task of its own for each row.
    let tasks = vec![1, 1, 2, 0];
    let adapters = [
        ActiveAdapters::new(&lora, generate(lora_weights.as_ref(), Condition::Task(1))).unwrap(),
        ActiveAdapters::new(&both, generate(both_weights.as_ref(), Condition::Rows(tasks.clone()))).unwrap(),
    ];
    let choice = [Some(1), Some(0), Some(1), None];
    let mixed = loss(&batch(), &ActiveAdapters::by_row(&choice, &adapters).unwrap()).backward().unwrap();
    let apart = (0..4).map(|n| {
        let active = match choice[n] {
            Some(0) => ActiveAdapters::new(&lora, generate(lora_weights.as_ref(), Condition::Task(1))).unwrap(),
            Some(_) => ActiveAdapters::new(&both, generate(both_weights.as_ref(), Condition::Task(tasks[n]))).unwrap(),
            None => ActiveAdapters::none(),
        };
        loss(&row(&batch(), n), &active)
    });
    let apart = apart.reduce(|a, b| (a + b).unwrap()).unwrap().backward().unwrap();
    let of = |var: &Var| [&mixed, &apart].map(|gradients| gradients.get(var).cloned());
    lora_vars.into_iter().chain(both_vars).map(|(name, var)| (name, of(&var))).collect()
}

/// In f64, where rounding cannot be taken for a mistake; in f32, whose kernels are others, the mixed batch against that.
#[test]
fn gradients_of_mixed_rows_are_those_of_the_separate_batches() {
    let wide = |x: &Tensor| x.to_dtype(DType::F64).unwrap();
    let largest = |x: &Tensor| wide(x).abs().unwrap().max_all().unwrap().to_scalar::<f64>().unwrap();
    let gap = |a: &Tensor, b: &Tensor| largest(&(wide(a) - wide(b)).unwrap());
    let (mut reached, mut unreached) = (0, 0);
    let both = gradients_of_mixed_rows(DType::F64).into_iter().zip(gradients_of_mixed_rows(DType::F32));
    for ((name, [mixed, apart]), (_, [fused, _])) in both {
        match (mixed, apart, fused) {
            (Some(mixed), Some(apart), Some(fused)) if largest(&apart) > 0. => {
                let size = largest(&apart).max(1.);
                assert!(gap(&mixed, &apart) <= 1e-12 * size, "{name}: {}", gap(&mixed, &apart));
                assert!(gap(&fused, &apart) <= 1e-5 * size, "{name} in f32: {} of {size}", gap(&fused, &apart));
                reached += 1;
            }
            // Tasks of no row, and what a hypernetwork keeps for them.
            (mixed, _, fused) => {
                assert!([mixed, fused].into_iter().flatten().all(|mixed| largest(&mixed) == 0.), "{name}");
                unreached += 1;
            }
        }
    }
    assert!(reached > 50 && unreached > 10, "{reached} {unreached}");
}

#[test]
fn a_merged_model_computes_the_same_and_names_what_it_could_not_merge() {
    for shape in shapes() {
        let t5 = build(&shape);
        let plan = plan(&t5, &[WIDE_LORA, BOTTLENECK]);
        let weights = weights(&plan, 6, 0.3);
        let active = ActiveAdapters::new(&plan, &weights).unwrap();
        let merged = t5.merge_and_unload(&active).unwrap();
        let expected = logits(&t5, &batch(), &active);
        assert!(gap(&logits(&merged.model, &batch(), &active), &expected) < 1e-5);
        assert!(
            gap(&logits(&merged.model, &batch(), &ActiveAdapters::none()), &expected) > 1e-2,
            "bottlenecks still act"
        );

        let refused: Vec<&str> = merged.refused.iter().map(|refusal| refusal.site.as_str()).collect();
        let hidden =
            |stack: &str, last: usize| [0, 1].map(|i| [0, last].map(|l| format!("{stack}.block.{i}.layer.{l}")));
        let expected = [hidden("encoder", 1), hidden("decoder", 2)];
        assert_eq!(refused, expected.iter().flatten().flatten().collect::<Vec<_>>());
        assert_eq!(
            merged.refused[0].to_string(),
            "BOTTLENECK at encoder.block.0.layer.0 cannot be merged into a weight: it acts on the output of a sub-layer, \
             which is no linear map and has no weight"
        );

        let unmerged = merged.model.unmerge(&active).unwrap();
        assert_eq!(unmerged.refused, []);
        let (base, restored, changed) =
            (t5.tensors().unwrap(), unmerged.model.tensors().unwrap(), merged.model.tensors().unwrap());
        for (name, weight) in &base {
            assert!(gap(weight, &restored[name]) < 1e-5, "{name}");
        }
        assert_eq!(base.iter().filter(|(name, w)| gap(w, &changed[*name]) > 1e-2).count(), 2 * 6 + 2 * 10);
        let again = logits(&unmerged.model, &batch(), &active);
        assert!(gap(&again, &logits(&t5, &batch(), &active)) < 1e-4, "methods act again");
    }
}

#[test]
fn a_stack_merges_as_one() {
    let t5 = build(&shape());
    let (first, second) = (plan(&t5, &[LORA]), plan(&t5, &[WIDE_LORA]));
    let (one, two) = (weights(&first, 7, 0.3), weights(&second, 8, 0.3));
    let stack = ActiveAdapters::stack([
        ActiveAdapters::new(&first, &one).unwrap(),
        ActiveAdapters::new(&second, &two).unwrap(),
    ]);
    let merged = t5.merge_and_unload(&stack).unwrap();
    assert_eq!(merged.refused, []);
    let expected = logits(&t5, &batch(), &stack);
    assert!(gap(&logits(&merged.model, &batch(), &ActiveAdapters::none()), &expected) < 1e-5);
    let back = merged.model.unmerge(&stack).unwrap();
    assert!(
        t5.tensors().unwrap().iter().all(|(name, weight)| gap(weight, &back.model.tensors().unwrap()[name]) < 1e-5)
    );
    // With one of the two, the rest stays merged; the maps that it does not touch are named.
    assert_eq!(merged.model.unmerge(&ActiveAdapters::new(&first, &one).unwrap()).unwrap().refused.len(), 32 - 12);
}

#[test]
fn named_adapters_are_switched_combined_and_chosen_by_row() {
    let t5 = build(&shape());
    let mut adapters = Adapters::new(t5.sites());
    for (name, methods, seed) in [("home", LORA, 9), ("media", LORA, 10), ("travel", BOTTLENECK, 11)] {
        let plan = plan(&t5, &[methods]);
        let weights = weights(&plan, seed, 0.3);
        adapters.add_adapter(name, plan, weights).unwrap();
    }
    let batch = batch();
    let bare = logits(&t5, &batch, &ActiveAdapters::none());
    let alone = |adapters: &Adapters, name: &str| logits(&t5, &batch, &adapters.get(name).unwrap());

    assert_eq!(gap(&logits(&t5, &batch, &adapters.active()), &alone(&adapters, "home")), 0.);
    let weights = t5.tensors().unwrap();
    let (maps, layers) = (4 * 3 * (3 * 16 + 16 * 3), 8 * (4 * 16 + 4 + 16 * 4 + 16 + 2 * 16));
    let count = adapters.trainable_parameters(weights.values());
    let backbone: usize = weights.values().map(Tensor::elem_count).sum();
    assert_eq!((count.trainable, count.all), (maps, backbone + 2 * maps + layers));

    adapters.set_adapter(&["media", "travel"]).unwrap();
    let stacked = ActiveAdapters::stack(["media", "travel"].map(|name| adapters.get(name).unwrap()));
    assert_eq!(gap(&logits(&t5, &batch, &adapters.active()), &logits(&t5, &batch, &stacked)), 0.);
    adapters.disable_adapter();
    assert_eq!(gap(&logits(&t5, &batch, &adapters.active()), &bare), 0.);
    adapters.enable_adapter();

    let mixed = logits(&t5, &batch, &adapters.by_row(&["travel", "home", "__base__", "media"]).unwrap());
    let expected = [alone(&adapters, "travel"), alone(&adapters, "home"), bare, alone(&adapters, "media")];
    for (n, expected) in expected.iter().enumerate() {
        let [mixed, expected] = [&mixed, expected].map(|t| t.narrow(0, n, 1).unwrap());
        assert!(gap(&mixed, &expected) < 1e-5, "row {n}");
    }

    // Two LoRA adapters with factors that make one of both: the exact sum of their changes.
    for combination_type in [CombinationType::Cat, CombinationType::Svd] {
        let options = Combination { combination_type, svd_rank: NonZeroUsize::new(6), ..Combination::default() };
        add_weighted_adapter(&mut adapters, "both", &[("home", 0.75), ("media", -0.5)], &options).unwrap();
        let [home, media, both] = ["home", "media", "both"]
            .map(|name| t5.merge_and_unload(&adapters.get(name).unwrap()).unwrap().model.tensors().unwrap());
        for (name, base) in &weights {
            let change = |merged: &Tensor| (merged - base).unwrap();
            let sum = ((change(&home[name]) * 0.75).unwrap() - (change(&media[name]) * 0.5).unwrap()).unwrap();
            assert!(gap(&change(&both[name]), &sum) < 1e-5, "{combination_type:?} {name}");
        }
        adapters.delete_adapter("both").unwrap();
    }
}
