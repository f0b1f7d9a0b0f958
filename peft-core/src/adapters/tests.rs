#![allow(clippy::unwrap_used, reason = "tests")]
use candle_core::{DType, Device, Tensor};

use super::*;
use crate::toy::{Scale, toy_sites};
use crate::{
    ActiveAdapters, AdapterWeights, Condition, Ctx, Error, GeneratorConfig, ParamStore, PeftConfig, Plan, SiteInput,
    Sites, StaticConfig, TargetModules, Tasks,
};

const CPU: &Device = &Device::Cpu;

fn methods(target: &str) -> Vec<Box<dyn PeftConfig>> {
    vec![Box::new(Scale { target_modules: TargetModules::suffixes([target]) })]
}

fn two() -> Adapters {
    let sites = toy_sites(1, 2);
    let mut adapters = Adapters::new(&sites);
    for (name, factor) in [("home", 2f32), ("media", 3.)] {
        let weights = vec![vec![Tensor::new(&[factor, factor], CPU).unwrap()]];
        adapters
            .add_adapter(name, Plan::resolve(&sites, &methods("q")).unwrap(), AdapterWeights::new(weights))
            .unwrap();
    }
    adapters
}

fn run(active: &ActiveAdapters<'_>, rows: usize) -> Vec<f32> {
    let q = toy_sites(1, 2).find("layers.0.q").unwrap();
    let y = Tensor::ones((rows, 1, 2), DType::F32, CPU).unwrap();
    let out = active.apply(q, SiteInput::new(&y, y.clone()), &mut Ctx::eval()).unwrap();
    out.max(2).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn adapters_are_switched_stacked_disabled_and_deleted() {
    let mut adapters = two();
    assert_eq!(run(&adapters.active(), 1), [2.]);
    adapters.set_adapter(&["media"]).unwrap();
    assert_eq!(run(&adapters.active(), 1), [3.]);
    adapters.set_adapter(&["media", "home"]).unwrap();
    assert_eq!(run(&adapters.active(), 1), [6.]);
    adapters.disable_adapter();
    assert_eq!(run(&adapters.active(), 1), [1.]);
    adapters.enable_adapter();
    adapters.delete_adapter("media").unwrap();
    assert_eq!(run(&adapters.active(), 1), [2.]);
    assert_eq!(adapters.names().collect::<Vec<_>>(), ["home"]);
    adapters.set_adapter(&[]).unwrap();
    assert_eq!(run(&adapters.active(), 1), [1.]);
    assert_eq!(run(&adapters.get("home").unwrap(), 1), [2.]);
}

#[test]
fn rows_choose_by_name() {
    let mut adapters = two();
    assert_eq!(run(&adapters.by_row(&["media", BASE, "home"]).unwrap(), 3), [3., 1., 2.]);
    adapters.disable_adapter();
    let error = adapters.by_row(&["media"]).unwrap_err().to_string();
    assert!(error.starts_with("adapters are disabled"), "{error}");
}

#[test]
fn errors_name_the_adapter_and_those_that_are_known() {
    let mut adapters = two();
    let sites = adapters.sites().clone();
    let weights = || AdapterWeights::new(vec![vec![Tensor::new(&[1f32, 1.], CPU).unwrap()]]);
    let plan = |sites: &Sites| Plan::resolve(sites, &methods("q")).unwrap();
    let message = |error: Error| error.to_string();

    let known = "unknown adapter \"meida\"; did you mean \"media\"? known: home, media";
    assert_eq!(message(adapters.set_adapter(&["home", "meida"]).unwrap_err()), known);
    assert_eq!(message(adapters.delete_adapter("meida").unwrap_err()), known);
    assert_eq!(message(adapters.by_row(&["meida"]).unwrap_err()), known);
    assert_eq!(message(adapters.get("x").unwrap_err()), "unknown adapter \"x\"; known: home, media");
    assert_eq!(adapters.active_names().collect::<Vec<_>>(), ["home"], "nothing changed");

    let taken = message(adapters.add_adapter("home", plan(&sites), weights()).unwrap_err());
    assert!(taken.starts_with("adapter \"home\": there is one of that name already"), "{taken}");
    assert!(message(adapters.add_adapter(BASE, plan(&sites), weights()).unwrap_err()).contains("bare backbone"));
    let foreign = message(adapters.add_adapter("new", plan(&toy_sites(2, 2)), AdapterWeights::default()).unwrap_err());
    assert!(foreign.contains("a backbone with other sites"), "{foreign}");
    let twice = message(adapters.set_adapter(&["home", "home"]).unwrap_err());
    assert_eq!(twice, "adapter \"home\" appears twice in the stack [\"home\", \"home\"]");
    let empty = message(adapters.set_weights("home", AdapterWeights::default()).unwrap_err());
    assert_eq!(empty, "the plan has 1 targets, the weights are for 0");
}

#[test]
fn variables_of_the_active_adapters_count_as_trainable() {
    let mut adapters = two();
    let sites = adapters.sites().clone();
    let store = ParamStore::new(0, CPU);
    let plan = Plan::resolve(&sites, &methods("v")).unwrap();
    let generator = StaticConfig::default().build(&plan, &Tasks::new(["a"]), store.var_builder()).unwrap();
    let weights = generator.generate(&Condition::Task(0)).unwrap();
    adapters.add_adapter("learns", plan, weights).unwrap();
    let backbone = Tensor::zeros((100, 12), DType::F32, CPU).unwrap();

    assert_eq!(adapters.trainable_parameters([&backbone]), TrainableParameters { trainable: 0, all: 1206 });
    adapters.set_adapter(&["home", "learns"]).unwrap();
    let count = adapters.trainable_parameters([&backbone]);
    assert_eq!(count.to_string(), "trainable params: 2 || all params: 1,206 || trainable%: 0.1658");
}

#[test]
fn an_adapter_from_files_is_loaded_whole_or_not_at_all() {
    let mut adapters = two();
    let weight = |dims: &[usize]| Tensor::full(5f32, dims, CPU).unwrap();
    let name = "base_model.model.layers.0.q.scale";
    let adapter =
        |dims: &[usize]| AdapterCheckpoint { methods: methods("q"), weights: [(name.into(), weight(dims))].into() };
    assert!(adapters.load_adapter("file", &adapter(&[3]), CPU).is_err());
    assert_eq!(adapters.names().count(), 2);
    adapters.load_adapter("file", &adapter(&[2]), CPU).unwrap();
    assert_eq!(run(&adapters.get("file").unwrap(), 1), [5.]);
}
