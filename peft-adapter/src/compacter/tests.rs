//! The method on a toy backbone.

#![allow(clippy::unwrap_used, reason = "tests")]
use candle_core::{Device, Tensor};
use peft_core::toy::toy_sites;
use peft_core::{ActiveAdapters, AdapterWeights, Ctx, PeftConfig, Plan, SiteInput, nonzero};

use super::CompacterConfig;
use crate::NonLinearity;

fn config() -> CompacterConfig {
    CompacterConfig {
        reduction_factor: 2.,
        phm_dim: nonzero(2),
        non_linearity: NonLinearity::Relu,
        ..CompacterConfig::default()
    }
}

fn plan(config: CompacterConfig, layers: usize) -> peft_core::Result<Plan> {
    Plan::resolve(&toy_sites(layers, 4), &[Box::new(config) as Box<dyn PeftConfig>])
}

#[test]
fn all_adapters_share_the_rules() {
    // Each layer: factors 2·2 + 2·1 down, 2·1 + 2·2 up, biases 2 and 4.
    let plan_of = |shared_phm_rule| plan(CompacterConfig { shared_phm_rule, ..config() }, 3).unwrap();
    assert_eq!(plan_of(true).num_parameters(), 8 + 3 * (6 + 6 + 6));
    assert_eq!(plan_of(false).num_parameters(), 3 * (2 * 8 + 6 + 6 + 6));
    // Without factors 2·2·1 down and up.
    let whole = plan(CompacterConfig { factorized_phm_w: false, ..config() }, 3).unwrap();
    assert_eq!(whole.num_parameters(), 8 + 3 * (4 + 4 + 6));
}

#[test]
fn it_is_an_adapter_with_other_projections() {
    for plus_plus in [false, true] {
        let original_ln_before = plus_plus;
        let plan = plan(CompacterConfig { original_ln_before, scaling: 0.5, ..config() }, 1).unwrap();
        // The rules pick blocks: A₁ = (1 0; 0 0), A₂ = (0 0; 0 1); down sums each half, up doubles and repeats.
        let values: [&[f32]; 7] = [
            &[1., 0., 0., 0., 0., 0., 0., 1.],
            &[1., 1., 1., 1.],
            &[1., 1.],
            &[0., -5.],
            &[2., 1.],
            &[1., 1., 1., 1.],
            &[1., 0., 0., 0.],
        ];
        let params = &plan.targets().first().unwrap().params;
        assert_eq!(params.len(), values.len());
        let weights = params
            .iter()
            .zip(values)
            .map(|(p, v)| Tensor::new(v, &Device::Cpu).unwrap().reshape(p.dims.as_slice()).unwrap());
        let weights = AdapterWeights::new(vec![weights.collect()]);
        let tensor = |v: [f32; 4]| Tensor::new(&[[v]], &Device::Cpu).unwrap();
        let sites = toy_sites(1, 4);
        let active = ActiveAdapters::new(&plan, &weights).unwrap();
        let (h, y) = (tensor([100., 190., 140., 150.]), tensor([10., 12., 7., 9.]));
        let out = active.apply(sites.find("layers.0.ffn").unwrap(), SiteInput::new(&h, y), &mut Ctx::eval()).unwrap();
        // y: halves 22 and 16 - 5 = 11, up (45, 44, 11, 11), of which half is added. h + y: 312 and 306 - 5 = 301.
        let expected: [f32; 4] = match plus_plus {
            false => [10. + 22.5, 12. + 22., 7. + 5.5, 9. + 5.5],
            true => [10. + 312.5, 12. + 312., 7. + 150.5, 9. + 150.5],
        };
        assert_eq!(out.flatten_all().unwrap().to_vec1::<f32>().unwrap(), expected);
    }
}

#[test]
fn a_width_that_the_products_do_not_divide_is_refused() {
    let message = plan(CompacterConfig { phm_dim: nonzero(4), ..config() }, 1).unwrap_err().to_string();
    assert_eq!(message, "COMPACTER: phm_dim is 4, expected a divisor of 4 and 2, the widths of a projection");
}

#[test]
fn configuration_has_adapterhubs_names() {
    let text = r#"{"peft_type":"COMPACTER","phm_dim":8,"factorized_phm_W":false}"#;
    let config: Box<dyn PeftConfig> = serde_json::from_str(text).unwrap();
    let back = serde_json::to_value(&config).unwrap();
    assert_eq!((&back["factorized_phm_W"], &back["phm_rank"]), (&false.into(), &1.into()));
}
