//! `--device` and `--tf32`.

use candle_core::Device;

use super::args::Global;
use crate::Result;
use crate::model::Precision;
use crate::run::RunDir;
use crate::session::{allow_tf32, dtype_of, open_device};

impl Global {
    /// The device for a model whose frozen matrices are in `dtype`.
    pub(super) fn open(&self, dtype: Precision) -> Result<Device> {
        self.open_named(self.device.as_deref(), dtype)
    }

    /// As [`open`](Self::open), for the device called `name`.
    pub(super) fn open_named(&self, name: Option<&str>, dtype: Precision) -> Result<Device> {
        let device = open_device(name, dtype)?;
        if self.tf32 {
            allow_tf32(&device)?;
        }
        Ok(device)
    }

    /// The device for labelling with `run`.
    pub(super) fn open_for(&self, run: &RunDir) -> Result<Device> {
        self.open(dtype_of(run, self.dtype)?)
    }

    /// The device for labelling with all of `runs`. A run that cannot be read says so when it is loaded.
    #[cfg(feature = "serve")]
    pub(super) fn open_for_all(&self, runs: impl IntoIterator<Item = RunDir>) -> Result<Device> {
        let is_int8 = |run: &RunDir| dtype_of(run, self.dtype).is_ok_and(|dtype| dtype == Precision::Int8);
        let any = runs.into_iter().any(|run| is_int8(&run));
        self.open(if any { Precision::Int8 } else { Precision::default() })
    }
}
