#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use candle_core::{DType, Device, Module, Tensor};
use candle_nn::{Embedding, LayerNorm, Linear, VarBuilder, VarMap, embedding, layer_norm, linear, linear_no_bias};
use serde::{Deserialize, Serialize};

use super::*;
use crate::toy::Scale;
use crate::{
    ActiveAdapters, Backbone, Condition, Ctx, Error, ParamSpec, ParamStore, PeftConfig, PeftModel, PeftModule, Result,
    Site, SiteCall, SiteKind, StaticConfig, TargetModules,
};

const CPU: &Device = &Device::Cpu;

/// Words, a map with a bias, a norm, an output map without one.
struct Model {
    words: Embedding,
    up: Linear,
    norm: LayerNorm,
    head: Option<Linear>,
}

impl Model {
    fn new(vb: VarBuilder<'_>) -> candle_core::Result<Self> {
        let layer = vb.pp("encoder.layer.0");
        let head = vb.contains_tensor("head.weight").then(|| linear_no_bias(3, 2, vb.pp("head")));
        Ok(Self {
            words: embedding(5, 4, vb.pp("words"))?,
            up: linear(4, 3, layer.pp("up"))?,
            norm: layer_norm(3, 1e-5, layer.pp("norm"))?,
            head: head.transpose()?,
        })
    }

    fn forward(&self, ids: &Tensor) -> candle_core::Result<Tensor> {
        let x = self.up.forward(&self.words.forward(ids)?)?;
        // Not `forward`, which has no gradient in candle-nn.
        let x = x.broadcast_mul(self.norm.weight())?;
        self.head.iter().try_fold(x, |x, head| head.forward(&x))
    }
}

/// Seeded weights, with a head or without.
fn weights(head: bool) -> BTreeMap<String, Tensor> {
    let store = ParamStore::new(3, CPU);
    Model::new(store.var_builder()).unwrap();
    if head {
        linear_no_bias(3, 2, store.var_builder().pp("head")).unwrap();
    }
    store.tensors()
}

fn wrapped() -> Wrapped<Model, Tensor> {
    Wrapped::new(weights(true), Model::new)
        .unwrap()
        .loss(|model, ids: &Tensor, _| model.forward(ids)?.sqr()?.mean_all())
}

