#![allow(clippy::unwrap_used, reason = "tests")]
use candle_core::{Device, Tensor, Var};
use serde::{Deserialize, Serialize};

use super::*;
use crate::toy::{Scale, toy_sites};
use crate::{
    AdapterWeights, Ctx, ParamSpec, PeftConfig, PeftModule, Plan, Result, Site, SiteCall, SiteKind, SiteRole, Sites,
    Stack, TargetModules,
};

const CPU: &Device = &Device::Cpu;

fn scale(targets: &[&str]) -> Box<dyn PeftConfig> {
    Box::new(Scale::new(targets))
}

fn plan(targets: &[&str]) -> (Sites, Plan) {
    let sites = toy_sites(1, 2);
    let plan = Plan::resolve(&sites, &[scale(targets)]).unwrap();
    (sites, plan)
}

/// Scales by `a` and `b`, one pair for each of `entries`.
fn weights(entries: usize, a: f32, b: f32) -> AdapterWeights {
    AdapterWeights::new(vec![vec![Tensor::new(&[a, b], CPU).unwrap()]; entries])
}

fn batch(rows: usize) -> Tensor {
    let values: Vec<f32> = (0..rows * 3 * 2).map(|i| 1. + i as f32).collect();
    Tensor::from_vec(values, (rows, 3, 2), CPU).unwrap()
}

fn at(active: &ActiveAdapters<'_>, sites: &Sites, x: &Tensor) -> Tensor {
    active.apply(sites.find("layers.0.q").unwrap(), SiteInput::new(x, x.clone()), &mut Ctx::eval()).unwrap()
}

fn values(x: &Tensor) -> Vec<f32> {
    x.flatten_all().unwrap().to_vec1().unwrap()
}

fn row(x: &Tensor, row: usize) -> Tensor {
    x.narrow(0, row, 1).unwrap()
}

#[test]
fn each_row_comes_out_as_it_would_alone() {
    let (sites, plan) = plan(&["q"]);
    let adapters = [weights(1, 2., 3.), weights(1, 5., 7.)].map(|weights| ActiveAdapters::new(&plan, weights).unwrap());
    let choice = [Some(1), None, Some(0), Some(1)];
    let x = batch(4);
    let mixed = at(&ActiveAdapters::by_row(&choice, &adapters).unwrap(), &sites, &x);
    for (b, adapter) in choice.into_iter().enumerate() {
        let alone = adapter.map_or(row(&x, b), |a| at(&adapters[a], &sites, &row(&x, b)));
        assert_eq!(values(&row(&mixed, b)), values(&alone), "row {b}");
    }
}

#[test]
fn weights_by_row_and_choices_by_row_follow_the_rows() {
    let (sites, plan) = plan(&["q"]);
    let tasks = [weights(1, 2., 3.), weights(1, 5., 7.), weights(1, 11., 13.)];
    let by_task = ActiveAdapters::new(&plan, AdapterWeights::rows(&tasks, &[2, 0, 1, 0]).unwrap()).unwrap();
    let other = ActiveAdapters::new(&plan, weights(1, -1., 0.5)).unwrap();
    let mixed = ActiveAdapters::by_row(&[Some(0), Some(1), Some(0), None], &[by_task.clone(), other]).unwrap();
    let x = batch(4);
    for active in [by_task, ActiveAdapters::stack([mixed.clone(), mixed])] {
        let whole = at(&active, &sites, &x);
        for index in [vec![3, 2, 1, 0], vec![2], vec![1, 1, 2, 2, 0, 3, 3], vec![3]] {
            let rows = Tensor::new(index.as_slice(), CPU).unwrap();
            let selected = active.select_rows(&index).unwrap();
            let found = at(&selected, &sites, &x.index_select(&rows, 0).unwrap());
            assert_eq!(values(&found), values(&whole.index_select(&rows, 0).unwrap()), "{index:?}");
        }
    }
}

#[test]
fn a_choice_within_a_choice_keeps_both() {
    let (sites, plan) = plan(&["q"]);
    let [two, three] =
        [weights(1, 2., 2.), weights(1, 3., 3.)].map(|weights| ActiveAdapters::new(&plan, weights).unwrap());
    let inner = ActiveAdapters::by_row(&[Some(0), Some(1), None, Some(0)], &[two, three.clone()]).unwrap();
    let outer = ActiveAdapters::by_row(&[Some(0), Some(0), Some(0), Some(1)], &[inner, three]).unwrap();
    let x = Tensor::ones((4, 1, 2), candle_core::DType::F32, CPU).unwrap();
    assert_eq!(values(&at(&outer, &sites, &x)), [2., 2., 3., 3., 1., 1., 3., 3.]);
}

