#!/usr/bin/env bash
# Runs the tests of all unsafe code under AddressSanitizer: the kernels, and the files that T5 maps into memory. It works with a stable
# compiler, and compiles candle once more, into a folder of its own.
set -euo pipefail
cd "$(dirname "$0")/../.."

export RUSTC_BOOTSTRAP=1
export RUSTFLAGS="-Zsanitizer=address"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/hyperloader/sanitize}"
# rayon's threads live as long as the process, which is no leak.
export ASAN_OPTIONS="detect_leaks=0:${ASAN_OPTIONS:-}"

# With a target named, build scripts and macros are not sanitized.
host="$(rustc -vV | sed -n 's/^host: //p')"
cargo test --release --locked --target "$host" -p peft-kernels -p peft-files -p peft-t5 --lib "$@"
