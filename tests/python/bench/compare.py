"""Runs training steps of HyperLoader and of PyTorch in turn, and prints the medians over the rounds of their ratios.

    python tests/python/bench/compare.py --command target/release/hyperloader --shape t5-small --dtype f32
    python tests/python/bench/compare.py --command target/release/hyperloader --shape t5-small --generating
    python tests/python/bench/compare.py --command target/release/hyperloader --device cuda

Every round starts all programs again, one after the other, so that one does not disturb the other. With `--device cuda` the sides are
PyTorch in eager mode and with `torch.compile`, labelling is measured next to the training step, and the defaults are the shape of
t5-base in bf16 with batches of 128. A ratio of times or of memory below 1 means that ours is smaller; a ratio of speeds above 1 means
that ours is faster.
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
SOURCE, TARGET = 48, 64


def run(command, threads):
    env = os.environ | {"RAYON_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr}")
    return json.loads(done.stdout)


def ours(args, config):
    command = [args.command, "bench", "--config", str(CONFIGS / config), "--dtype", args.dtype, "--json", "--device", args.device,
               "--steps", str(args.steps), "--warmup", str(args.warmup), "--set", f"train.batch_size={args.batch_size}",
               "--source-length", str(SOURCE), "--target-length", str(TARGET)]
    report = run(command + ["--set", f"eval.batch_size={args.batch_size}"], args.threads)
    return {"trainable": report["parameters"]["trainable"], "step_ms": report["parts"]["step"]["median_ms"],
            "peak_memory_bytes": report["peak_memory_bytes"], "parts": report["parts"], "device": report["device"],
            "device_memory_bytes": report["device_memory_bytes"],
            "sentences_per_second": report["labelling"]["sentences_per_second"]}


def torch(args, script, *more):
    command = [sys.executable, str(HERE / script), "--shape", args.shape, "--dtype", args.dtype,
               "--reference", args.reference, "--steps", str(args.steps), "--warmup", str(args.warmup), "--device", args.device,
               "--threads", str(args.threads), "--batch-size", str(args.batch_size),
               "--source-length", str(SOURCE), "--target-length", str(TARGET)]
    return run(command + list(more), args.threads)


def require_cuda():
    """Refuses to begin a comparison that PyTorch cannot take part in."""
    found = subprocess.run([sys.executable, "-c", "import torch; print(torch.__version__, torch.cuda.is_available())"],
                           capture_output=True, text=True)
    version, _, available = found.stdout.strip().partition(" ")
    if not version:
        sys.exit(f"--device cuda: PyTorch cannot be imported\n{found.stderr}")
    if available != "True":
        sys.exit(f"--device cuda: PyTorch {version} finds no CUDA device (torch.cuda.is_available() is False): nothing was measured")


def same_work(this, other):
    if this["trainable"] != other["trainable"]:
        sys.exit(f"unlike work: {this['trainable']} and {other['trainable']} trainable parameters")


def on_cpu(args):
    rounds = []
    for _ in range(args.rounds):
        this = ours(args, f"{args.shape}.toml")
        if args.generating:
            other = ours(args, f"{args.shape}-static.toml")
        else:
            other = torch(args, "torch_step.py", *(["--no-sdpa"] if args.no_sdpa else []))
            same_work(this, other)
        rounds.append((this, other))
        print(f"{this['step_ms']:.0f} ms, {other['step_ms']:.0f} ms", file=sys.stderr)
    ratio = lambda key: statistics.median(a[key] / b[key] for a, b in rounds)
    middle = lambda side, key: statistics.median(r[side][key] for r in rounds)
    return {
        "shape": args.shape, "dtype": args.dtype, "against": "static" if args.generating else "torch",
        "rounds": args.rounds, "threads": args.threads,
        "time_ratio": round(ratio("step_ms"), 3), "memory_ratio": round(ratio("peak_memory_bytes"), 3),
        "step_ms": [round(middle(side, "step_ms")) for side in (0, 1)],
        "peak_mib": [round(middle(side, "peak_memory_bytes") / 2**20) for side in (0, 1)],
        "parts_ms": {k: round(v["median_ms"], 1) for k, v in rounds[-1][0]["parts"].items()},
    }


def with_compile(args):
    """Training step and labelling next to PyTorch in eager mode and with `torch.compile`."""
    rounds = []
    for _ in range(args.rounds):
        this = ours(args, f"{args.shape}.toml")
        if args.device == "cuda" and this["device"] in ("cpu", "metal"):
            sys.exit(f"--device cuda: {args.command} has computed on {this['device']}")
        sides = {"ours": this}
        for name, more in (("eager", []), ("compile", ["--compile"])):
            step, label = torch(args, "torch_step.py", *more), torch(args, "torch_label.py", *more)
            same_work(this, step)
            sides[name] = step | {"sentences_per_second": label["sentences_per_second"]}
        rounds.append(sides)
        print(", ".join(f"{name} {side['step_ms']:.1f} ms, {side['sentences_per_second']:.1f} sentences/s"
                        for name, side in sides.items()), file=sys.stderr)
    has_memory = all(side["device_memory_bytes"] for sides in rounds for side in sides.values())
    middle = lambda name, key: statistics.median(sides[name][key] for sides in rounds)

    def against(name):
        ratio = lambda key: round(statistics.median(sides["ours"][key] / sides[name][key] for sides in rounds), 3)
        memory = {"memory_ratio": ratio("device_memory_bytes")} if has_memory else {}
        return {"step_time_ratio": ratio("step_ms"), "labelling_speed_ratio": ratio("sentences_per_second")} | memory

    names = ("ours", "eager", "compile")
    memory = {"device_mib": {name: round(middle(name, "device_memory_bytes") / 2**20) for name in names}} if has_memory else {}
    return {
        "shape": args.shape, "dtype": args.dtype, "batch_size": args.batch_size, "rounds": args.rounds, "device": rounds[-1]["ours"]["device"],
        "torch": rounds[-1]["eager"]["torch"], "eager": against("eager"), "compile": against("compile"),
        "step_ms": {name: round(middle(name, "step_ms"), 1) for name in names},
        "sentences_per_second": {name: round(middle(name, "sentences_per_second"), 1) for name in names},
        "parts_ms": {k: round(v["median_ms"], 1) for k, v in rounds[-1]["ours"]["parts"].items()},
    } | memory


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--command", default="hyperloader", help="the program to measure")
    parser.add_argument("--reference", default="../shared/reference/hyperloader_ref.py")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--shape", choices=["t5-small", "t5-base"], help="default: t5-small; on a GPU t5-base")
    parser.add_argument("--dtype", choices=["f32", "bf16"], help="default: f32; on a GPU bf16")
    parser.add_argument("--generating", action="store_true", help="against our own static weights instead of PyTorch, on the CPU")
    parser.add_argument("--no-sdpa", action="store_true", help="PyTorch's attention by softmax and matmul, on the CPU")
    parser.add_argument("--with-compile", action="store_true", help="on the CPU too: labelling, and torch.compile")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, help="default: 3; on a GPU 20")
    parser.add_argument("--warmup", type=int, help="default: 2; on a GPU 5")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch-size", type=int, help="default: 32; on a GPU 128")
    args = parser.parse_args()
    on_gpu = args.device == "cuda"
    if on_gpu and (args.generating or args.no_sdpa):
        sys.exit("--generating and --no-sdpa are for the CPU")
    for name, cpu, gpu in (("shape", "t5-small", "t5-base"), ("dtype", "f32", "bf16"), ("steps", 3, 20), ("warmup", 2, 5),
                           ("batch_size", 32, 128)):
        if getattr(args, name) is None:
            setattr(args, name, gpu if on_gpu else cpu)
    if on_gpu:
        require_cuda()
    print(json.dumps(with_compile(args) if on_gpu or args.with_compile else on_cpu(args)))


if __name__ == "__main__":
    main()
