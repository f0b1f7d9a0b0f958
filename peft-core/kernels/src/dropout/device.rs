//! Dropout on any device.

use candle_core::{Device, Result, Tensor};

use super::Dropper;
use super::cuda::OnDevice;
use crate::graph::Composed;
use crate::operation::Operation;
use crate::transfer;

/// The factors of the elements of `x`: each 0 or `1 / (1 - p)`. They are made on the host.
#[allow(clippy::disallowed_methods, reason = "transfers are counted; on the CPU there is none")]
pub(super) fn factors_on(dropper: &Dropper, x: &Tensor) -> Result<Tensor> {
    let factors = dropper.factors(x.elem_count());
    let factors = match x.device() {
        Device::Cpu => Tensor::from_vec(factors, x.shape(), &Device::Cpu)?,
        device => transfer::upload(factors, x.shape(), device)?,
    };
    factors.to_dtype(x.dtype())
}

/// `x` with every element dropped or scaled, without a gradient. Where the device has no kernel, the factors are made on the host.
pub(crate) fn dropped_on_device(dropper: &Dropper, x: &Tensor) -> Result<Tensor> {
    let x = x.detach();
    let on_cpu = x.device().is_cpu() && OnDevice::supports(x.dtype());
    if on_cpu || OnDevice::has_kernel(&x) {
        return x.contiguous()?.apply_op1_no_bwd(&OnDevice(*dropper));
    }
    &x * factors_on(dropper, &x)?
}

/// Dropout that keeps nothing: its backward pass draws again.
pub(super) struct OnAnyDevice(pub(super) Dropper);

impl Composed<1> for OnAnyDevice {
    const NAME: &'static str = <Dropper as Operation<1>>::NAME;

    fn forward(&self, [x]: [&Tensor; 1]) -> Result<Tensor> {
        dropped_on_device(&self.0, x)
    }

    fn backward(&self, _: [&Tensor; 1], wanted: [bool; 1], _y: &Tensor, g: &Tensor) -> Result<[Option<Tensor>; 1]> {
        let [wanted] = wanted;
        Ok([wanted.then(|| dropped_on_device(&self.0, g)).transpose()?])
    }
}
