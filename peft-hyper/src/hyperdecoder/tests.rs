#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
use candle_core::{DType, Device, Tensor, Var};
use peft_core::toy::{Scale, toy_sites};
use peft_core::{
    AdapterWeights, Condition, GeneratorConfig, ParamStore, PeftConfig, Plan, Site, Sites, Stack, States, Tasks,
    WeightGenerator,
};

use super::HyperdecoderConfig;

/// Two layers of each stack, four features wide.
fn plan(stacks: &[&'static str]) -> Plan {
    let mut sites = Sites::default();
    for stack in stacks {
        for site in &toy_sites(2, 4) {
            sites.add(Site { path: format!("{stack}.{}", site.path), stack: Stack::new(stack), ..site.clone() });
        }
    }
    Plan::resolve(&sites, &[Box::new(Scale::new(["q", "ffn"])) as Box<dyn PeftConfig>]).unwrap()
}

fn config() -> HyperdecoderConfig {
    HyperdecoderConfig::new().layer_embedding_dim(3).hidden_dim(5)
}

/// A generator whose variables are moved away from their initial values, at which all scales are one.
fn build(config: &HyperdecoderConfig, plan: &Plan) -> (ParamStore, Box<dyn WeightGenerator>) {
    let store = ParamStore::new(3, &Device::Cpu);
    let generator = config.build(plan, &Tasks::new(["ner", "slots"]), store.var_builder()).unwrap();
    for (number, (_, var)) in store.vars().into_iter().enumerate() {
        let wave: Vec<f32> = (0..var.elem_count()).map(|i| 0.3 * ((i * 7 + number) as f32).sin()).collect();
        var.set(&(var.as_tensor() + Tensor::from_vec(wave, var.shape(), &Device::Cpu).unwrap()).unwrap()).unwrap();
    }
    (store, generator)
}

/// Two sentences, of two tokens and of one; what is at the padding must not matter.
fn states(padding: f32) -> States {
    let hidden = [[[1f32, -2., 0.5, 3.], [0., 1., 2., -1.]], [[2., 2., -1., 0.], [padding; 4]]];
    let mask = Tensor::new(&[[1u32, 1], [1, 0]], &Device::Cpu).unwrap();
    States::new(Stack::ENCODER, Tensor::new(&hidden, &Device::Cpu).unwrap(), mask).unwrap()
}

fn generate(generator: &dyn WeightGenerator, tasks: Condition, states: States) -> AdapterWeights {
    generator.generate(&tasks.with_states(states).unwrap()).unwrap()
}

fn values(x: &Tensor) -> Vec<f32> {
    x.flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn the_encoders_weights_are_plain_and_the_decoders_are_of_each_sentence() {
    let plan = plan(&["encoder", "decoder"]);
    let (store, generator) = build(&config(), &plan);
    let weights = generate(generator.as_ref(), Condition::Task(0), states(9.));
    let vars = store.vars();
    let (encoder, decoder): (Vec<_>, Vec<_>) =
        plan.targets().iter().zip(weights.iter()).partition(|(target, _)| target.site.stack == Stack::ENCODER);
    assert_eq!((encoder.len(), decoder.len()), (4, 4));
    for (target, weights) in encoder {
        let name = format!("base_model.model.{}", target.key(&target.params[0]));
        let var = vars.iter().find(|(known, _)| *known == name).map(|(_, var)| var.as_tensor());
        assert_eq!(values(&weights[0]), values(var.unwrap()), "{name}");
    }
    for (target, weights) in &decoder {
        assert_eq!(weights[0].dims(), [2, 4], "{}", target.site.path);
        assert_ne!(values(&weights[0].get(0).unwrap()), values(&weights[0].get(1).unwrap()), "two sentences");
    }
    assert_ne!(values(&decoder[0].1[0]), values(&decoder[1].1[0]), "two roles of a layer");
    assert_ne!(values(&decoder[0].1[0]), values(&decoder[2].1[0]), "two layers");
}

#[test]
fn a_weight_is_the_equation_of_the_docs() {
    let plan = plan(&["encoder", "decoder"]);
    let (store, generator) = build(&config(), &plan);
    let get = |name: &str| -> Vec<Vec<f64>> {
        let tensor = store.vars().into_iter().find(|(n, _)| n == &format!("hyper.decoder.{name}")).unwrap().1;
        let rows = if tensor.rank() == 1 { tensor.unsqueeze(0).unwrap() } else { tensor.as_tensor().clone() };
        rows.to_dtype(DType::F64).unwrap().to_vec2().unwrap()
    };
    let linear = |x: &[f64], name: &str| -> Vec<f64> {
        let (weight, bias) = (get(&format!("{name}.weight")), get(&format!("{name}.bias")));
        let dot = |row: &Vec<f64>| row.iter().zip(x).map(|(w, x)| w * x).sum::<f64>();
        weight.iter().zip(&bias[0]).map(|(row, b)| dot(row) + b).collect()
    };
    let relu = |x: Vec<f64>| -> Vec<f64> { x.into_iter().map(|x| x.max(0.)).collect() };

    // The first sentence, and layer 1 of the second role: row 1 · 2 + 1 of the embeddings.
    let u = linear(&relu(linear(&[0.5, -0.5, 1.25, 1.], "mlp1")), "mlp2");
    let c = relu(linear(&[u, get("layer_embed")[3].clone()].concat(), "hidden"));
    let expected = linear(&c, "heads.scale.4");

    let weights = generate(generator.as_ref(), Condition::Task(0), states(9.));
    let found = values(&weights.of_target(7)[0].get(0).unwrap());
    assert_eq!(plan.targets()[7].site.path, "decoder.layers.1.ffn");
    for (found, expected) in found.iter().zip(&expected) {
        assert!((f64::from(*found) - expected).abs() < 1e-5, "{found} {expected}");
    }
}

#[test]
fn neither_the_task_nor_padding_changes_the_weights() {
    let plan = plan(&["encoder", "decoder"]);
    let (_, generator) = build(&config().mlp(false), &plan);
    let of = |tasks, padding| {
        let weights = generate(generator.as_ref(), tasks, states(padding));
        weights.iter().map(|weights| values(&weights[0])).collect::<Vec<_>>()
    };
    let expected = of(Condition::Task(0), 9.);
    assert_eq!(of(Condition::Rows(vec![1, 0]), -4.), expected);
    let unknown = Condition::Rows(vec![0, 2]).with_states(states(9.)).unwrap();
    assert!(generator.generate(&unknown).unwrap_err().to_string().contains("ner, slots"));
}

#[test]
fn the_plain_weights_act_before_the_output_is_known() {
    let plan = plan(&["encoder", "decoder"]);
    let (_, generator) = build(&config(), &plan);
    let before = generator.generate_before(&Condition::Task(1)).unwrap().unwrap();
    let after = generate(generator.as_ref(), Condition::Task(1), states(9.));
    for (target, (before, after)) in before.iter().zip(after.iter()).enumerate() {
        match target < 4 {
            true => assert_eq!(values(&before[0]), values(&after[0])),
            false => assert!(before.is_empty()),
        }
    }
}

#[test]
fn every_variable_has_a_gradient() {
    let plan = plan(&["encoder", "decoder"]);
    let (store, generator) = build(&config(), &plan);
    let weights = generate(generator.as_ref(), Condition::Task(0), states(9.));
    let sum = weights.iter().map(|weights| weights[0].sqr().unwrap().sum_all().unwrap());
    let gradients = sum.reduce(|a, b| (a + b).unwrap()).unwrap().backward().unwrap();
    let missing = |(name, var): &(String, Var)| {
        let moved = gradients.get(var).is_some_and(|g| values(g).iter().any(|g| *g != 0.));
        (!moved).then(|| name.clone())
    };
    assert_eq!(store.vars().iter().filter_map(missing).collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn a_method_in_the_encoder_alone_has_ordinary_weights() {
    let plan = plan(&["encoder"]);
    let (store, generator) = build(&config(), &plan);
    assert!(generator.needs().is_empty());
    assert_eq!(generator.generate(&Condition::Task(1)).unwrap().len(), 4);
    assert!(store.vars().iter().all(|(name, _)| name.starts_with("base_model.model.encoder")));
}

#[test]
fn a_stack_that_does_not_exist_is_refused_by_name() {
    let store = ParamStore::new(3, &Device::Cpu);
    let plan = plan(&["decoder"]);
    let error = config().build(&plan, &Tasks::new(["ner"]), store.var_builder()).unwrap_err().to_string();
    assert_eq!(error, "hyperdecoder: stack is \"encoder\", expected a stack of this backbone: decoder");
}