fn ids() -> Tensor {
    Tensor::new(&[[1u32, 4, 0]], CPU).unwrap()
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// The method with all its scales at 3.
fn by_three(method: impl PeftConfig + 'static) -> PeftModel<Wrapped<Model, Tensor>> {
    let model = PeftModel::builder(wrapped()).method(method).tasks(["a", "b"]).build().unwrap();
    for (_, var) in model.vars() {
        var.set(&(var.as_tensor() * 3.).unwrap()).unwrap();
    }
    model
}

#[test]
fn weights_of_maps_norms_and_tables_are_sites_under_their_names_in_the_checkpoint() {
    let found = wrapped().sites().iter().map(|site| (site.path.clone(), site.kind, site.bias)).collect::<Vec<_>>();
    let is = |path: &str, kind, bias| (path.to_owned(), kind, bias);
    let expected = [
        is("head", SiteKind::Linear { d_in: 3, d_out: 2 }, false),
        is("words", SiteKind::Embedding { rows: 5, dim: 4 }, false),
        is("encoder.layer.0.up", SiteKind::Linear { d_in: 4, d_out: 3 }, true),
        is("encoder.layer.0.norm", SiteKind::Norm { dim: 3 }, true),
    ];
    assert_eq!(found, expected);
}

#[test]
fn the_model_hears_the_same_answers_when_it_is_built_again() {
    for head in [true, false] {
        let wrapped = Wrapped::new(weights(head), Model::new).unwrap();
        assert_eq!(wrapped.build(&ActiveAdapters::none()).unwrap().head.is_some(), head);
    }
}

#[test]
fn weights_come_from_maps_variables_builders_files_and_folders() {
    let names = |wrapped: Wrapped<Model>| wrapped.parameters().unwrap().into_keys().collect::<Vec<_>>();
    let expected: Vec<String> = weights(false).into_keys().collect();
    let map: std::collections::HashMap<_, _> = weights(false).into_iter().collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.safetensors");
    candle_core::safetensors::save(&map, &file).unwrap();
    let variables = VarMap::new();
    let vb = VarBuilder::from_varmap(&variables, DType::F32, CPU);

    assert_eq!(names(Wrapped::new(map, Model::new).unwrap()), expected);
    assert_eq!(names(Wrapped::new(vb, Model::new).unwrap()), expected);
    assert_eq!(names(Wrapped::new(&file, Model::new).unwrap()), expected);
    let opened = Wrapped::new(folder.path(), Model::new).unwrap();
    assert_eq!(opened.name(), Some(folder.path().to_string_lossy().as_ref()));
    assert_eq!(names(opened), expected);
    let missing = Wrapped::new("no/such/folder", Model::new).unwrap_err().to_string();
    assert!(missing.starts_with("no/such/folder: "), "{missing}");
    let lacking = Wrapped::new(BTreeMap::new(), Model::new).unwrap_err().to_string();
    assert!(lacking.contains("words.weight"), "{lacking}");
}

#[test]
fn weights_and_biases_change_where_methods_act_and_nowhere_else() {
    let model = by_three(Scale::new(["up"]));
    let (own, adapted) = (wrapped().build(&ActiveAdapters::none()).unwrap(), model.adapted("a").unwrap());
    let triple = |t: &Tensor| values(&(t * 3.).unwrap());
    let close = |a: Vec<f32>, b: Vec<f32>| assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-6), "{a:?} {b:?}");
    close(values(adapted.up.weight()), triple(own.up.weight()));
    close(values(adapted.up.bias().unwrap()), triple(own.up.bias().unwrap()));
    assert_eq!(values(adapted.norm.weight()), values(own.norm.weight()));
    assert_eq!(values(adapted.words.embeddings()), values(own.words.embeddings()));
}

#[test]
fn gradients_reach_the_methods_variables_and_the_models_weights_are_frozen() {
    let model = by_three(Scale::new(["up", "norm"]));
    let gradients = model.loss(&ids(), "a", &mut Ctx::train(1, 0)).unwrap().backward().unwrap();
    assert_eq!(model.vars().len(), 2);
    assert!(model.vars().iter().all(|(_, var)| gradients.get(var).is_some()));
    let own = model.backbone().parameters().unwrap();
    assert!(own.values().all(|weight| !weight.track_op()), "they are no variables");
}

#[test]
fn the_models_own_weights_train_if_they_are_named() {
    let model = PeftModel::builder(wrapped()).train_backbone(|name| name.starts_with("head")).build().unwrap();
    let vars = model.vars();
    assert_eq!(vars.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["head.weight"]);
    let gradients = model.loss(&ids(), "default", &mut Ctx::train(1, 0)).unwrap().backward().unwrap();
    assert!(vars.iter().all(|(_, var)| gradients.get(var).is_some()));
    let (before, var) = (model.adapted("default").unwrap().forward(&ids()).unwrap(), &vars[0].1);
    var.set(&(var.as_tensor() * 2.).unwrap()).unwrap();
    let after = model.adapted("default").unwrap().forward(&ids()).unwrap();
    assert_eq!(values(&after), values(&(before * 2.).unwrap()));
}

#[test]
fn merged_is_unmerged_and_nothing_is_merged_twice() {
    let model = by_three(Scale::new(["up", "norm", "head"]));
    let merged = model.merge_and_unload("a").unwrap();
    assert!(merged.refused.is_empty());
    let active = model.active("a").unwrap();
    let expected = values(&model.adapted("a").unwrap().forward(&ids()).unwrap());
    let bare = merged.model.build(&ActiveAdapters::none()).unwrap().forward(&ids()).unwrap();
    assert_eq!(values(&bare), expected);
    assert_eq!(values(&merged.model.build(&active).unwrap().forward(&ids()).unwrap()), expected);
    assert!(
        bare.sum_all().unwrap().backward().unwrap().get(&model.vars()[0].1).is_none(),
        "it is cut off from the graph"
    );

    let again = merged.model.merge_and_unload(&active).unwrap();
    assert_eq!(again.refused.len(), 3);
    assert!(again.refused[0].reason.contains("holds what was merged before"), "{}", again.refused[0]);
}

