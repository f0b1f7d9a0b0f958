//! Adapter folders of two Python libraries, in and out.
//!
//! | library | functions | methods |
//! |---|---|---|
//! | AdapterHub's `adapters` | [`read_adapterhub`], [`write_adapterhub`] | bottleneck adapters, Compacter, LoRA, IA3, prefix tuning and their unions |
//! | Hugging Face `peft` | [`read_peft`], [`write_peft`] | prompt, prefix and layer-norm tuning, and what [`peft_lora::files`] supports |
//!
//! An AdapterHub folder has `adapter_config.json` and `adapter.safetensors` or `pytorch_adapter.bin`. The keys of its weights
//! are `<site path>.<kind>.<adapter's name>.<weight>`.
//!
//! # HyperLoader's adapter in AdapterHub's fields
//!
//! HyperLoader's adapter turns the residual stream `h` into `h + y + LN(W_up gelu_new(W_down y + b) + b')`, where `y` is the
//! sub-layer's output. AdapterHub computes the same on T5 for a `double_seq_bn` with `non_linearity = gelu_new`,
//! `ln_after = true` and the defaults of the other fields:
//!
//! - `original_ln_before = false`: the adapter reads `y`, not `h + y`;
//! - `residual_before_ln = true`: the residual around the adapter is `y`;
//! - `adapter_residual_before_ln = false`: that residual is added after the adapter's own layer norm, whose epsilon is
//!   PyTorch's 1e-5;
//! - `original_ln_after = true`: `h` is added last. T5 has no layer norm there.
//!
//! One task of a HyperLoader is a union of that adapter and of LoRA on `q` and `v` (`selfattn_lora` means cross-attention
//! too). The two libraries differ in training only: AdapterHub's dropout of `y` comes before the adapter, ours after it.
//!
//! # What AdapterHub cannot hold
//!
//! [`write_adapterhub`] returns an error where AdapterHub would compute something else: for layer norms with another epsilon,
//! LoRA at modules where AdapterHub has none (`o`, `wi_0`, `lm_head`) or at only some of a layer's attentions, several ranks
//! or scales, and two methods of one family where AdapterHub allows one.
//!
//! Version 1.3.0 of `adapters` does not save the rules that Compacter's adapters share when the model is a
//! `T5ForConditionalGeneration` (its filter looks for a dot that the name of that weight lacks). Python loads such a folder
//! with random rules. Here it is an error: the key `shared_parameters.<name>.phm_rule` is missing. A `T5AdapterModel` saves
//! the rules, and so does this crate.

mod adapterhub;
mod json;
mod peft;

pub use adapterhub::{
    AdapterHubFolder, AdapterHubLayout, AdapterHubOptions, WEIGHTS_FILE, read_adapterhub, write_adapterhub,
};
pub use peft::{read_peft, write_peft};
pub use peft_lora::files::{BaseModel, CONFIG_FILE};
