//! What a program that trains or uses models needs: `use hyperloader::prelude::*;`.

pub use candle_core::{DType, Device, Tensor};
pub use datasets::Example;
pub use datasets::tokenizer::T5Tokenizer;
pub use peft_adapter::{BottleneckConfig, CompacterConfig, PrefixTuningConfig, PromptTuningConfig, UnionConfig};
pub use peft_core::{Ctx, ParamStore, PeftModel, StaticConfig, TargetModules, Wrapped};
pub use peft_hyper::HyperConfig;
pub use peft_lora::{Ia3Config, LoraConfig};
pub use peft_t5::{T5, T5Batch, T5Config, Trainable, preset};

pub use crate::label::{Entity, LabelSentences, Labeller, TaggedSentence};
pub use crate::model::{FromPretrained, SavePretrained, TokenizerFromPretrained, labelling_batch};
pub use crate::optim::{AdamW, AdamWConfig};