#[test]
fn rows_with_weights_of_their_own_are_refused() {
    let builder = PeftModel::builder(wrapped()).method(Scale::new(["up"])).tasks(["a", "b"]);
    let model = builder.generator(StaticConfig::new().per_task(true)).build().unwrap();
    let error = model.loss(&ids(), Condition::Rows(vec![0, 1]), &mut Ctx::eval()).unwrap_err().to_string();
    assert!(error.contains("weights differ by row of the batch; a wrapped model"), "{error}");
}

/// A method at linear maps or at sub-layers, with dropout, that no change of a weight can replace.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Odd {
    sub_layers: bool,
    dropout: f64,
    target_modules: TargetModules,
}

#[typetag::serde(name = "TEST_ODD")]
impl PeftConfig for Odd {
    fn module(&self, site: &Site) -> Result<Option<Box<dyn PeftModule>>> {
        let wanted = match site.kind {
            SiteKind::SubLayer { .. } => self.sub_layers,
            _ => self.target_modules.matches(site),
        };
        Ok(wanted.then(|| Box::new(OddModule { dropout: self.dropout }) as Box<dyn PeftModule>))
    }
}

#[derive(Debug)]
struct OddModule {
    dropout: f64,
}

impl PeftModule for OddModule {
    fn params(&self) -> Vec<ParamSpec> {
        vec![ParamSpec::new("odd", [1], candle_nn::init::ONE)]
    }

    fn apply(&self, call: &SiteCall<'_>, _: &mut Ctx) -> Result<Tensor> {
        Ok(call.output.sqr()?)
    }

    fn delta(&self, _: &[Tensor], base: &Tensor) -> Result<Option<Tensor>> {
        Ok((self.dropout > 0.).then(|| base.clone()))
    }

    fn dropout(&self) -> f64 {
        self.dropout
    }
}

#[test]
fn a_method_on_activations_is_refused_even_if_it_acts_on_weights_too() {
    for target in ["up", "no_such_module"] {
        let odd = Odd { sub_layers: true, dropout: 0., target_modules: [target].into() };
        let error = PeftModel::builder(wrapped()).method(odd).build().unwrap_err();
        assert!(matches!(&error, Error::ActsOnActivations { peft_type } if peft_type == "TEST_ODD"), "{error}");
        let text = error.to_string();
        assert!(text.contains("as every wrapped model does") && text.contains("calls its sites"), "{text}");
    }
    let misspelled = PeftModel::builder(wrapped()).method(Scale::new(["upp"])).build().unwrap_err().to_string();
    assert!(misspelled.contains("near misses: up"), "{misspelled}");
}

#[test]
fn a_method_without_a_delta_is_refused_by_the_first_loss() {
    let odd = Odd { sub_layers: false, dropout: 0., target_modules: ["up"].into() };
    let model = PeftModel::builder(wrapped()).method(odd).build().unwrap();
    let error = model.loss(&ids(), "default", &mut Ctx::eval()).unwrap_err().to_string();
    assert!(error.starts_with("TEST_ODD at encoder.layer.0.up cannot be merged into a weight"), "{error}");
    assert!(error.contains("a backbone that calls its sites"), "{error}");
}

#[test]
fn dropout_in_a_branch_is_refused_in_training_only() {
    let odd = Odd { sub_layers: false, dropout: 0.1, target_modules: ["up"].into() };
    let model = PeftModel::builder(wrapped()).method(odd).build().unwrap();
    model.loss(&ids(), "default", &mut Ctx::eval()).unwrap();
    let error = model.loss(&ids(), "default", &mut Ctx::train(1, 0)).unwrap_err().to_string();
    assert!(error.contains("TEST_ODD at encoder.layer.0.up drops its input with probability 0.1"), "{error}");
}
