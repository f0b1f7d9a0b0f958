//! An encoder of your own, written for candle. LoRA in its weights; a hypernetwork generates it for two tasks.
use hyperloader::prelude::*;
use peft_kernels::nn::{Module, Sequential, VarBuilder, embedding, layer_norm, linear, loss::cross_entropy, seq};

fn encoder(vb: VarBuilder<'_>) -> candle_core::Result<Sequential> {
    let (words, dense) = (embedding(100, 16, vb.pp("words"))?, linear(16, 16, vb.pp("layer.0.dense"))?);
    let (norm, head) = (layer_norm(16, 1e-5, vb.pp("layer.0.norm"))?, linear(16, 3, vb.pp("head"))?);
    Ok(seq().add(words).add(dense).add_fn(Tensor::relu).add(norm).add(head))
}

pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Random weights; "encoder" instead would read the folder of that name.
    let model = PeftModel::wrap(ParamStore::new(7, &Device::Cpu).var_builder(), encoder)?
        .loss(|encoder, (ids, tags): &(Tensor, Tensor), _| cross_entropy(&encoder.forward(ids)?, tags))
        .method(LoraConfig::new(4).target_modules(["dense"]))
        .tasks(["ner", "slots"]) // leave out this line and the next for plain LoRA
        .generator(HyperConfig::default())
        .build()?;
    let batch = (Tensor::new(&[17u32, 4, 1], &Device::Cpu)?, Tensor::new(&[0u32, 2, 1], &Device::Cpu)?);
    println!("{}", model.check_gradients(&batch)?);
    let mut optimizer = AdamW::new(model.vars(), AdamWConfig::default())?;
    for (step, task) in ["ner", "slots"].into_iter().cycle().take(20).enumerate() {
        optimizer.backward_step(&model.loss(&batch, task, &mut Ctx::train(42, step as u64))?, 1e-3)?;
    }
    println!("{}", model.adapted("slots")?.forward(&batch.0)?);
    Ok(())
}
