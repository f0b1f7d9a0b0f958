//! AdapterHub's folders: `adapter_config.json` beside `adapter.safetensors` or `pytorch_adapter.bin`.

mod architecture;
mod bottleneck;
mod folder;
mod tensors;

pub use folder::read_adapterhub;
