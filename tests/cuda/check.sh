#!/usr/bin/env bash
# Checks the features `cuda` and `nccl` where no GPU and no CUDA toolkit is: type checks, lints, and the kernels by NVIDIA's compiler and assembler.
#
# It needs x86-64 Linux, Python 3 with pip, a C++ compiler, and the network on its first run.
set -euo pipefail
cd "$(dirname "$0")/../.."

toolkit="$(tests/cuda/toolkit.sh)"
export CUDA_HOME="$toolkit" CUDA_PATH="$toolkit" PATH="$toolkit/bin:$PATH"
# Runs on cards of this capability and all later ones.
export CUDA_COMPUTE_CAP="${CUDA_COMPUTE_CAP:-80}"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/hyperloader/target}"
export CARGO_TERM_COLOR=never CARGO_INCREMENTAL=0

# That the kernels compute what the CPU computes is a test of peft-kernels (src/dropout/source_tests.rs), which needs no toolkit.
for capability in 75 80 86 90 100 120; do
    for kernel in peft-core/kernels/cuda/*.cu; do
        nvcc -arch="sm_$capability" -std=c++17 -O3 --Werror all-warnings -cubin -o /dev/null "$kernel"
    done
done

# `nccl` includes `cuda`.
cargo clippy --release --locked -p hyperloader --features nccl --lib --bins -- -D warnings
