"""Measures the peak memory of `hyperloader predict` on files with increasing numbers of sentences.

    python tests/python/bench/memory.py --command target/release/hyperloader --run runs/quickstart --task music \\
        --text sentences.txt --sentences 2000 1000000

`--text` has one sentence per line. The sentences are repeated as often as needed.
"""
import argparse
import itertools
import json
import tempfile
from pathlib import Path

from sides import Ours, seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--command", default="hyperloader")
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--task", required=True)
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--sentences", type=int, nargs="+", default=[2_000, 40_000])
    parser.add_argument("--dtype", choices=["f32", "bf16", "int8"], default="f32")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    ours = Ours(args.command, args.run, args.task, args.dtype, args.threads)
    lines = args.text.read_text().splitlines(keepends=True)
    report = []
    with tempfile.TemporaryDirectory() as folder:
        for count in args.sentences:
            path = Path(folder) / f"{count}.txt"
            with path.open("w") as out:
                out.writelines(itertools.islice(itertools.cycle(lines), count))
            peak = []
            took = seconds(lambda: peak.append(ours.file(path)))
            report.append({"sentences": count, "peak_mib": round(peak[0] / 2**20, 1), "seconds": round(took, 1)})
            print(json.dumps(report[-1]), flush=True)


if __name__ == "__main__":
    main()
