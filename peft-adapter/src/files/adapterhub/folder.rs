//! The files of an AdapterHub folder.

use peft_lora::files::{AdapterFolder, FolderLayout};

/// Its weights.
pub const WEIGHTS_FILE: &str = "adapter.safetensors";

/// The layout of AdapterHub's `adapters`.
#[derive(Debug, Clone)]
pub struct AdapterHubLayout;

impl FolderLayout for AdapterHubLayout {
    // AdapterHub writes a pickle by default. It cannot write safetensors where two names share a tensor, so people convert the
    // pickle: that is the last name.
    const READ: &'static [&'static str] = &[WEIGHTS_FILE, "pytorch_adapter.bin", "adapter_dedup.safetensors"];
    const WRITTEN: &'static str = WEIGHTS_FILE;
    const METADATA: Option<[&'static str; 2]> = None;
}

/// What an AdapterHub folder holds: `adapter_config.json` and the weights, `adapter.safetensors` or `pytorch_adapter.bin`.
pub type AdapterHubFolder = AdapterFolder<AdapterHubLayout>;
