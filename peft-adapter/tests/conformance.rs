//! Every method of this crate through the conformance kit, in each of its shapes.
#![allow(clippy::unwrap_used, reason = "tests")]

use peft_adapter::{BottleneckConfig, CompacterConfig, LnTuningConfig, NonLinearity};
use peft_core::conformance::{Toy, check};
use peft_core::{PeftConfig, StaticConfig, nonzero};

#[test]
fn every_method_passes_every_check() {
    let wide = |config| BottleneckConfig { bottleneck_size: Some(nonzero(3)), ..config };
    let every = BottleneckConfig {
        ln_before: true,
        scaling: 2.,
        use_gating: true,
        dropout: 0.2,
        cross_adapter: true,
        non_linearity: NonLinearity::Mish,
        ..BottleneckConfig::default()
    };
    let parallel = BottleneckConfig { is_parallel: true, ..every.clone() };
    let compacter = CompacterConfig {
        reduction_factor: 2.,
        phm_dim: nonzero(2),
        phm_init_range: 0.5,
        ..CompacterConfig::default()
    };
    let methods: Vec<Box<dyn PeftConfig>> = vec![
        Box::new(wide(BottleneckConfig::default())),
        Box::new(wide(BottleneckConfig::houlsby())),
        Box::new(wide(BottleneckConfig::pfeiffer())),
        Box::new(wide(BottleneckConfig::par_bn())),
        Box::new(wide(every)),
        Box::new(wide(parallel)),
        Box::new(CompacterConfig { shared_phm_rule: false, factorized_phm_w: false, ..compacter.clone() }),
        Box::new(compacter),
        Box::new(LnTuningConfig::default()),
        Box::new(LnTuningConfig::new().target_modules(["layer_norm"])),
    ];
    for method in methods {
        for per_task in [false, true] {
            let generator = StaticConfig { per_task, ..StaticConfig::default() };
            let report = check(method.as_ref(), &generator, &Toy::new(7).unwrap()).unwrap();
            println!("{report}");
            report.into_result().unwrap();
        }
    }
}
