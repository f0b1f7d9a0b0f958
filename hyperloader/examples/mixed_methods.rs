//! LoRA and parallel adapters on one T5. A hypernetwork generates their weights for two tasks.
use hyperloader::prelude::*;

pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
    train(std::path::Path::new("mixed_methods"))
}

pub(crate) fn train(folder: &std::path::Path) -> Result<(), Box<dyn std::error::Error>> {
    let t5 = T5::from_pretrained("config:t5-small", &Device::Cpu)?; // random weights; "t5-small" fetches trained ones
    let model = PeftModel::builder(t5)
        .method(LoraConfig::new(4).alpha(8.).target_modules(["q", "v"]))
        .method(BottleneckConfig::par_bn())
        .tasks(["ner", "slots"])
        .generator(HyperConfig::default())
        .build()?;
    println!("{}", model.trainable_parameters()?);
    let mut optimizer = AdamW::new(model.vars(), AdamWConfig::default())?;
    let batch = T5Batch::new(&[&[17, 4, 1]], &[&[5, 1]], 0, &Device::Cpu)?;
    for (step, task) in ["ner", "slots"].into_iter().enumerate() {
        let loss = model.loss(&batch, task, &mut Ctx::train(42, step as u64))?;
        optimizer.backward_step(&loss, 1e-3)?;
    }
    Ok(model.save_pretrained(folder)?)
}
