//! The reference's names and shapes in ours.

use super::Description;

/// Our name of the weight that the reference calls `own`.
pub(super) fn ours(own: &str, golden: &Description) -> String {
    let parts: Vec<&str> = own.split('.').collect();
    match parts.as_slice() {
        ["task", task] => format!("hyper.tasks.{task}"),
        [side, "hyper", rest @ ..] => hyper(stack(side), rest, golden),
        [side, layer, place, "adapter", rest @ ..] => adapter(stack(side), layer, place, rest),
        // The backbone's names are Hugging Face's, those of static LoRA are peft's.
        _ => golden.names[own].clone(),
    }
}

fn stack(side: &str) -> &'static str {
    match side {
        "enc" => "encoder",
        "dec" => "decoder",
        other => panic!("a weight of neither stack: {other}"),
    }
}

fn weight_or_bias(leaf: &str) -> &'static str {
    match leaf {
        "w" | "gamma" => "weight",
        "b" | "beta" => "bias",
        other => panic!("neither weight nor bias: {other}"),
    }
}

/// Names under `<stack>.hyper`.
fn hyper(stack: &str, rest: &[&str], golden: &Description) -> String {
    let root = format!("hyper.{stack}");
    match rest {
        [table @ ("layer_embed" | "position_embed")] => format!("{root}.{table}"),
        [part @ ("mlp1" | "mlp2" | "norm"), leaf] => format!("{root}.{part}.{}", weight_or_bias(leaf)),
        [head, leaf] => {
            let (kind, shape) = kind(head, golden);
            format!("{root}.heads.{kind}.{shape}.{}", weight_or_bias(leaf))
        }
        other => panic!("unknown part of the hypernetwork: {other:?}"),
    }
}

/// The weight that a head of the reference generates, and its shape.
fn kind(head: &str, golden: &Description) -> (String, String) {
    let (d, m, r) = (golden.backbone.d_model, golden.peft.bottleneck, golden.peft.rank);
    let inner = golden.backbone.heads * golden.backbone.d_kv;
    match head {
        "down_w" => ("adapter.down.weight".into(), format!("{m}x{d}")),
        "down_b" => ("adapter.down.bias".into(), format!("{m}")),
        "up_w" => ("adapter.up.weight".into(), format!("{d}x{m}")),
        "up_b" => ("adapter.up.bias".into(), format!("{d}")),
        "lora_a" => ("lora_A.weight".into(), format!("{r}x{d}")),
        "lora_b" => ("lora_B.weight".into(), format!("{inner}x{r}")),
        norm => {
            let (place, leaf) = norm.split_once('_').expect("pre_gamma and its like");
            (norm_of(place, leaf), format!("{d}"))
        }
    }
}

fn norm_of(place: &str, leaf: &str) -> String {
    let place = match place {
        "pre" => "ln_before",
        "post" => "ln_after",
        other => panic!("a layer norm neither before nor after: {other}"),
    };
    format!("adapter.{place}.{}", weight_or_bias(leaf))
}

/// Names of static adapters: `<task>.<down|up>.<w|b>`, or `<pre|post>.<gamma|beta>`, which the tasks share.
fn adapter(stack: &str, layer: &str, place: &str, rest: &[&str]) -> String {
    let sub_layer = match (place, stack) {
        ("self", _) => 0,
        ("ffn", "encoder") => 1,
        ("ffn", _) => 2,
        other => panic!("an adapter elsewhere: {other:?}"),
    };
    let site = format!("base_model.model.{stack}.block.{layer}.layer.{sub_layer}");
    match rest {
        [norm, leaf] => format!("{site}.{}", norm_of(norm, leaf)),
        [task, part, leaf] => format!("{site}.tasks.{task}.adapter.{part}.{}", weight_or_bias(leaf)),
        other => panic!("unknown part of an adapter: {other:?}"),
    }
}

/// The plan's target (site path, weight name) of a generated weight of decoder layer 1, such as `self_adapter.up_w`.
pub(super) fn generated(key: &str, golden: &Description) -> (String, String) {
    let (place, head) = key.split_once('.').expect("place.weight");
    let layer = "decoder.block.1.layer";
    let path = match place {
        "self_adapter" => format!("{layer}.0"),
        "ffn_adapter" => format!("{layer}.2"),
        "self_q" | "self_v" => format!("{layer}.0.SelfAttention.{}", &place[5..]),
        "cross_q" | "cross_v" => format!("{layer}.1.EncDecAttention.{}", &place[6..]),
        other => panic!("a weight generated elsewhere: {other}"),
    };
    (path, kind(head, golden).0)
}
