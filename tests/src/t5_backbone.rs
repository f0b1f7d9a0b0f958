//! A small T5 of random weights as the conformance kit runs backbones.

use candle_core::{DType, Device, Tensor};
use peft_core::conformance::{ROWS, TestBackbone};
use peft_core::{ActiveAdapters, Ctx, Result, Sites, Stack, States};
use peft_t5::{T5, T5Config, Weights, preset};

/// A T5 of version 1.1 (gated, an output projection of its own), with a batch of sentences of different lengths.
#[derive(Debug)]
pub struct T5Backbone {
    t5: T5,
    ids: Tensor,
    mask: Tensor,
    decoder_ids: Tensor,
}

impl T5Backbone {
    /// Two blocks a stack, 16 features.
    ///
    /// # Panics
    /// Never: the shape is a valid one.
    pub fn new() -> Self {
        let shape = T5Config {
            vocab_size: 24,
            d_model: 16,
            d_kv: 6,
            num_heads: 2,
            d_ff: 20,
            num_layers: 2,
            num_decoder_layers: 2,
            dropout_rate: 0.,
            ..preset("google/t5-v1_1-small").expect("a built-in shape")
        };
        let ids = |rows: [[u32; 5]; ROWS]| Tensor::new(&rows, &Device::Cpu).expect("a tensor");
        Self {
            t5: T5::new(&shape, Weights::random(5).var_builder(DType::F32, &Device::Cpu)).expect("a T5"),
            ids: ids([[5, 9, 12, 7, 1], [8, 20, 1, 0, 0], [11, 6, 21, 1, 0]]),
            mask: ids([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 1, 1, 1, 0]]),
            decoder_ids: ids([[0, 17, 9, 2, 4], [0, 3, 1, 5, 6], [0, 8, 8, 1, 9]]),
        }
    }

    /// Source, mask and decoder's input of these rows of the batch.
    fn rows(&self, rows: &[usize]) -> Result<[Tensor; 3]> {
        let rows: Vec<u32> = rows.iter().map(|row| *row as u32).collect();
        let rows = Tensor::new(rows, &Device::Cpu)?;
        let pick = |t: &Tensor| t.index_select(&rows, 0);
        Ok([pick(&self.ids)?, pick(&self.mask)?, pick(&self.decoder_ids)?])
    }
}

impl Default for T5Backbone {
    fn default() -> Self {
        Self::new()
    }
}

fn ours(error: peft_t5::Error) -> peft_core::Error {
    match error {
        peft_t5::Error::Peft(error) => error,
        other => peft_core::Error::Mismatch(other.to_string()),
    }
}

impl TestBackbone for T5Backbone {
    fn sites(&self) -> &Sites {
        self.t5.sites()
    }

    fn run(&self, rows: &[usize], active: &ActiveAdapters<'_>, ctx: &mut Ctx) -> Result<Tensor> {
        let [ids, mask, decoder_ids] = self.rows(rows)?;
        let encoded = self.t5.encode(&ids, &mask, active, ctx).map_err(ours)?;
        let hidden = self.t5.decode(&decoder_ids, &encoded, active, ctx).map_err(ours)?;
        self.t5.logits(&hidden, active, ctx).map_err(ours)
    }

    fn states(&self, stack: &Stack, rows: &[usize], ctx: &mut Ctx) -> Result<States> {
        if *stack != Stack::ENCODER {
            return Err(peft_core::Error::Mismatch(format!("this T5 gives the output of its encoder, not of {stack}")));
        }
        let [ids, mask, _] = self.rows(rows)?;
        self.t5.encode(&ids, &mask, &ActiveAdapters::none(), ctx).and_then(|encoded| encoded.states()).map_err(ours)
    }

    fn merge(&self, active: &ActiveAdapters<'_>) -> Result<(Box<dyn TestBackbone>, usize)> {
        let t5 = self.t5.merge(active).map_err(ours)?;
        let (before, after) = (self.t5.tensors().unwrap(), t5.tensors().unwrap());
        let mut sites = 0;
        for (name, tensor) in &before {
            let changed = after.get(name).map(|merged| (merged - tensor)?.abs()?.max_all()?.to_scalar::<f32>());
            sites += usize::from(changed.transpose()?.is_some_and(|gap| gap > 0.));
        }
        let (ids, mask, decoder_ids) = (self.ids.clone(), self.mask.clone(), self.decoder_ids.clone());
        Ok((Box::new(Self { t5, ids, mask, decoder_ids }), sites))
    }
}
