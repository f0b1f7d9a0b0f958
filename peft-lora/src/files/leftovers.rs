//! Tensors of a `peft` folder that no method asks for: harmless copies, and what is not supported.

use std::collections::BTreeMap;

use candle_core::{DType, Tensor};
use peft_core::{Error, PEFT_PREFIX, Result, SiteKind, SiteRole};
use serde::Deserialize;

use super::base::BaseModel;
use super::folder::PeftFolder;

/// The names of T5's one embedding table. `peft` writes two of them with `save_embedding_layers`.
const EMBEDDINGS: [&str; 4] =
    ["shared.weight", "lm_head.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight"];
/// The name under which the backbone holds it.
const SHARED: &str = "shared.weight";

/// The keys of the configuration that say why there are more tensors.
#[derive(Deserialize)]
struct Reasons {
    modules_to_save: Option<Vec<String>>,
    bias: Option<String>,
}

impl PeftFolder {
    /// The tensors that are `wanted`, under their names. Copies of the backbone's own embedding table are left out: they change
    /// nothing.
    ///
    /// # Errors
    /// [`Error::File`] if there are others because of a setting that is not supported, which is named; [`Error::UnknownKeys`]
    /// if nothing in the configuration asks for them.
    pub fn wanted(&self, wanted: impl Fn(&str) -> bool, base: &BaseModel<'_>) -> Result<BTreeMap<String, Tensor>> {
        let (tensors, others): (BTreeMap<String, Tensor>, BTreeMap<String, Tensor>) = self
            .tensors
            .iter()
            .map(|(name, tensor)| (name.clone(), tensor.clone()))
            .partition(|(name, _)| wanted(name));
        let reasons: Reasons = self.parse()?;
        let mut unknown = Vec::new();
        for (name, tensor) in others {
            let path = name.strip_prefix(PEFT_PREFIX).map_or(name.as_str(), |path| path.trim_start_matches('.'));
            self.check_saved(path, &reasons)?;
            // `peft` puts the table of a layer that it wraps under this name.
            let module = path.strip_suffix(".base_layer.weight").map(|module| format!("{module}.weight"));
            let path = module.as_deref().unwrap_or(path);
            if is_table(path, base) {
                self.check_copy(path, &tensor, base)?;
            } else if path.ends_with(".bias") && reasons.bias.as_deref().is_some_and(|bias| bias != "none") {
                let bias = reasons.bias.as_deref().unwrap_or_default();
                let reason = format!("bias is {bias:?} and the weights hold {name}, which is not supported");
                return Err(self.unsupported(reason + ": this backbone has no such bias at a site"));
            } else {
                unknown.push(name);
            }
        }
        if unknown.is_empty() { Ok(tensors) } else { Err(Error::UnknownKeys { keys: unknown }) }
    }

    /// Refuses a tensor that is there because of `modules_to_save`.
    fn check_saved(&self, path: &str, reasons: &Reasons) -> Result<()> {
        // A module is saved with all that is in it, so any part of the path may be the one that is named.
        let ends = path.match_indices('.').filter_map(|(end, _)| path.get(..end));
        let mut modules =
            ends.flat_map(|module| reasons.modules_to_save.iter().flatten().map(move |name| (module, name)));
        match modules.find(|(module, name)| !name.is_empty() && module.ends_with(name.as_str())) {
            None => Ok(()),
            Some((_, name)) => Err(self.unsupported(format!(
                "modules_to_save = [{name:?}] is not supported: it saves {path}, which is no linear map, norm or embedding table among \
                 the sites of this backbone"
            ))),
        }
    }

    /// Refuses an embedding table that is not the backbone's.
    fn check_copy(&self, path: &str, tensor: &Tensor, base: &BaseModel<'_>) -> Result<()> {
        let own = base.tensors.and_then(|tensors| tensors.get(path).or_else(|| tensors.get(SHARED)));
        let reason = match own {
            None => "cannot be compared with the backbone's, because its tensors were not given",
            Some(own) if same(own, tensor)? => return Ok(()),
            Some(_) => "is not the backbone's, which is not supported",
        };
        Err(self.unsupported(format!("the weights hold an embedding table, {path}, that {reason}")))
    }
}

/// Whether `name` is that of the backbone's embedding table, or of its output projection.
fn is_table(name: &str, base: &BaseModel<'_>) -> bool {
    let is_table =
        |kind: &SiteKind, role: &SiteRole| matches!(kind, SiteKind::Embedding { .. }) || *role == SiteRole::LM_HEAD;
    let path = name.strip_suffix(".weight");
    EMBEDDINGS.contains(&name)
        || base.sites.iter().any(|site| is_table(&site.kind, &site.role) && path == Some(site.path.as_str()))
}

fn same(a: &Tensor, b: &Tensor) -> Result<bool> {
    if a.dims() != b.dims() {
        return Ok(false);
    }
    let values = |tensor: &Tensor| tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>();
    Ok(values(a)? == values(b)?)
}
