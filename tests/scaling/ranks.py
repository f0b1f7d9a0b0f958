"""Ranks on one machine: the same curves, the same bytes, a rank that is killed, a run that goes on with another number of ranks."""

import os
import pathlib
import signal
import subprocess
import tempfile
import time

from common import Checks, arguments, curves, mpirun, run, train_call, weights

STEPS = 50


def same_curves(args, work, checks):
    found = {}
    for ranks in (1, 2, 4):
        out = work / f"ranks-{ranks}"
        call = train_call(args, STEPS, 4 // ranks, out, **{"train.eval_steps": 1, "train.eval_sentences": 40})
        run(call if ranks == 1 else mpirun(ranks) + call)
        found[ranks] = curves(out)
        checks.check(len(found[ranks]) == STEPS, f"{ranks} ranks: {len(found[ranks])} steps")
    for ranks in (2, 4):
        most = {}
        for step, numbers in found[1].items():
            for key, value in numbers.items():
                most[key] = max(most.get(key, 0.0), abs(value - found[ranks][step][key]))
        shown = ", ".join(f"{key} {value:.2e}" for key, value in most.items())
        checks.check(all(value <= 1e-4 for value in most.values()), f"{ranks} ranks against 1, most difference of a step: {shown}")
        same = weights(work / "ranks-1") == weights(work / f"ranks-{ranks}")
        checks.check(same, f"{ranks} ranks of {4 // ranks} micro-batches end in the bytes of 1 rank of 4")


def same_bytes(args, work, checks):
    for name in ("first", "second"):
        run(mpirun(2) + train_call(args, 12, 1, work / name, **{"train.warmup_steps": 2}))
    checks.check(weights(work / "first") == weights(work / "second"), "2 ranks twice: the same bytes")


def children(process, name):
    """The processes called `name` that `process`, an mpirun, has started."""
    listed = subprocess.run(["ps", "-o", "pid=,comm=", "--ppid", str(process)], capture_output=True, text=True).stdout
    return [int(line.split()[0]) for line in listed.splitlines() if line.split()[1] == name[:15]]


def runs(process):
    """Whether the process has not ended. One that has may still be listed, as a zombie."""
    found = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True).stdout.strip()
    return bool(found) and not found.startswith("Z")


def killed(args, work, checks):
    out = work / "killed"
    call = train_call(args, 4000, 1, out, **{"train.eval_steps": 0})
    process = subprocess.Popen([str(part) for part in mpirun(2) + call], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not list(out.glob("checkpoints/step-*/manifest.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    ranks = children(process.pid, args.command.name)
    checks.check(len(ranks) == 2, f"two ranks run: {ranks}")
    start = time.monotonic()
    os.kill(ranks[-1], signal.SIGKILL)
    _, said = process.communicate(timeout=60)
    while any(runs(rank) for rank in ranks) and time.monotonic() < start + 20:
        time.sleep(0.02)
    seconds = time.monotonic() - start
    left = [rank for rank in ranks if runs(rank)]
    checks.check(seconds < 10 and process.returncode != 0 and not left, f"a killed rank ends all after {seconds:.2f} s, with code {process.returncode}")
    named = [line for line in said.splitlines() if "rank" in line]
    checks.check(bool(named), f"it says: {' '.join(named)[:200]}")
    steps = sorted(int(folder.name[5:]) for folder in out.glob("checkpoints/step-*") if folder.name[5:].isdigit())
    done = subprocess.run(
        [str(part) for part in train_call(args, max(steps[-1] + 5, 60), 2, out, **{"train.eval_steps": 0}) if part != "--quiet"] + ["--resume"],
        capture_output=True,
        text=True,
    )
    says = [line for line in done.stderr.splitlines() if "ranks have trained" in line]
    checks.check(done.returncode == 0 and bool(says), f"it goes on with one rank from step {steps[-1]}: {' '.join(says)}{'' if done.returncode == 0 else done.stderr}")


def main():
    args = arguments(__doc__, "quickstart")
    checks = Checks()
    with tempfile.TemporaryDirectory() as folder:
        work = args.work or pathlib.Path(folder)
        same_curves(args, work, checks)
        same_bytes(args, work, checks)
        killed(args, work, checks)
    checks.end()


main()
