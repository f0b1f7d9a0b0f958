//! Labels raw sentences with an adapter that Python's `peft` saved: python_peft FOLDER TOKENIZER TAG,TAG,.. SENTENCE..
use hyperloader::prelude::*;

pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
    label(&std::env::args().skip(1).collect::<Vec<_>>())
}

pub(crate) fn label(arguments: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    let [folder, tokenizer, tags, sentences @ ..] = arguments else {
        return Err("usage: python_peft FOLDER TOKENIZER TAG,TAG,.. SENTENCE..".into());
    };
    let tokenizer = T5Tokenizer::load(tokenizer)?;
    let model = PeftModel::from_pretrained(folder, &Device::Cpu)?;
    let labeller = model.labeller("default", &tokenizer, &tags.split(',').collect::<Vec<_>>())?;
    for sentence in labeller.label(sentences)? {
        println!("{:?}", sentence.spans());
    }
    Ok(())
}
