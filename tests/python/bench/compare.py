"""Runs a training step of HyperLoader and one of PyTorch in turn, and prints the median over the rounds of their ratio.

    python tests/python/bench/compare.py --command target/release/hyperloader --shape t5-small --dtype f32
    python tests/python/bench/compare.py --command target/release/hyperloader --shape t5-small --generating

Every round starts both programs again, one after the other, so that the threads of one do not disturb the other.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
CONFIGS = HERE.parents[2] / "docs" / "configs" / "bench"


def run(command, threads):
    env = os.environ | {"RAYON_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
    return json.loads(subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout)


def ours(args, config):
    command = [args.command, "bench", "--config", str(CONFIGS / config), "--dtype", args.dtype, "--json",
               "--steps", str(args.steps), "--warmup", str(args.warmup), "--set", f"train.batch_size={args.batch_size}"]
    report = run(command, args.threads)
    return {"trainable": report["parameters"]["trainable"], "step_ms": report["parts"]["step"]["median_ms"],
            "peak_memory_bytes": report["peak_memory_bytes"], "parts": report["parts"]}


def torch(args):
    command = [sys.executable, str(HERE / "torch_step.py"), "--shape", args.shape, "--dtype", args.dtype,
               "--reference", args.reference, "--steps", str(args.steps), "--warmup", str(args.warmup),
               "--threads", str(args.threads), "--batch-size", str(args.batch_size)]
    return run(command + (["--no-sdpa"] if args.no_sdpa else []), args.threads)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--command", default="hyperloader", help="the program to measure")
    parser.add_argument("--reference", default="../shared/reference/hyperloader_ref.py")
    parser.add_argument("--shape", choices=["t5-small", "t5-base"], default="t5-small")
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--generating", action="store_true", help="against our own static weights instead of PyTorch")
    parser.add_argument("--no-sdpa", action="store_true", help="PyTorch's attention by softmax and matmul")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--warmup", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=32)
    args = parser.parse_args()
    rounds = []
    for _ in range(args.rounds):
        this = ours(args, f"{args.shape}.toml")
        other = ours(args, f"{args.shape}-static.toml") if args.generating else torch(args)
        if not args.generating and this["trainable"] != other["trainable"]:
            sys.exit(f"unlike work: {this['trainable']} and {other['trainable']} trainable parameters")
        rounds.append((this, other))
        print(f"{this['step_ms']:.0f} ms, {other['step_ms']:.0f} ms", file=sys.stderr)
    ratio = lambda key: statistics.median(a[key] / b[key] for a, b in rounds)
    middle = lambda side, key: statistics.median(r[side][key] for r in rounds)
    print(json.dumps({
        "shape": args.shape, "dtype": args.dtype, "against": "static" if args.generating else "torch",
        "rounds": args.rounds, "threads": args.threads,
        "time_ratio": round(ratio("step_ms"), 3), "memory_ratio": round(ratio("peak_memory_bytes"), 3),
        "step_ms": [round(middle(side, "step_ms")) for side in (0, 1)],
        "peak_mib": [round(middle(side, "peak_memory_bytes") / 2**20) for side in (0, 1)],
        "parts_ms": {k: round(v["median_ms"], 1) for k, v in rounds[-1][0]["parts"].items()},
    }))


if __name__ == "__main__":
    main()
