//! LoRA at an embedding table: `y = E[ids] + s · (A[:, ids])ᵀ Bᵀ`.

use candle_core::Tensor;
use candle_nn::init::ZERO;
use peft_core::{Ctx, ParamSpec, PeftModule, Result, SiteCall, normal};
use peft_kernels as ops;

use crate::LoraInit;

/// The low-rank change `s (B A)ᵀ` of a table `[rows, dim]`, with `A: [r, rows]`, `B: [dim, r]`. `peft` has no dropout here.
#[derive(Debug)]
pub(crate) struct LoraEmbedding {
    pub(crate) r: usize,
    pub(crate) rows: usize,
    pub(crate) dim: usize,
    pub(crate) scaling: f64,
    pub(crate) init: LoraInit,
}

impl PeftModule for LoraEmbedding {
    fn params(&self) -> Vec<ParamSpec> {
        // As in `peft`, and the other way round than at a linear map: A is zero.
        let a = if self.init == LoraInit::Random { normal(1.) } else { ZERO };
        let b = normal(1.);
        vec![
            ParamSpec::new("lora_embedding_A", [self.r, self.rows], a).with_head(a, None),
            ParamSpec::new("lora_embedding_B", [self.dim, self.r], b).with_head(b, None),
        ]
    }

    fn apply(&self, call: &SiteCall<'_>, ctx: &mut Ctx) -> Result<Tensor> {
        let [a, b] = call.take()?;
        let low = (columns(a, call.input)? * self.scaling)?;
        Ok((call.output + ops::linear(&low, b, ctx.kernels())?)?)
    }

    fn delta(&self, weights: &[Tensor], _base: &Tensor) -> Result<Option<Tensor>> {
        let [a, b] = peft_core::take(weights)?;
        Ok(Some((b.matmul(a)?.t()? * self.scaling)?))
    }
}

/// The columns `ids [batch, length]` of `table [r, rows]`, `[batch, length, r]`. A table with a batch axis is one for each row of ids.
fn columns(table: &Tensor, ids: &Tensor) -> Result<Tensor> {
    let (batch, length) = ids.dims2()?;
    if table.rank() == 2 {
        let columns = table.contiguous()?.index_select(&ids.flatten_all()?, 1)?;
        return Ok(columns.t()?.reshape((batch, length, ()))?);
    }
    let row = |row: usize| table.get(row)?.contiguous()?.index_select(&ids.get(row)?.contiguous()?, 1)?.t();
    Ok(Tensor::stack(&(0..batch).map(row).collect::<candle_core::Result<Vec<_>>>()?, 0)?)
}

/// The rows `ids [batch, length]` of `table [rows, dim]`, `[batch, length, dim]`. A table with a batch axis is one for each row of ids.
pub(crate) fn lookup(table: &Tensor, ids: &Tensor, ctx: &Ctx) -> Result<Tensor> {
    if table.rank() == 2 {
        return Ok(ops::embedding(ids, &table.contiguous()?, ctx.kernels())?);
    }
    let row = |row: usize| table.get(row)?.contiguous()?.index_select(&ids.get(row)?.contiguous()?, 0);
    Ok(Tensor::stack(&(0..ids.dim(0)?).map(row).collect::<candle_core::Result<Vec<_>>>()?, 0)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use candle_core::Device;
    use peft_core::{ActiveAdapters, AdapterWeights, PeftConfig, Plan, Site, SiteKind, SiteRole, Sites, Stack};

    use super::*;
    use crate::LoraConfig;

    const CPU: &Device = &Device::Cpu;

    /// A table of three rows, and the plan of `config` for it.
    fn table(config: LoraConfig) -> Result<(Tensor, Sites, Plan)> {
        let mut sites = Sites::default();
        let kind = SiteKind::Embedding { rows: 3, dim: 2 };
        let (path, role) = ("embed_tokens".to_owned(), SiteRole::EMBEDDING);
        sites.add(Site { path, stack: Stack::DECODER, layer: 0, role, kind, bias: false });
        let plan = Plan::resolve(&sites, &[Box::new(config) as Box<dyn PeftConfig>])?;
        Ok((Tensor::new(&[[1f32, 2.], [3., 4.], [5., 6.]], CPU)?, sites, plan))
    }

    /// The rows 2 and 0, and 1 and 1, with `weights`.
    fn run((table, sites, plan): &(Tensor, Sites, Plan), weights: Vec<Tensor>) -> Vec<Vec<Vec<f32>>> {
        let active = ActiveAdapters::new(plan, AdapterWeights::new(vec![weights])).unwrap();
        let ids = Tensor::new(&[[2u32, 0], [1, 1]], CPU).unwrap();
        let site = sites.find("embed_tokens").unwrap();
        let rows = active.embedding(site, &ids, table, &mut Ctx::eval()).unwrap();
        if let Some(merged) = active.merge(site, table).unwrap().weight() {
            let of_merged = ops::embedding(&ids, &merged, Ctx::eval().kernels()).unwrap();
            assert_eq!(of_merged.to_vec3::<f32>().unwrap(), rows.to_vec3::<f32>().unwrap());
        }
        rows.to_vec3().unwrap()
    }

    #[test]
    fn a_row_gets_its_column_of_a_times_b() {
        let table = table(LoraConfig::new(1).alpha(10.).target_modules(["embed_tokens"])).unwrap();
        let a = Tensor::new(&[[1f32, 0., -1.]], CPU).unwrap();
        let b = Tensor::new(&[[1f32], [2.]], CPU).unwrap();
        assert_eq!(run(&table, vec![a.clone(), b.clone()]), [[[-5., -14.], [11., 22.]], [[3., 4.], [3., 4.]]]);

        // Each row of the batch with its own weights: the second one has none of the change.
        let both = |weight: &Tensor| Tensor::stack(&[weight.clone(), weight.zeros_like().unwrap()], 0).unwrap();
        assert_eq!(run(&table, vec![both(&a), both(&b)]), [[[-5., -14.], [11., 22.]], [[3., 4.], [3., 4.]]]);
    }

    #[test]
    fn a_saved_table_is_the_table_and_its_increment() {
        let table = table(LoraConfig::new(1).target_modules(["embed_tokens"]).modules_to_save(["tokens"])).unwrap();
        let delta = Tensor::new(&[[0f32, 0.], [1., 1.], [-5., 0.]], CPU).unwrap();
        let expected = [[[0., 6.], [1., 2.]], [[4., 5.], [4., 5.]]];
        assert_eq!(run(&table, vec![delta.clone()]), expected);
        let both = Tensor::stack(&[&delta, &delta], 0).unwrap();
        assert_eq!(run(&table, vec![both]), expected);
    }

    #[test]
    fn what_a_table_cannot_have_is_refused_by_its_field() {
        let all = LoraConfig::new(1).target_modules(["embed_tokens"]);
        for (config, field) in [(all.clone().use_dora(true), "use_dora"), (all.use_gating(true), "use_gating")] {
            let message = table(config).unwrap_err().to_string();
            assert!(message.starts_with(&format!("LORA: {field} is not supported at embed_tokens")), "{message}");
        }
        let plan = table(LoraConfig::new(2).target_modules(["embed_tokens"])).unwrap().2;
        let zeros =
            plan.targets().iter().flat_map(|t| &t.params).filter(|p| matches!(p.init, candle_nn::Init::Const(_)));
        assert_eq!(zeros.map(|p| p.name.as_ref()).collect::<Vec<_>>(), ["lora_embedding_A"]);
    }
}
