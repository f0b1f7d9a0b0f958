//! Devices by name.

use candle_core::Device;
use tracing::warn;

use crate::model::Precision;
use crate::{Error, Result};

/// The device called `name`, for a model whose frozen matrices are in `dtype`: `cpu`, `cuda`, `cuda:N` or `metal`.
///
/// Without a name it is the first GPU, if this program was built for GPUs, one can be opened, and it has kernels for `dtype`. Otherwise it
/// is the CPU; a warning says why, unless the program was built for the CPU only.
///
/// A CUDA device has one stream, which all threads share: results of one thread may be read by another.
///
/// # Errors
/// [`Error::Config`] if the name is unknown, this program was built without that kind of device, or the device has no kernels for `dtype`;
/// [`Error::Device`] if the device cannot be opened.
pub fn open_device(name: Option<&str>, dtype: Precision) -> Result<Device> {
    let machine = Machine {
        cpu: Device::Cpu,
        cuda: cfg!(feature = "cuda").then_some(peft_kernels::cuda_device as Open<Device>),
        metal: cfg!(feature = "metal").then_some(Device::new_metal as Open<Device>),
    };
    match name {
        Some(name) => named(name, dtype, &machine),
        None => {
            let (device, remark) = default(dtype, machine);
            if let Some(remark) = remark {
                warn!("{remark}");
            }
            Ok(device)
        }
    }
}

/// Lets a CUDA device multiply `f32` matrices in TF32: with the range of `f32`, and factors rounded to 11 bits. It holds for the whole
/// process.
///
/// # Errors
/// [`Error::Config`] if `device` is not a CUDA device.
pub fn allow_tf32(device: &Device) -> Result<()> {
    if !device.is_cuda() {
        return Err(Error::Config("--tf32: only NVIDIA GPUs compute in TF32, and no GPU is used; leave it out".into()));
    }
    candle_core::cuda::set_gemm_reduced_precision_f32(true);
    Ok(())
}

/// Opens the device with this number.
type Open<D> = fn(usize) -> candle_core::Result<D>;

/// What can be opened; `None` is a kind that this program was not built for.
struct Machine<D> {
    cpu: D,
    cuda: Option<Open<D>>,
    metal: Option<Open<D>>,
}

/// The device called `name`.
fn named<D: Clone>(name: &str, dtype: Precision, machine: &Machine<D>) -> Result<D> {
    let wrong = |reason: &str| Error::Config(format!("--device {name}: {reason}"));
    let (kind, number) = match name.split_once(':') {
        Some((kind, number)) => {
            let parsed = number.parse().map_err(|_| wrong(&format!("{number:?} is not a number")))?;
            (kind, parsed)
        }
        None => (name, 0),
    };
    let (open, feature) = match kind {
        "cpu" => return Ok(machine.cpu.clone()),
        "cuda" => (machine.cuda, "cuda"),
        "metal" => (machine.metal, "metal"),
        _ => return Err(wrong("expected cpu, cuda, cuda:N or metal")),
    };
    if dtype == Precision::Int8 {
        return Err(wrong("int8 runs on the CPU only; give --device cpu, or --dtype f32 or bf16"));
    }
    let Some(open) = open else {
        return Err(wrong(&format!(
            "this program was built without it; build it with --features {feature} (docs/gpu.md), or give --device cpu"
        )));
    };
    open(number).map_err(|e| {
        let advice = match feature {
            "cuda" => "see whether nvidia-smi lists it, and whether its driver knows the CUDA version of this build",
            _ => "see whether the system has it",
        };
        Error::Device { name: name.to_owned(), reason: format!("{}; {advice}; or give --device cpu", plain(&e)) }
    })
}

/// The first GPU that can be used, or the CPU; and what a user should know about the choice.
fn default<D>(dtype: Precision, machine: Machine<D>) -> (D, Option<String>) {
    let kinds: Vec<_> = [("CUDA", machine.cuda), ("Metal", machine.metal)]
        .into_iter()
        .filter_map(|(name, open)| Some((name, open?)))
        .collect();
    if kinds.is_empty() {
        return (machine.cpu, None);
    }
    if dtype == Precision::Int8 {
        let remark = "the CPU computes, because int8 runs there only; --dtype bf16 or f32 uses the GPU";
        return (machine.cpu, Some(remark.to_owned()));
    }
    let mut reasons = Vec::new();
    for (name, open) in kinds {
        match open(0) {
            Ok(device) => return (device, None),
            Err(e) => reasons.push(format!("{name}: {}", plain(&e))),
        }
    }
    let reasons = reasons.join("; ");
    (
        machine.cpu,
        Some(format!(
            "the CPU computes, because no GPU can be used ({reasons}); --device cpu chooses it without asking"
        )),
    )
}

