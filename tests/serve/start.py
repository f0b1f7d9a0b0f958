"""Measures the start: the time from the start of the process to the first 200 of `/ready`, and to the first answer.

    python tests/serve/start.py --hyperloader target/release/hyperloader served/compiled/snips --dtype int8

The files of the model are in the page cache: one start before the measurement does not count. `/ready` is asked every two
milliseconds on one connection from when the server has told its address.
"""
import argparse
import json
import time
from pathlib import Path

from clients import Blocking, head, post
from common import Checks, Server, median, table


def start(args):
    """The seconds until the address, until ready, and until the first answer; the answer's status; the exit code."""
    with Server(args.hyperloader, [f"it={args.model}"], "--dtype", args.dtype, "--threads", args.threads) as server:
        told = time.perf_counter() - server.started
        with Blocking(server) as connection:
            while connection.ask(head("GET", "/ready")).status != 200:
                time.sleep(0.002)
            ready = time.perf_counter() - server.started
            task = json.loads(connection.ask(head("GET", "/v1/tasks")).body)["tasks"][0]["task"]
            answer = connection.ask(post("/v1/label", {"task": task, "text": args.text}))
            answered = time.perf_counter() - server.started
        return (told, ready, answered), answer.status, server.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a compiled folder (or a run)")
    parser.add_argument("--hyperloader", default="hyperloader", help="the command")
    parser.add_argument("--dtype", choices=["f32", "bf16", "int8"], default="int8")
    parser.add_argument("--starts", type=int, default=11)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--text", default="play some jazz by miles davis")
    parser.add_argument("--target", type=float, default=0.5, help="seconds until ready, median")
    args = parser.parse_args()
    checks = Checks()
    start(args)
    starts = [start(args) for _ in range(args.starts)]
    columns = list(zip(*(times for times, _, _ in starts)))
    ms = lambda values: [f"{1e3 * figure:.0f}" for figure in (min(values), median(values), max(values))]
    print(f"{args.starts} starts of {args.model}, {args.dtype}, {args.threads} threads; milliseconds from the start of the process\n")
    table([(name, *ms(column)) for name, column in zip(("address told", "ready", "first answer"), columns)],
          ("", "fastest", "median", "slowest"))
    checks.add(f"ready within {args.target:g} s (median)", median(columns[1]) <= args.target, f"{median(columns[1]):.3f} s")
    checks.add("the first request is answered with 200", all(status == 200 for _, status, _ in starts), len(starts))
    checks.add("every server ends with exit code 0", all(code == 0 for _, _, code in starts), len(starts))
    checks.end()


if __name__ == "__main__":
    main()
