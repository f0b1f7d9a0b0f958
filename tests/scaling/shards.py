"""Labelling in 16 shards by 4 processes, of which one is killed and started again."""

import os
import pathlib
import signal
import subprocess
import tempfile
import time

from common import Checks, arguments, run, text

SHARDS = 16


def kill_one(folder, index):
    """Waits until a process writes the part `index`, and kills it."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for half in folder.glob(f"part-{index:05}-of-*.tmp-*"):
            process = int(half.name.rsplit(".tmp-", 1)[1].split("-")[0])
            os.kill(process, signal.SIGKILL)
            return process
        time.sleep(0.002)
    return None


def main():
    args = arguments(__doc__, "quickstart")
    checks = Checks()
    with tempfile.TemporaryDirectory() as folder:
        work = args.work or pathlib.Path(folder)
        (work / "in.txt").write_bytes(text(args.quickstart, 20_000).encode())
        predict = [args.command, "predict", args.quickstart / "run", "--task", "home", work / "in.txt", "--format", "jsonl"]
        call = [str(part) for part in predict + ["--out", work / "out", "--threads", "1", "--shard"]]
        parallel = ["parallel", "--halt", "never", "-j4", *call, f"{{}}/{SHARDS}", ":::", *map(str, range(SHARDS))]
        process = subprocess.Popen(parallel, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        killed = kill_one(work / "out", 6)
        process.communicate()
        checks.check(killed is not None and process.returncode != 0, f"process {killed} was killed, and parallel ends with {process.returncode}")
        parts = sorted(path.name for path in (work / "out").glob("part-?????-of-?????.jsonl"))
        checks.check(len(parts) == SHARDS - 1 and not (work / "out/manifest.json").exists(), f"{len(parts)} parts, and no manifest")
        start = time.monotonic()
        said = run(parallel)
        checks.check(said.count("finished before") == SHARDS - 1, f"the second run does the one that is left: {time.monotonic() - start:.1f} s")
        checks.check((work / "out/manifest.json").exists(), "the manifest is there")
        joined = b"".join(path.read_bytes() for path in sorted((work / "out").glob("part-*")))
        whole = run(predict).encode()
        checks.check(joined == whole, f"the union has the {len(whole)} bytes of one process")
        left = [path.name for path in (work / "out").iterdir() if "tmp" in path.name]
        checks.check(not left, f"nothing is left of the killed process: {left}")
    checks.end()


main()
