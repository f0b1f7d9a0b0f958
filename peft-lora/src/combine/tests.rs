#![allow(clippy::unwrap_used, reason = "tests")]
use candle_core::{DType, Device};
use peft_core::toy::{Scale, toy_sites};
use peft_core::{PeftConfig, Sites, rng};

use super::*;

const CPU: &Device = &Device::Cpu;

/// `(site, A, B)`, row by row.
type Place<'a> = (&'a str, &'a [f32], &'a [f32]);

fn add(into: &mut Adapters, dim: usize, name: &str, r: usize, lora_alpha: f64, places: &[Place<'_>]) {
    let mut weights = BTreeMap::new();
    for (site, a, b) in places {
        let tensor = |values: &[f32], dims| Tensor::from_slice(values, dims, CPU).unwrap();
        weights.insert(format!("base_model.model.layers.0.{site}.lora_A.weight"), tensor(a, (r, dim)));
        weights.insert(format!("base_model.model.layers.0.{site}.lora_B.weight"), tensor(b, (dim, r)));
    }
    let target_modules = TargetModules::suffixes(places.iter().map(|(site, ..)| *site));
    let config = LoraConfig { r: NonZeroUsize::new(r).unwrap(), lora_alpha, target_modules, ..LoraConfig::default() };
    into.load_adapter(name, &AdapterCheckpoint { methods: vec![Box::new(config)], weights }, CPU).unwrap();
}

/// Random elements between -1 and 1.
fn noise(n: usize, stream: u64) -> Vec<f32> {
    let stream = rng::Stream::new(5, stream);
    (0..n as u64).map(|i| (2. * stream.uniform(i) - 1.) as f32).collect()
}

fn options(combination_type: CombinationType, density: Option<f64>) -> Combination {
    Combination { combination_type, density, ..Combination::default() }
}

/// `ΔW` of an adapter at `layers.0.<site>`, whose scale is part of it.
fn delta(adapters: &Adapters, name: &str, site: &str, dim: usize) -> Tensor {
    let site = adapters.sites().find(&format!("layers.0.{site}")).unwrap();
    let zero = Tensor::zeros((dim, dim), DType::F32, CPU).unwrap();
    adapters.get(name).unwrap().merge(site, &zero).unwrap().weight().unwrap()
}

/// `A` and `B` at the first site.
fn factors(adapters: &Adapters, name: &str) -> [Vec<f32>; 2] {
    let (_, weights) = adapters.parts(name).unwrap();
    [0, 1].map(|part| weights.of_target(0)[part].flatten_all().unwrap().to_vec1().unwrap())
}

fn gap(a: &Tensor, b: &Tensor) -> f32 {
    (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar().unwrap()
}

/// Two adapters of rank 1 and scale 1 at `q` of four features.
fn two() -> Adapters {
    let mut adapters = Adapters::new(&toy_sites(1, 4));
    add(&mut adapters, 4, "one", 1, 1., &[("q", &[3., -1., 2., -4.], &[1., -2., 3., 0.5])]);
    add(&mut adapters, 4, "two", 1, 1., &[("q", &[-5., 2., 1., -3.], &[2., 4., -1., 1.])]);
    adapters
}

/// `two` with the factors 4 and 1, whose roots are 2 and 1.
fn combined(options: &Combination) -> [Vec<f32>; 2] {
    let mut adapters = two();
    add_weighted_adapter(&mut adapters, "both", &[("one", 4.), ("two", 1.)], options).unwrap();
    factors(&adapters, "both")
}

#[test]
fn linear_takes_the_root_of_weight_and_scale_and_the_sign_on_one_side() {
    let mut adapters = Adapters::new(&toy_sites(1, 2));
    add(&mut adapters, 2, "one", 1, 4., &[("q", &[1., 2.], &[1., 0.])]);
    add(&mut adapters, 2, "two", 1, 4., &[("q", &[3., -1.], &[2., 5.])]);
    let linear = options(CombinationType::Linear, None);
    add_weighted_adapter(&mut adapters, "both", &[("one", 1.), ("two", -0.25)], &linear).unwrap();
    // √(1 · 4) = 2; √|-0.25 · 4| = 1, negative in A.
    assert_eq!(factors(&adapters, "both"), [vec![2. - 3., 4. + 1.], vec![2. + 2., 0. + 5.]]);
}

#[test]
fn cat_is_exactly_the_weighted_sum_of_the_changes() {
    let dim = 5;
    let mut adapters = Adapters::new(&toy_sites(1, dim));
    let [a1, b1, a2, b2, a3, b3] = [10, 10, 15, 15, 15, 15].map(|n| noise(n, n as u64));
    add(&mut adapters, dim, "small", 2, 7., &[("q", &a1, &b1)]);
    add(&mut adapters, dim, "large", 3, 2., &[("q", &a2, &b2), ("v", &a3, &b3)]);
    let cat = options(CombinationType::Cat, None);
    add_weighted_adapter(&mut adapters, "both", &[("small", 0.3), ("large", -1.7)], &cat).unwrap();
    let [small, large, other] =
        [("small", "q"), ("large", "q"), ("large", "v")].map(|(name, site)| delta(&adapters, name, site, dim));
    let expected = ((small * 0.3).unwrap() - (large * 1.7).unwrap()).unwrap();
    assert!(gap(&delta(&adapters, "both", "q", dim), &expected) < 1e-5);
    assert!(gap(&delta(&adapters, "both", "v", dim), &(other * -1.7).unwrap()) < 1e-5);
    let (plan, _) = adapters.parts("both").unwrap();
    assert_eq!(plan.targets()[0].params[0].dims, [5, dim], "the rank is the sum of the ranks");
}

#[test]
fn svd_of_full_rank_is_the_sum_and_of_less_the_best_there_is() {
    // A thin product (4 of 9 features) and a square one (4 of 3).
    for dim in [9, 3] {
        let mut adapters = Adapters::new(&toy_sites(1, dim));
        let [a1, b1, a2, b2] = [1, 2, 3, 4].map(|stream| noise(2 * dim, stream));
        add(&mut adapters, dim, "one", 2, 5., &[("q", &a1, &b1)]);
        add(&mut adapters, dim, "two", 2, 1., &[("q", &a2, &b2)]);
        let expected =
            ((delta(&adapters, "one", "q", dim) * 0.6).unwrap() - delta(&adapters, "two", "q", dim)).unwrap();
        let mut distance = |name: &str, svd_rank: usize| {
            let svd = Combination { svd_rank: NonZeroUsize::new(svd_rank), ..Combination::default() };
            add_weighted_adapter(&mut adapters, name, &[("one", 0.6), ("two", -1.)], &svd).unwrap();
            let gap = (delta(&adapters, name, "q", dim) - &expected).unwrap().sqr().unwrap().sum_all().unwrap();
            gap.to_scalar::<f32>().unwrap().sqrt()
        };
        assert!(distance("full", 4) < 1e-5);
        let (three, two, one) = (distance("three", 3), distance("two_", 2), distance("first", 1));
        assert!(three <= two && two < one, "{three} {two} {one}");
        let (plan, _) = adapters.parts("two_").unwrap();
        assert_eq!(plan.targets()[0].params[0].dims, [2, dim]);
    }
    // diag(3, 1) by parts: the best of rank 1 is diag(3, 0).
    let mut adapters = Adapters::new(&toy_sites(1, 2));
    add(&mut adapters, 2, "one", 1, 3., &[("q", &[1., 0.], &[1., 0.])]);
    add(&mut adapters, 2, "two", 1, 1., &[("q", &[0., 1.], &[0., 1.])]);
    add_weighted_adapter(&mut adapters, "both", &[("one", 1.), ("two", 1.)], &Combination::default()).unwrap();
    let expected = Tensor::new(&[[3f32, 0.], [0., 0.]], CPU).unwrap();
    assert!(gap(&delta(&adapters, "both", "q", 2), &expected) < 1e-6);
}

#[test]
fn magnitude_pruning_keeps_the_largest_and_sums() {
    // A: (3, 0, 0, -4) · 2 + (-5, 0, 0, -3); B: (0, -2, 3, 0) · 2 + (2, 4, 0, 0).
    let found = combined(&options(CombinationType::MagnitudePrune, Some(0.5)));
    assert_eq!(found, [vec![1., 0., 0., -11.], vec![2., 0., 6., 0.]]);
    assert_eq!(combined(&options(CombinationType::MagnitudePrune, Some(0.))), [vec![0.; 4], vec![0.; 4]]);
}

#[test]
fn ties_averages_what_agrees_with_the_majority() {
    let ties = options(CombinationType::Ties, Some(0.5));
    // A: 3 against -5 is decided by the sum; -4 · 2 and -3 agree.
    assert_eq!(combined(&ties), [vec![-5., 0., 0., -5.5], vec![2., 4., 6., 0.]]);
    // One vote each is no majority: then the positive sign has it.
    let frequency = Combination { majority_sign_method: MajoritySignMethod::Frequency, ..ties };
    assert_eq!(combined(&frequency)[0], [6., 0., 0., -5.5]);
}

#[test]
fn ties_svd_votes_on_the_changes() {
    let mut adapters = Adapters::new(&toy_sites(1, 2));
    add(&mut adapters, 2, "one", 1, 2., &[("q", &[1., -1.], &[2., 1.])]); // 2 (2, 1)ᵀ (1, -1) = [[4, -4], [2, -2]]
    add(&mut adapters, 2, "two", 1, 1., &[("q", &[3., 1.], &[-1., 1.])]); // (-1, 1)ᵀ (3, 1) = [[-3, -1], [3, 1]]
    let svd_rank = NonZeroUsize::new(2);
    let ties = Combination { svd_rank, ..options(CombinationType::TiesSvd, Some(1.)) };
    add_weighted_adapter(&mut adapters, "both", &[("one", 1.), ("two", 2.)], &ties).unwrap();
    // Votes [[1, -5], [5, -1]]: [[4, mean(-4, 2 · -1)], [mean(2, 2 · 3), -2]].
    let expected = Tensor::new(&[[4f32, -3.], [4., -2.]], CPU).unwrap();
    assert!(gap(&delta(&adapters, "both", "q", 2), &expected) < 1e-5);
}

#[test]
fn dare_drops_at_random_by_the_seed_and_scales_what_is_left() {
    let dim = 400;
    let mut adapters = Adapters::new(&toy_sites(1, dim));
    let (ones, zeros) = (vec![1f32; 4 * dim], vec![0f32; 4 * dim]);
    add(&mut adapters, dim, "ones", 4, 4., &[("q", &ones, &ones), ("v", &ones, &ones)]);
    add(&mut adapters, dim, "zeros", 4, 4., &[("q", &zeros, &zeros), ("v", &zeros, &zeros)]);
    let values = |seed| -> Vec<Vec<f32>> {
        let dare = Combination { seed, ..options(CombinationType::DareLinear, Some(0.8)) };
        let weights = combine(&adapters, &[("ones", 1.), ("zeros", 1.)], &dare).unwrap().weights;
        weights.values().map(|w| w.t().unwrap().flatten_all().unwrap().to_vec1().unwrap()).collect()
    };
    let first = values(1);
    for kept in &first {
        assert!(kept.iter().all(|v| *v == 0. || *v == 1.25));
        let share = kept.iter().filter(|v| **v != 0.).count() as f64 / kept.len() as f64;
        assert!((share - 0.8).abs() < 5. * (0.16f64 / 1600.).sqrt(), "{share}");
    }
    assert!(first[0] != first[2] && first[1] != first[3], "each site has masks of its own");
    assert_eq!(first, values(1));
    assert_ne!(first, values(2));
}

#[test]
fn what_drops_nothing_is_the_plain_rule() {
    let all = |kind| combined(&options(kind, Some(1.)));
    let linear = combined(&options(CombinationType::Linear, None));
    assert_eq!(all(CombinationType::DareLinear), linear);
    assert_eq!(all(CombinationType::MagnitudePrune), linear);
    assert_eq!(all(CombinationType::DareTies), all(CombinationType::Ties));
}

#[test]
fn each_type_has_peft_s_name_and_gives_an_adapter() {
    let names = [
        "svd",
        "linear",
        "cat",
        "ties",
        "ties_svd",
        "dare_linear",
        "dare_ties",
        "dare_linear_svd",
        "dare_ties_svd",
        "magnitude_prune",
        "magnitude_prune_svd",
    ];
    for name in names {
        let text = format!(r#"{{"combination_type": "{name}", "density": 0.7, "svd_rank": 3, "seed": 2}}"#);
        let options: Combination = serde_json::from_str(&text).unwrap();
        let mut adapters = two();
        add_weighted_adapter(&mut adapters, "both", &[("one", 0.5), ("two", 0.5)], &options).unwrap();
        assert!(delta(&adapters, "both", "q", 4).abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap() > 0.);
        assert_eq!(adapters.active_names().collect::<Vec<_>>(), ["one"]);
    }
}

#[test]
fn one_adapter_alone_is_scaled() {
    let mut adapters = two();
    add_weighted_adapter(&mut adapters, "alone", &[("one", -2.25)], &Combination::default()).unwrap();
    let expected = (delta(&adapters, "one", "q", 4) * -2.25).unwrap();
    assert!(gap(&delta(&adapters, "alone", "q", 4), &expected) < 1e-5);
}

fn message(adapters: &mut Adapters, parts: &[(&str, f64)], options: &Combination) -> String {
    add_weighted_adapter(adapters, "both", parts, options).unwrap_err().to_string()
}

#[test]
fn what_cannot_be_combined_is_refused() {
    let mut adapters = two();
    add(&mut adapters, 4, "wide", 2, 1., &[("q", &[1.; 8], &[1.; 8])]);
    let sites: Sites = adapters.sites().clone();
    let scale: Vec<Box<dyn PeftConfig>> = vec![Box::new(Scale { target_modules: TargetModules::suffixes(["q"]) })];
    let weights = [("base_model.model.layers.0.q.scale".to_owned(), Tensor::ones(4, DType::F32, CPU).unwrap())];
    adapters.load_adapter("scale", &AdapterCheckpoint { methods: scale, weights: weights.into() }, CPU).unwrap();
    let linear = options(CombinationType::Linear, None);

    let found = message(&mut adapters, &[("one", 1.), ("wide", 1.)], &linear);
    assert_eq!(
        found,
        "layers.0.q: this combination_type needs adapters of one rank r, found 1 of \"one\", 2 of \"wide\"; use \"cat\" \
         or \"svd\" (\"wide\" differs)"
    );
    let found = message(&mut adapters, &[("one", 1.), ("scale", 1.)], &linear);
    assert_eq!(
        found,
        "adapter \"scale\": TOY_SCALE at layers.0.q has the weights scale; only plain LoRA (lora_A.weight, \
         lora_B.weight) can be combined"
    );
    let found = message(&mut adapters, &[("one", 1.), ("tow", 1.)], &linear);
    assert!(found.starts_with("unknown adapter \"tow\"; did you mean \"two\"?"), "{found}");
    let found = message(&mut adapters, &[], &linear);
    assert!(found.starts_with("add_weighted_adapter: no adapters were given"), "{found}");

    let ties = options(CombinationType::Ties, None);
    let found = message(&mut adapters, &[("one", 1.), ("two", 1.)], &ties);
    assert_eq!(found, "add_weighted_adapter: density is missing; Ties needs the share of elements to keep");
    for (kind, density) in
        [(CombinationType::Ties, -0.1), (CombinationType::DareTies, 0.), (CombinationType::Ties, 1.5)]
    {
        let found = message(&mut adapters, &[("one", 1.), ("two", 1.)], &options(kind, Some(density)));
        assert!(found.contains("expected"), "{found}");
    }
    add_weighted_adapter(&mut adapters, "both", &[("one", 1.), ("two", 1.)], &linear).unwrap();
    assert!(message(&mut adapters, &[("one", 1.), ("two", 1.)], &linear).contains("one of that name already"));
    assert_eq!(sites.len(), adapters.sites().len());
}