/// What went wrong, without the places in code that candle adds.
fn plain(error: &candle_core::Error) -> String {
    match error {
        candle_core::Error::WithBacktrace { inner, .. } => plain(inner),
        error => error.to_string(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use Precision::{Bf16, F32, Int8};

    fn works(number: usize) -> candle_core::Result<String> {
        Ok(format!("GPU {number}"))
    }

    fn fails(_number: usize) -> candle_core::Result<String> {
        Err(candle_core::Error::Msg("no CUDA-capable device is detected".into()).bt())
    }

    fn machine(cuda: Option<Open<String>>, metal: Option<Open<String>>) -> Machine<String> {
        Machine { cpu: "CPU".to_owned(), cuda, metal }
    }

    /// The message of the error, and whether the call is wrong.
    fn error(name: &str, dtype: Precision, machine: &Machine<String>) -> (String, bool) {
        let error = named(name, dtype, machine).unwrap_err();
        (error.to_string(), matches!(error, Error::Config(_)))
    }

    #[test]
    fn names_and_numbers_choose_a_device() {
        let all = machine(Some(works), Some(works));
        for (name, expected) in [("cpu", "CPU"), ("cuda", "GPU 0"), ("cuda:3", "GPU 3"), ("metal", "GPU 0")] {
            assert_eq!(named(name, Bf16, &all).unwrap(), expected);
        }
        assert_eq!(named("cpu", Int8, &all).unwrap(), "CPU");
    }

    #[test]
    fn a_wrong_name_or_number_is_a_wrong_call() {
        let all = machine(Some(works), Some(works));
        let wrong = |text: &str| (text.to_owned(), true);
        assert_eq!(error("tpu", F32, &all), wrong("--device tpu: expected cpu, cuda, cuda:N or metal"));
        assert_eq!(error("cuda:x", F32, &all), wrong("--device cuda:x: \"x\" is not a number"));
        assert_eq!(error("cuda:", F32, &all), wrong("--device cuda:: \"\" is not a number"));
    }

    #[test]
    fn a_kind_that_was_not_built_in_is_a_wrong_call_with_its_feature() {
        for kind in ["cuda", "metal"] {
            let (message, is_call) = error(kind, F32, &machine(None, None));
            assert!(is_call && message.contains(&format!("--features {kind}")), "{message}");
        }
    }

    #[test]
    fn a_named_gpu_that_cannot_be_opened_fails_with_the_reason_and_what_to_do() {
        let (message, is_call) = error("cuda:1", F32, &machine(Some(fails), None));
        assert!(!is_call, "the work failed: exit code 1");
        assert!(message.starts_with("--device cuda:1: no CUDA-capable device is detected; "), "{message}");
        assert!(message.contains("nvidia-smi") && message.ends_with("or give --device cpu"), "{message}");
    }

    #[test]
    fn int8_on_a_named_gpu_is_refused_before_the_gpu_is_opened() {
        let (message, is_call) = error("cuda", Int8, &machine(Some(fails), None));
        assert!(is_call && message.contains("int8 runs on the CPU only"), "{message}");
    }

    #[test]
    fn without_a_name_the_first_gpu_that_works_is_chosen() {
        assert_eq!(default(F32, machine(Some(works), None)), ("GPU 0".to_owned(), None));
        assert_eq!(default(F32, machine(None, Some(works))), ("GPU 0".to_owned(), None));
        assert_eq!(default(F32, machine(Some(fails), Some(works))), ("GPU 0".to_owned(), None));
        assert_eq!(default(Int8, machine(None, None)), ("CPU".to_owned(), None));
    }

    #[test]
    fn without_a_gpu_the_cpu_computes_and_a_remark_says_why() {
        let (device, remark) = default(F32, machine(Some(fails), Some(fails)));
        let remark = remark.unwrap();
        assert_eq!(device, "CPU");
        assert!(remark.contains("no GPU can be used (CUDA: no CUDA-capable device is detected; Metal: "), "{remark}");
        assert!(remark.contains("--device cpu"), "{remark}");
    }

    #[test]
    fn int8_without_a_name_takes_the_cpu_and_says_so() {
        let (device, remark) = default(Int8, machine(Some(works), None));
        assert_eq!(device, "CPU");
        assert!(remark.unwrap().contains("int8"));
    }

    #[test]
    fn tf32_is_refused_where_no_gpu_is_used() {
        let message = allow_tf32(&Device::Cpu).unwrap_err().to_string();
        assert!(message.starts_with("--tf32: "), "{message}");
    }
}
