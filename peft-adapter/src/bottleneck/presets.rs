//! AdapterHub's named shapes.

use super::BottleneckConfig;
use crate::NonLinearity;

impl BottleneckConfig {
    /// AdapterHub's `double_seq_bn`: adapters after self-attention and feed-forward, `h + y + P(y)`, `swish`, 16 times
    /// narrower, without layer norms (Houlsby et al. 2019, arXiv 1902.00751).
    ///
    /// ```
    /// use peft_adapter::BottleneckConfig;
    ///
    /// let config = BottleneckConfig::double_seq_bn().reduction_factor(4.);
    /// assert!(config.mh_adapter && config.output_adapter && !config.ln_after);
    /// ```
    pub fn double_seq_bn() -> Self {
        Self { reduction_factor: 16., non_linearity: NonLinearity::Swish, ln_after: false, ..Self::default() }
    }

    /// AdapterHub's `seq_bn`: adapters only after feed-forward, which read the sum with the residual stream,
    /// `h + y + P(h + y)`, `relu`, 16 times narrower (Pfeiffer et al. 2021, arXiv 2005.00247).
    pub fn seq_bn() -> Self {
        Self { mh_adapter: false, original_ln_before: true, non_linearity: NonLinearity::Relu, ..Self::double_seq_bn() }
    }

    /// AdapterHub's `par_bn`: adapters parallel to feed-forward, `h + y + 4 P(h)`, `relu`, 2 times narrower (He et al. 2022,
    /// arXiv 2110.04366).
    pub fn par_bn() -> Self {
        Self {
            reduction_factor: 2.,
            non_linearity: NonLinearity::Relu,
            mh_adapter: false,
            is_parallel: true,
            scaling: 4.,
            ..Self::double_seq_bn()
        }
    }

    /// [`double_seq_bn`](Self::double_seq_bn), by the name of its first author.
    pub fn houlsby() -> Self {
        Self::double_seq_bn()
    }

    /// [`seq_bn`](Self::seq_bn), by the name of its first author.
    pub fn pfeiffer() -> Self {
        Self::seq_bn()
    }
}
