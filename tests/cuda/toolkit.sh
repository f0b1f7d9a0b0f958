#!/usr/bin/env bash
# Makes a CUDA toolkit from packages of PyPI, for x86-64 Linux, and prints its folder. No GPU and no driver is needed.
#
#     toolkit.sh           what compiles kernels; enough for cargo check and cargo clippy
#     toolkit.sh --link    also the libraries that a program is linked to, and a libcuda.so for the linker
#
# The folder is in ${XDG_CACHE_HOME:-$HOME/.cache}/hyperloader/cuda. Its name depends on the pinned versions, and it appears when it is whole.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"

lists=("$here/requirements-check.txt")
case "${1:-}" in
    "") ;;
    --link) lists+=("$here/requirements-link.txt") ;;
    *) echo "usage: toolkit.sh [--link]" >&2 && exit 2 ;;
esac
cache="${XDG_CACHE_HOME:-$HOME/.cache}/hyperloader/cuda"
folder="$cache/$(cat "${lists[@]}" "$here/toolkit.sh" "$here/libcuda.sh" | sha256sum | cut -c1-16)"

if [ ! -d "$folder" ]; then
    mkdir -p "$cache"
    new="$(mktemp -d "$cache/new.XXXXXX")"
    trap 'rm -rf "$new"' EXIT
    # All in one call: pip skips packages whose folder another call has made.
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --no-cache-dir --no-deps --no-compile \
        --only-binary :all: --require-hashes --target "$new/packages" $(printf -- '-r %s ' "${lists[@]}") >&2
    toolkit="$new/packages/nvidia/cu13"
    ln -s lib "$toolkit/lib64"
    if [ "${1:-}" = --link ]; then
        cp -a "$new"/packages/nvidia/nccl/. "$toolkit/"
        rm -rf "$new/packages/nvidia/nccl"
        # The packages have the names that programs load; the linker looks for those without a version.
        for library in libcublas.so.13 libcublasLt.so.13 libcudart.so.13 libcurand.so.10 libnvrtc.so.13 libnccl.so.2; do
            ln -s "$library" "$toolkit/lib/${library%.so.*}.so"
        done
        # Apart from the others: a program must never load it where a driver is.
        mkdir "$toolkit/lib/stubs"
        "$here/libcuda.sh" "$toolkit/lib/stubs"
    fi
    mv -T "$new/packages" "$folder" 2> /dev/null || [ -d "$folder" ]
fi
echo "$folder/nvidia/cu13"
