//! Convolutions and resampling.

use super::case::{Case, take};

/// Candle's operations on signals and images. `candle_nn::Conv1d` and its like call them.
pub(super) const CASES: &[Case] = &[
    Case {
        name: "candle_core::Tensor::conv1d (one example)",
        shapes: &[&[1, 2, 6], &[3, 2, 3]],
        run: |arguments| take(arguments).and_then(|[x, kernel]| x.conv1d(kernel, 1, 1, 1, 1)),
    },
    Case {
        name: "candle_core::Tensor::conv1d (several examples)",
        shapes: &[&[2, 2, 6], &[3, 2, 3]],
        run: |arguments| take(arguments).and_then(|[x, kernel]| x.conv1d(kernel, 1, 1, 1, 1)),
    },
    Case {
        name: "candle_core::Tensor::conv1d (several examples, groups)",
        shapes: &[&[2, 4, 6], &[4, 1, 3]],
        run: |arguments| take(arguments).and_then(|[x, kernel]| x.conv1d(kernel, 2, 1, 1, 4)),
    },
    Case {
        name: "candle_core::Tensor::conv1d (one example, stride 2)",
        shapes: &[&[1, 2, 7], &[3, 2, 3]],
        run: |arguments| take(arguments).and_then(|[x, kernel]| x.conv1d(kernel, 1, 2, 1, 1)),
    },
    Case {
        name: "candle_core::Tensor::conv2d",
        shapes: &[&[2, 2, 4, 4], &[3, 2, 3, 3]],
        run: |arguments| take(arguments).and_then(|[x, kernel]| x.conv2d(kernel, 1, 1, 1, 1)),
    },
    Case {
        name: "candle_core::Tensor::conv2d (stride as large as the kernel)",
        shapes: &[&[2, 2, 4, 4], &[3, 2, 2, 2]],
        run: |arguments| take(arguments).and_then(|[x, kernel]| x.conv2d(kernel, 0, 2, 1, 1)),
    },
    Case {
        name: "candle_core::Tensor::conv_transpose1d",
        shapes: &[&[1, 2, 4], &[2, 3, 3]],
        run: |arguments| take(arguments).and_then(|[x, kernel]| x.conv_transpose1d(kernel, 0, 0, 1, 1, 1)),
    },
    Case {
        name: "candle_core::Tensor::conv_transpose2d",
        shapes: &[&[2, 2, 3, 3], &[2, 3, 2, 2]],
        run: |arguments| take(arguments).and_then(|[x, kernel]| x.conv_transpose2d(kernel, 0, 0, 1, 1)),
    },
    Case {
        name: "candle_core::Tensor::avg_pool2d",
        shapes: &[&[2, 2, 4, 4]],
        run: |arguments| take(arguments).and_then(|[x]| x.avg_pool2d(2)),
    },
    Case {
        name: "candle_core::Tensor::upsample_nearest2d",
        shapes: &[&[2, 2, 3, 3]],
        run: |arguments| take(arguments).and_then(|[x]| x.upsample_nearest2d(6, 6)),
    },
    Case {
        name: "candle_core::Tensor::upsample_nearest2d (of a tensor that is used elsewhere too)",
        shapes: &[&[2, 2, 3, 3]],
        run: |arguments| {
            let [x] = take(arguments)?;
            x.upsample_nearest2d(6, 6)?.flatten_from(2)?.mean_keepdim(2)?.broadcast_mul(&x.flatten_from(2)?)
        },
    },
    Case {
        name: "candle_nn::ops::pixel_shuffle",
        shapes: &[&[1, 4, 2, 2]],
        run: |arguments| take(arguments).and_then(|[x]| candle_nn::ops::pixel_shuffle(x, 2)),
    },
];
