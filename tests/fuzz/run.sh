#!/usr/bin/env bash
# Runs fuzz targets, one after the other, on one core, and prints how many inputs each has run.
#
#     tests/fuzz/run.sh [seconds for each] [target ...]
#
# Without names it runs all targets; TABLES=0 leaves out those that need polars, which takes long to compile. It needs cargo-fuzz and works
# with a stable compiler. A finding ends the run with status 1; the input is in $CARGO_TARGET_DIR/artifacts, and
#
#     tests/fuzz/run.sh 0 TARGET FILE
#
# runs that input alone. Limits: tests/fuzz/src/limits.rs has a second of processor time and 64 MB + 4 × input for each input; the limits
# below are for what that cannot see.
set -euo pipefail
cd "$(dirname "$0")"

export RUSTC_BOOTSTRAP=1
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/hyperloader/fuzz}"
SECONDS_EACH="${1:-60}"
shift || true

build=(--fuzz-dir . --sanitizer "${SANITIZER:-none}")
limits=(-timeout=20 -rss_limit_mb=2048 -malloc_limit_mb=1024 -max_len=16384)

# The targets, and whether one needs polars.
targets() {
    sed -n 's/^name = "\([a-z_]*\)"$/\1/p' Cargo.toml
}
needs_tables() {
    grep -A6 "^name = \"$1\"$" Cargo.toml | grep -q '^required-features = \["tables"\]$'
}

if [ "$SECONDS_EACH" = 0 ]; then
    target="$1"
    features=()
    if needs_tables "$target"; then features=(--features tables); fi
    exec cargo fuzz run "${build[@]}" "${features[@]}" "$target" "$2" -- "${limits[@]}"
fi

if [ $# = 0 ]; then
    mapfile -t names < <(targets)
else
    names=("$@")
fi

mkdir -p "$CARGO_TARGET_DIR/artifacts"
failed=0
for target in "${names[@]}"; do
    features=()
    if needs_tables "$target"; then
        if [ "${TABLES:-1}" = 0 ]; then continue; fi
        features=(--features tables)
    fi
    corpus="$CARGO_TARGET_DIR/corpus/$target"
    seeds="seeds/$target"
    mkdir -p "$corpus" "$seeds"
    dictionary=()
    if [ -f "dictionaries/$target.dict" ]; then dictionary=("-dict=dictionaries/$target.dict"); fi
    log="$CARGO_TARGET_DIR/artifacts/$target.log"
    if cargo fuzz run "${build[@]}" "${features[@]}" "$target" "$corpus" "$seeds" -- "${limits[@]}" "${dictionary[@]}" \
        "-artifact_prefix=$CARGO_TARGET_DIR/artifacts/$target-" "-max_total_time=$SECONDS_EACH" -print_final_stats=1 > "$log" 2>&1; then
        executions="$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")"
        memory="$(sed -n 's/^stat::peak_rss_mb: *//p' "$log")"
        printf '%-20s %10s executions, %5s MB, no finding\n' "$target" "$executions" "$memory"
    else
        printf '%-20s FAILED, see %s\n' "$target" "$log"
        tail -n 30 "$log"
        failed=1
    fi
done
exit "$failed"
