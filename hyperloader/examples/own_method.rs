//! Your own method: it adds b to the output y of every linear map. Here a hypernetwork generates b.
use hyperloader::prelude::*;
use peft_core::{Result, prelude::*, rows::vector};

#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
struct Bias(usize);

#[typetag::serde(name = "BIAS")]
impl PeftConfig for Bias {
    fn module(&self, site: &Site) -> Result<Option<Box<dyn PeftModule>>> {
        let SiteKind::Linear { d_out, .. } = site.kind else { return Ok(None) };
        Ok(Some(Box::new(Bias(d_out))))
    }
}

impl PeftModule for Bias {
    fn params(&self) -> Vec<ParamSpec> {
        vec![ParamSpec::new("bias", [self.0], candle_nn::init::ZERO)]
    }

    fn apply(&self, call: &SiteCall<'_>, _: &mut Ctx) -> Result<Tensor> {
        let [bias] = call.take()?;
        Ok(call.output.broadcast_add(&vector(bias)?)?)
    }
}

pub(crate) fn main() -> hyperloader::Result<()> {
    let t5 = T5::from_pretrained("config:t5-small", &Device::Cpu)?;
    let model = PeftModel::builder(t5).method(Bias(0)).generator(HyperConfig::default()).build()?;
    Ok(model.print_trainable_parameters()?)
}
