//! Generates with a Llama and an adapter that Python's `peft` saved, merged into it: llama MODEL ADAPTER TOKEN..
use hyperloader::prelude::*;
use peft_core::ActiveAdapters;
use peft_llama::{GenerateOptions, Llama, LlamaInput, generate};

pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("{:?}", write(&std::env::args().skip(1).collect::<Vec<_>>())?);
    Ok(())
}

pub(crate) fn write(arguments: &[String]) -> Result<Vec<Vec<u32>>, Box<dyn std::error::Error>> {
    let [model, adapter, prompt @ ..] = arguments else {
        return Err("usage: llama MODEL ADAPTER TOKEN..".into());
    };
    let prompt = prompt.iter().map(|token| token.parse()).collect::<Result<Vec<u32>, _>>()?;
    let llama = Llama::from_folder(model, DType::F32, &Device::Cpu)?;
    let model = PeftModel::load_pretrained(llama, adapter)?.merge_and_unload("default")?.model;
    let prompts = LlamaInput::new(&[&prompt], &Device::Cpu)?;
    Ok(generate(&model, &prompts, &GenerateOptions::new(20), &ActiveAdapters::none())?)
}
