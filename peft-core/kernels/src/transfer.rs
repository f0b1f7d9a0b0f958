//! The one place where values cross between the host and a device.
//!
//! A transfer makes the host wait for all work before it, so a training step or a step of decoding may have few of them, and a fixed number.
//! Calls are counted on every device, the CPU too, where nothing is copied: a test without a GPU then counts what a GPU would copy.

use std::sync::atomic::{AtomicU64, Ordering};

use candle_core::{Device, Result, Shape, Tensor, WithDType};

static UPLOADS: AtomicU64 = AtomicU64::new(0);
static UPLOADED: AtomicU64 = AtomicU64::new(0);
static DOWNLOADS: AtomicU64 = AtomicU64::new(0);
static DOWNLOADED: AtomicU64 = AtomicU64::new(0);

/// Transfers of this process, of all its threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transfers {
    /// Calls that brought values from the host to a device.
    pub uploads: u64,
    /// Their bytes.
    pub uploaded_bytes: u64,
    /// Calls that brought values from a device to the host.
    pub downloads: u64,
    /// Their bytes.
    pub downloaded_bytes: u64,
}

impl Transfers {
    /// Those since the process began.
    #[must_use]
    pub fn so_far() -> Self {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Self {
            uploads: of(&UPLOADS),
            uploaded_bytes: of(&UPLOADED),
            downloads: of(&DOWNLOADS),
            downloaded_bytes: of(&DOWNLOADED),
        }
    }

    /// Those since `earlier`.
    #[must_use]
    pub fn since(earlier: &Self) -> Self {
        let now = Self::so_far();
        Self {
            uploads: now.uploads - earlier.uploads,
            uploaded_bytes: now.uploaded_bytes - earlier.uploaded_bytes,
            downloads: now.downloads - earlier.downloads,
            downloaded_bytes: now.downloaded_bytes - earlier.downloaded_bytes,
        }
    }
}

fn count(calls: &AtomicU64, bytes: &AtomicU64, tensor: &Tensor) {
    calls.fetch_add(1, Ordering::Relaxed);
    bytes.fetch_add((tensor.elem_count() * tensor.dtype().size_in_bytes()) as u64, Ordering::Relaxed);
}

/// A tensor of `values` on `device`, in row-major order.
///
/// # Errors
///
/// If `shape` has another number of values.
pub fn upload<T: WithDType>(values: Vec<T>, shape: impl Into<Shape>, device: &Device) -> Result<Tensor> {
    let tensor = Tensor::from_vec(values, shape.into(), device)?;
    count(&UPLOADS, &UPLOADED, &tensor);
    Ok(tensor)
}

/// The values of `tensor`, in row-major order.
///
/// # Errors
///
/// If its type is not `T`.
pub fn download<T: WithDType>(tensor: &Tensor) -> Result<Vec<T>> {
    count(&DOWNLOADS, &DOWNLOADED, tensor);
    tensor.flatten_all()?.to_vec1()
}

/// The values of `tensor`, `[rows, columns]`, row by row.
///
/// # Errors
///
/// If it has another rank, or its type is not `T`.
pub fn download_rows<T: WithDType>(tensor: &Tensor) -> Result<Vec<Vec<T>>> {
    count(&DOWNLOADS, &DOWNLOADED, tensor);
    tensor.to_vec2()
}

/// The one value of `tensor`.
///
/// # Errors
///
/// If it has another rank than 0, or its type is not `T`.
pub fn download_scalar<T: WithDType>(tensor: &Tensor) -> Result<T> {
    count(&DOWNLOADS, &DOWNLOADED, tensor);
    tensor.to_scalar()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    // Other tests of this process transfer too: counts are at least these.
    #[test]
    fn calls_and_bytes_are_counted() {
        let before = Transfers::so_far();
        let tensor = upload(vec![1f32, 2., 3., 4.], (2, 2), &Device::Cpu).unwrap();
        assert_eq!(download::<f32>(&tensor).unwrap(), [1., 2., 3., 4.]);
        assert_eq!(download_rows::<f32>(&tensor).unwrap(), [[1., 2.], [3., 4.]]);
        assert_eq!(download_scalar::<f32>(&tensor.sum_all().unwrap()).unwrap(), 10.);
        let found = Transfers::since(&before);
        assert!(found.uploads >= 1 && found.uploaded_bytes >= 16, "{found:?}");
        assert!(found.downloads >= 3 && found.downloaded_bytes >= 36, "{found:?}");
    }

    #[test]
    fn wrong_shapes_and_types_are_errors() {
        assert!(upload(vec![1f32], 2, &Device::Cpu).is_err());
        let tensor = upload(vec![1f32], 1, &Device::Cpu).unwrap();
        assert!(download::<u32>(&tensor).is_err() && download_scalar::<f32>(&tensor).is_err());
    }
}
