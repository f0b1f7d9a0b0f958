//! The parameter names of the authors' checkpoints and of this crate.

use candle_core::Tensor;

/// The sizes that are part of this crate's names of heads and not of the authors'.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    /// The hidden size.
    pub(super) d_model: usize,
    /// The width of the bottlenecks; 0 without any.
    pub(super) bottleneck: usize,
    /// The rank of LoRA; 0 without it.
    pub(super) rank: usize,
    /// The features of all attention heads.
    pub(super) inner: usize,
}

impl Sizes {
    /// The sizes, from the shapes of the tensors; `find` looks them up by the authors' names.
    pub(super) fn of<'t>(find: impl Fn(&str) -> Option<&'t Tensor>) -> Option<Self> {
        let rows = |name: &str| find(name).and_then(|tensor| tensor.dim(0).ok());
        let d_model = find("shared.weight")?.dim(1).ok()?;
        let head = |name: &str| rows(&format!("encoder.{HYPER}.{name}")).unwrap_or(0);
        let rank = head("lora_a_hyper_net.weight_generator.0.weight") / d_model.max(1);
        Some(Self {
            d_model,
            rank,
            bottleneck: head("down_sampler_hyper_net.bias_generator.0.weight"),
            inner: head("lora_b_hyper_net.weight_generator.0.weight").checked_div(rank).unwrap_or(0),
        })
    }
}

/// The module that holds one stack's hypernetwork.
const HYPER: &str = "adapter_layers_hyper_net";

/// This crate's name of the parameter that the authors call `theirs` and, for a head's bias, its shape here; `None` if the name
/// is unknown. The names of the backbone are the same.
pub(super) fn ours(theirs: &str, sizes: Sizes) -> Option<(String, Option<Vec<usize>>)> {
    if let Some(task) = theirs.strip_prefix("task_embedding_controller.task_to_embeddings.") {
        return Some((format!("hyper.tasks.{task}"), None));
    }
    for stack in ["encoder", "decoder"] {
        if let Some(part) = theirs.strip_prefix(&format!("{stack}.{HYPER}.")) {
            return hyper(stack, part, sizes);
        }
    }
    if let Some((site, rest)) = theirs.split_once(".adapter_controller.") {
        return adapter(rest).map(|weight| (format!("{}.{site}.{weight}", peft_core::PEFT_PREFIX), None));
    }
    Some((theirs.to_owned(), None))
}

fn hyper(stack: &str, part: &str, sizes: Sizes) -> Option<(String, Option<Vec<usize>>)> {
    let root = format!("hyper.{stack}");
    let plain = match part {
        "layer_id_embeddings.weight" => Some("layer_embed".to_owned()),
        "adapters_block_type.weight" => Some("position_embed".to_owned()),
        _ => {
            let (module, leaf) = part.rsplit_once('.')?;
            let module = match module {
                // The authors' spelling.
                "task_hypernet.task_embeding_generator.0" => Some("mlp1"),
                "task_hypernet.task_embeding_generator.2" => Some("mlp2"),
                "LayerNorm" => Some("norm"),
                _ => None,
            };
            module.map(|module| format!("{module}.{leaf}"))
        }
    };
    if let Some(plain) = plain {
        return Some((format!("{root}.{plain}"), None));
    }
    let (generator, leaf) = part.rsplit_once('.')?;
    let (weight, dims) = head(generator, sizes)?;
    let shape: Vec<String> = dims.iter().map(ToString::to_string).collect();
    let name = format!("{root}.heads.{weight}.{}.{leaf}", shape.join("x"));
    Some((name, (leaf == "bias").then_some(dims)))
}

/// The weight that a generator of the authors makes, and its shape.
fn head(
    generator: &str,
    Sizes { d_model: d, bottleneck: m, rank: r, inner }: Sizes,
) -> Option<(&'static str, Vec<usize>)> {
    Some(match generator {
        "down_sampler_hyper_net.weight_generator.0" => ("adapter.down.weight", vec![m, d]),
        "down_sampler_hyper_net.bias_generator.0" => ("adapter.down.bias", vec![m]),
        "up_sampler_hyper_net.weight_generator.0" => ("adapter.up.weight", vec![d, m]),
        "up_sampler_hyper_net.bias_generator.0" => ("adapter.up.bias", vec![d]),
        "pre_layernorm_hypernet.weight_generator" => ("adapter.ln_before.weight", vec![d]),
        "pre_layernorm_hypernet.bias_generator" => ("adapter.ln_before.bias", vec![d]),
        "post_layernorm_hypernet.weight_generator" => ("adapter.ln_after.weight", vec![d]),
        "post_layernorm_hypernet.bias_generator" => ("adapter.ln_after.bias", vec![d]),
        "lora_a_hyper_net.weight_generator.0" => ("lora_A.weight", vec![r, d]),
        "lora_b_hyper_net.weight_generator.0" => ("lora_B.weight", vec![inner, r]),
        _ => return None,
    })
}

/// The weights of the static adapters of HyperFormer's code.
fn adapter(part: &str) -> Option<String> {
    let pieces: Vec<&str> = part.split('.').collect();
    Some(match pieces.as_slice() {
        ["post_layer_norm", leaf] => format!("adapter.ln_after.{leaf}"),
        ["pre_layer_norm", leaf] => format!("adapter.ln_before.{leaf}"),
        ["adapters", task, "down_sampler", leaf] => format!("tasks.{task}.adapter.down.{leaf}"),
        ["adapters", task, "up_sampler", leaf] => format!("tasks.{task}.adapter.up.{leaf}"),
        _ => return None,
    })
}