#[test]
fn gradients_of_a_mixed_batch_are_those_of_the_separate_batches() {
    let (sites, plan) = plan(&["q"]);
    let vars = [[2f32, 3.], [5., 7.]].map(|v| Var::new(&v, CPU).unwrap());
    let adapters = vars.each_ref().map(|var| {
        let weights = AdapterWeights::new(vec![vec![var.as_tensor().clone()]]);
        ActiveAdapters::new(&plan, weights).unwrap()
    });
    let input = Var::from_tensor(&batch(3)).unwrap();
    let loss = |y: Tensor| y.sqr().unwrap().sum_all().unwrap();
    let choice = [Some(1), Some(0), Some(1)];
    let mixed = ActiveAdapters::by_row(&choice, &adapters).unwrap();
    let mixed = loss(at(&mixed, &sites, &input)).backward().unwrap();
    let apart = choice.into_iter().enumerate().map(|(b, a)| loss(at(&adapters[a.unwrap()], &sites, &row(&input, b))));
    let apart = apart.reduce(|a, b| (a + b).unwrap()).unwrap().backward().unwrap();
    for var in vars.iter().chain([&input]) {
        let [mixed, apart] = [&mixed, &apart].map(|grads| values(grads.get(var).unwrap()));
        assert!(mixed.iter().all(|g| *g != 0.));
        for (a, b) in mixed.iter().zip(&apart) {
            assert!((a - b).abs() <= 1e-6 * b.abs(), "{a} {b}");
        }
    }
}

#[test]
fn a_target_without_its_weights_acts_only_where_a_part_is_asked_for() {
    let (sites, plan) = plan(&["q", "v"]);
    let some = AdapterWeights::new(vec![vec![Tensor::new(&[2f32, 3.], CPU).unwrap()], Vec::new()]);
    let active = ActiveAdapters::partial(&plan, &some).unwrap();
    let [q, v] = ["layers.0.q", "layers.0.v"].map(|path| sites.find(path).unwrap());
    assert_eq!((active.is_idle(q), active.is_idle(v)), (false, true));
    let x = batch(1);
    let y = active.apply(v, SiteInput::new(&x, x.clone()), &mut Ctx::eval()).unwrap();
    assert_eq!(values(&y), values(&x));
    assert_ne!(values(&at(&active, &sites, &x)), values(&x));

    let error = ActiveAdapters::new(&plan, &some).unwrap_err().to_string();
    assert_eq!(error, "layers.0.v: the method needs 1 weights, found 0");
    let wrong = AdapterWeights::new(vec![vec![Tensor::new(&[2f32], CPU).unwrap()], Vec::new()]);
    assert!(ActiveAdapters::partial(&plan, &wrong).is_err());
}

#[test]
fn rows_that_do_not_exist_and_batches_of_another_size_are_refused() {
    let (sites, plan) = plan(&["q"]);
    let one = ActiveAdapters::new(&plan, weights(1, 2., 2.)).unwrap();
    let error = ActiveAdapters::by_row(&[Some(0), Some(1)], std::slice::from_ref(&one)).unwrap_err();
    assert_eq!(error.to_string(), "row 1 uses adapter number 1, there are 1");

    let mixed = ActiveAdapters::by_row(&[Some(0), None], std::slice::from_ref(&one)).unwrap();
    assert_eq!(mixed.select_rows(&[0, 2]).unwrap_err().to_string(), "row 2 was selected from a batch of 2 rows");
    let (q, x) = (sites.find("layers.0.q").unwrap(), batch(3));
    let error = mixed.apply(q, SiteInput::new(&x, x.clone()), &mut Ctx::eval()).unwrap_err().to_string();
    assert!(error.starts_with("the active adapters were chosen for 2 rows, the batch has 3"), "{error}");

    let three_rows =
        ActiveAdapters::new(&plan, AdapterWeights::rows(&[weights(1, 2., 2.)], &[0, 0, 0]).unwrap()).unwrap();
    let error = ActiveAdapters::by_row(&[Some(0), None], &[three_rows]).unwrap_err().to_string();
    assert_eq!(error, "layers.0.q.scale: expected weights for 2 rows, found shape [3, 2]");
}

