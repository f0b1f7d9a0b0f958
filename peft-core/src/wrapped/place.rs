//! Which of the weights that a model asks for are sites, and where they are in the model.

use candle_core::Tensor;
use candle_nn::Init;

use crate::{Site, SiteKind, SiteRole, Stack};

/// The end of the name of a module's weight, and of its bias.
const WEIGHT: &str = ".weight";
const BIAS: &str = ".bias";

/// The stack of modules that are in no layer.
const OUTSIDE: Stack = Stack::new("outside");

/// The name of the weight of the module at `path`.
pub(super) fn weight_of(path: &str) -> String {
    format!("{path}{WEIGHT}")
}

/// The name of the bias of the module at `path`.
pub(super) fn bias_of(path: &str) -> String {
    format!("{path}{BIAS}")
}

/// The module whose bias is called `name`.
pub(super) fn module_of_bias(name: &str) -> Option<&str> {
    name.strip_suffix(BIAS)
}

/// The site of the weight `name`, if it is the weight of a linear map, a norm or a table of embeddings. Whether the module has a bias
/// is not known yet.
pub(super) fn site_of(name: &str, weight: &Tensor, init: Init) -> Option<Site> {
    let path = name.strip_suffix(WEIGHT)?;
    let kind = match *weight.dims() {
        [rows, dim] if is_table(path, init) => SiteKind::Embedding { rows, dim },
        [d_out, d_in] => SiteKind::Linear { d_in, d_out },
        [dim] => SiteKind::Norm { dim },
        _ => return None,
    };
    let (stack, layer, role) = place(path);
    Some(Site { path: path.to_owned(), stack, layer, role, kind, bias: false })
}

/// Whether a matrix is a table of embeddings. Its shape does not tell. `candle_nn::embedding` asks for the standard normal
/// distribution, `candle_nn::linear` for Kaiming's; a model that reads its tables itself gives them names.
fn is_table(path: &str, init: Init) -> bool {
    let standard = matches!(init, Init::Randn { mean: 0., stdev: 1. });
    let name = last(path);
    standard || name.contains("embed") || ["wte", "wpe"].contains(&name)
}

fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

/// Stack, layer and role of the module at `path`: what is before the first number in the path, that number, and what follows.
fn place(path: &str) -> (Stack, usize, SiteRole) {
    let role = |path: &str| match last(path) == SiteRole::LM_HEAD.as_str() {
        true => SiteRole::LM_HEAD,
        false => SiteRole::from(path.to_owned()),
    };
    let mut start = 0;
    for part in path.split('.') {
        let end = start + part.len();
        if let (Ok(layer), Some(stack), Some(rest)) = (part.parse(), path.get(..start), path.get(end + 1..)) {
            let stack = stack.trim_end_matches('.');
            let stack = if stack.is_empty() { OUTSIDE } else { Stack::from(stack.to_owned()) };
            return (stack, layer, role(rest));
        }
        start = end + 1;
    }
    (OUTSIDE, 0, role(path))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use candle_core::{DType, Device};
    use candle_nn::init::DEFAULT_KAIMING_NORMAL;

    use super::*;

    #[test]
    fn a_path_is_stack_layer_and_role() {
        let of = |path: &str| {
            let (stack, layer, role) = place(path);
            (stack.to_string(), layer, role.to_string())
        };
        let is = |stack: &str, layer, role: &str| (stack.to_owned(), layer, role.to_owned());
        assert_eq!(
            of("bert.encoder.layer.3.attention.self.query"),
            is("bert.encoder.layer", 3, "attention.self.query")
        );
        assert_eq!(
            of("decoder.block.2.layer.1.EncDecAttention.q"),
            is("decoder.block", 2, "layer.1.EncDecAttention.q")
        );
        assert_eq!(of("bert.embeddings.LayerNorm"), is("outside", 0, "bert.embeddings.LayerNorm"));
        assert_eq!(of("model.lm_head"), is("outside", 0, "lm_head"));
        assert_eq!(of("0.up"), is("outside", 0, "up"));
        assert_eq!(of("blocks.1"), is("outside", 0, "blocks.1"), "what ends in a number is a module, not a layer");
    }

    #[test]
    fn the_initial_value_or_the_name_tells_a_table_from_a_linear_map() {
        let zeros = |dims: &[usize]| Tensor::zeros(dims, DType::F32, &Device::Cpu).unwrap();
        let kind = |name: &str, dims: &[usize], init| site_of(name, &zeros(dims), init).map(|site| site.kind);
        let table = Some(SiteKind::Embedding { rows: 5, dim: 3 });
        let map = Some(SiteKind::Linear { d_in: 3, d_out: 5 });
        let normal = |stdev| Init::Randn { mean: 0., stdev };
        assert_eq!(kind("words.weight", &[5, 3], normal(1.)), table);
        assert_eq!(kind("query.weight", &[5, 3], DEFAULT_KAIMING_NORMAL), map);
        assert_eq!(kind("query.weight", &[5, 3], normal(0.02)), map, "a model's own initial values");
        assert_eq!(kind("model.embed_tokens.weight", &[5, 3], Init::default()), table);
        assert_eq!(kind("norm.weight", &[5], Init::Const(1.)), Some(SiteKind::Norm { dim: 5 }));
        assert_eq!(kind("query.bias", &[5], Init::Const(0.)), None);
        assert_eq!(kind("conv.weight", &[5, 3, 2], Init::default()), None);
        assert_eq!(kind("attention.in_proj_weight", &[5, 3], Init::default()), None);
    }
}
