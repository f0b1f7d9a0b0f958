#!/usr/bin/env bash
# Makes a libcuda.so for linkers, in a folder, where no driver is: the names that cudarc uses. Every function says that there is no GPU.
#
#     libcuda.sh FOLDER
set -euo pipefail
folder="$1"
manifest="$(cd "$(dirname "$0")/../.." && pwd)/hyperloader/Cargo.toml"

crate="$(cargo metadata --format-version 1 --manifest-path "$manifest" --locked --features cuda --filter-platform x86_64-unknown-linux-gnu |
    python3 -c 'import json, os, sys
packages = json.load(sys.stdin)["packages"]
print(*{os.path.dirname(p["manifest_path"]) for p in packages if p["name"] == "cudarc"})')"
# 100 is CUDA_ERROR_NO_DEVICE.
grep -oh 'fn cu[A-Z][A-Za-z0-9_]*' "$crate"/src/driver/sys/*.rs | cut -c4- | sort -u | sed 's/.*/int &(void) { return 100; }/' > "$folder/libcuda.c"
test -s "$folder/libcuda.c"
cc -shared -fPIC -Wl,-soname,libcuda.so.1 -o "$folder/libcuda.so.1" "$folder/libcuda.c"
ln -sf libcuda.so.1 "$folder/libcuda.so"
rm "$folder/libcuda.c"
