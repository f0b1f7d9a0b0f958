#!/usr/bin/env python3
"""Writes the golden folders of `tests/goldens` with the plain-torch reference of HyperLoader.

    python make_goldens.py --reference hyperloader_ref.py --out ../goldens [--tables DIR] [--only NAME ...]

`--tables` names a folder with the tables of values (`TABLES`), which other programs made. They are copied.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import json
import sys
from pathlib import Path

import torch

import cases
import checks

SIZE_LIMIT = 5_500_000  # bytes, all folders and tables that this program writes together
TABLES = ("sbio", "sampler", "schedule", "seqeval", "tokenizer_t5")


def load_reference(path: Path):
    """Loads the reference program as a module, without writing a byte-code file next to it."""
    sys.dont_write_bytecode = True
    spec = importlib.util.spec_from_file_location("hyperloader_ref", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up by name
    spec.loader.exec_module(module)
    return module


def write_json(path: Path, data: dict):
    """Writes compact JSON with one line per top-level key, so that files are small and diffs are readable."""
    lines = [f"{json.dumps(key)}: {json.dumps(value, separators=(',', ':'))}" for key, value in data.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def emit(ref, case: cases.Case, out: Path) -> list[str]:
    """Writes one folder, and returns the faults that `checks` finds in it."""
    backbone, peft = ref.Backbone(**case.backbone), ref.Peft(**case.peft)
    faults = checks.generation_faults(ref, case, backbone, peft)
    faults += checks.gradient_faults(ref, case, backbone, peft)
    folder = out / case.name
    make_batches = ref.make_batches
    ref.make_batches = functools.partial(make_batches, **case.batch)
    try:
        ref.emit(str(folder), backbone, peft, case.seed, case.lr, case.max_length)
    finally:
        ref.make_batches = make_batches
    meta = json.loads((folder / "golden.json").read_text())
    write_json(folder / "golden.json", meta)
    if not case.authors_names:
        (folder / "weights_authors.safetensors").unlink()
    for file in folder.iterdir():
        file.chmod(0o644)  # safetensors writes files that only their owner may read
    return faults + checks.training_faults(folder, meta)


def copy_tables(source: Path, out: Path):
    """Copies the tables of values."""
    for name in TABLES:
        write_json(out / f"{name}.json", json.loads((source / f"{name}.json").read_text()))


def size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reference", type=Path, required=True, help="the reference program, hyperloader_ref.py")
    parser.add_argument("--out", type=Path, required=True, help="folder to write the golden folders into")
    parser.add_argument("--tables", type=Path, help="folder with the tables of values to copy")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="write these folders only")
    args = parser.parse_args()
    torch.set_num_threads(1)  # the order of float additions, and so the last bits, depend on it
    ref = load_reference(args.reference)
    every = cases.cases_of_modes(ref.GOLDENS) + cases.OTHER_SIZES
    unknown = set(args.only) - {case.name for case in every}
    if unknown:
        known = ", ".join(case.name for case in every)
        parser.error(f"--only: no such case: {', '.join(sorted(unknown))}; there are {known}")
    failed = False
    for case in every:
        if args.only and case.name not in args.only:
            continue
        faults = emit(ref, case, args.out)
        failed |= bool(faults)
        print(f"{case.name}: {size_of(args.out / case.name):,} bytes; {'; '.join(faults) or 'fair and telling'}")
    if args.tables:
        copy_tables(args.tables, args.out)
    folders = sum(size_of(args.out / case.name) for case in every)
    total = folders + sum((args.out / f"{name}.json").stat().st_size for name in TABLES)
    print(f"{total:,} bytes in all, of at most {SIZE_LIMIT:,}")
    sys.exit(failed or total > SIZE_LIMIT)


if __name__ == "__main__":
    main()