#[test]
fn an_adapter_that_makes_rows_longer_needs_all_rows() {
    let mut sites = Sites::default();
    let kind = SiteKind::Input { dim: 2 };
    let role = SiteRole::INPUT;
    sites.add(Site { path: "embed".into(), stack: Stack::DECODER, layer: 0, role, kind, bias: false });
    let plan = Plan::resolve(&sites, &[scale(&["embed"])]).unwrap();
    let adapter = [ActiveAdapters::new(&plan, weights(1, 2., 2.)).unwrap()];
    let error = ActiveAdapters::by_row(&[Some(0), None], &adapter).unwrap_err().to_string();
    assert!(error.starts_with("adapter number 0 puts positions in front at embed"), "{error}");
    assert!(!ActiveAdapters::by_row(&[Some(0), Some(0)], &adapter).unwrap().is_idle(sites.find("embed").unwrap()));
}

/// `W + p`: a change that does not depend on `W`.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Shift {
    target_modules: TargetModules,
}

#[typetag::serde(name = "TOY_SHIFT")]
impl PeftConfig for Shift {
    fn module(&self, site: &Site) -> Result<Option<Box<dyn PeftModule>>> {
        Ok(self.target_modules.matches(site).then(|| Box::new(ShiftModule) as Box<dyn PeftModule>))
    }
}

#[derive(Debug)]
struct ShiftModule;

impl PeftModule for ShiftModule {
    fn params(&self) -> Vec<ParamSpec> {
        vec![ParamSpec::new("shift", [2, 2], candle_nn::init::ZERO)]
    }

    fn apply(&self, call: &SiteCall<'_>, ctx: &mut Ctx) -> Result<Tensor> {
        let [shift] = call.take()?;
        Ok((call.output + peft_kernels::linear(call.input, shift, ctx.kernels())?)?)
    }

    fn delta(&self, weights: &[Tensor], _base: &Tensor) -> Result<Option<Tensor>> {
        Ok(weights.first().cloned())
    }
}

fn refused(merge: Merge) -> String {
    match merge {
        Merge::Refused(reason) => reason,
        Merge::Weight(weight) => format!("merged: {weight}"),
    }
}

#[test]
fn unmerging_gives_the_weight_back_where_the_change_does_not_depend_on_it() {
    let sites = toy_sites(1, 2);
    let shift = Shift { target_modules: TargetModules::suffixes(["q"]) };
    let plan = Plan::resolve(&sites, &[Box::new(shift) as Box<dyn PeftConfig>]).unwrap();
    let weight = Tensor::new(&[[0.5f32, -2.], [3., 0.25]], CPU).unwrap();
    let weights = AdapterWeights::new(vec![vec![weight]]);
    let active = ActiveAdapters::stack([
        ActiveAdapters::new(&plan, &weights).unwrap(),
        ActiveAdapters::new(&plan, &weights).unwrap(),
    ]);
    let q = sites.find("layers.0.q").unwrap();
    let base = Tensor::new(&[[1f32, 2.], [3., 4.]], CPU).unwrap();
    let merged = active.merge(q, &base).unwrap().weight().unwrap();
    assert_eq!(values(&merged), [2., -2., 9., 4.5]);
    let Merge::Weight(back) = active.unmerge(q, &merged).unwrap() else { unreachable!("the change does not depend") };
    assert_eq!(values(&back), values(&base));
}

#[test]
fn what_cannot_be_merged_or_unmerged_says_why() {
    let (sites, plan) = plan(&["q", "ffn"]);
    let [q, ffn] = ["layers.0.q", "layers.0.ffn"].map(|path| sites.find(path).unwrap());
    let active = ActiveAdapters::new(&plan, weights(2, 2., 3.)).unwrap();
    let base = Tensor::new(&[[1f32, 2.], [3., 4.]], CPU).unwrap();

    assert_eq!(values(&active.merge(q, &base).unwrap().weight().unwrap()), [2., 4., 9., 12.]);
    assert_eq!(
        active.merge_refusal(ffn).unwrap(),
        "TOY_SCALE at layers.0.ffn cannot be merged into a weight: it acts on the output of a sub-layer, which is no \
         linear map and has no weight"
    );
    assert_eq!(ActiveAdapters::none().merge_refusal(ffn), None);

    let reason = refused(active.unmerge(q, &base).unwrap());
    assert!(reason.ends_with("its ΔW depends on the weight that it was merged into; keep that weight"), "{reason}");
    let by_row = AdapterWeights::rows(&[weights(2, 2., 3.)], &[0, 0]).unwrap();
    let reason = refused(ActiveAdapters::new(&plan, by_row).unwrap().merge(q, &base).unwrap());
    assert!(reason.ends_with("its weights differ by row of the batch"), "{reason}");
    let some_rows = ActiveAdapters::by_row(&[Some(0), None], &[active]).unwrap();
    let reason = refused(some_rows.merge(q, &base).unwrap());
    assert!(reason.ends_with("it acts on some rows of the batch only"), "{reason}");
}
