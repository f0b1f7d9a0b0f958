"""Measures what a request takes in addition to the labelling: one client, one sentence at a time.

    python tests/serve/latency.py --hyperloader target/release/hyperloader served/run --dtype int8

The same sentence goes to the server and, in turn, to a `predict` that reads from a pipe and answers line by line. Both have the
model loaded and use the same threads. The time of `predict` is taken as that of the labelling, although it too reads JSON and
writes JSON. What is reported is the median of the differences, sentence by sentence. The answers are compared.
"""
import argparse
import json
import os
import subprocess
import time
from pathlib import Path

from clients import Blocking, post
from common import Checks, Server, ended, median, quantile, table
from texts import Predict, sentences


class Pipe:
    """A running `predict` that is asked line by line."""

    def __init__(self, predict, task):
        call = predict.call(task, "--format", "jsonl", "--input-format", "jsonl", "-")
        self.child = subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)

    def ask(self, line):
        os.write(self.child.stdin.fileno(), line)
        answer = b""
        while not answer.endswith(b"\n"):
            more = os.read(self.child.stdout.fileno(), 1 << 18)
            if not more:
                raise ConnectionError("predict has ended")
            answer += more
        return answer[:-1]

    def close(self):
        self.child.stdin.close()
        self.child.wait()
        self.child.stdout.close()


def timed(work):
    started = time.perf_counter()
    result = work()
    return 1e3 * (time.perf_counter() - started), result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a run or a compiled folder")
    parser.add_argument("--hyperloader", default="hyperloader", help="the command")
    parser.add_argument("--task", help="default: the first one")
    parser.add_argument("--texts", type=Path, help="the folder with TASK.txt; default: the folder of the model's folder")
    parser.add_argument("--dtype", choices=["f32", "bf16", "int8"], default="int8")
    parser.add_argument("--sentences", type=int, default=200)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--target", type=float, default=5.0, help="milliseconds above the labelling")
    args = parser.parse_args()
    checks, options = Checks(), ["--dtype", args.dtype, "--threads", args.threads]
    with Server(args.hyperloader, [f"it={args.model}"], *options) as server:
        server.wait_ready()
        task = args.task or json.loads(server.get("/v1/tasks").body)["tasks"][0]["task"]
        own = sentences(args.texts or args.model.parent, [task], args.sentences)[task]
        pipe = Pipe(Predict(args.hyperloader, args.model, *options), task)
        above, asked, labelled, different = [], [], [], 0
        with Blocking(server) as connection:
            # The first rounds, which generate weights and warm up, do not count.
            for number, text in enumerate([*own[:5], *own]):
                request, line = post("/v1/label", {"task": task, "text": text}), (json.dumps({"text": text}) + "\n").encode()
                sides = [lambda: timed(lambda: connection.ask(request)), lambda: timed(lambda: pipe.ask(line))]
                # Each side goes first half of the time.
                results = [sides[0](), sides[1]()] if number % 2 else [sides[1](), sides[0]()][::-1]
                (ours, answer), (theirs, expected) = results
                different += answer.status != 200 or not answer.body.endswith(b'"results":[' + expected + b"]}")
                if number >= min(5, len(own)):
                    above.append(ours - theirs)
                    asked.append(ours)
                    labelled.append(theirs)
        pipe.close()
        ms = lambda values: [f"{quantile(values, part):.2f}" for part in (0.1, 0.5, 0.9, 0.99)]
        print(f"{len(own)} sentences of {task}, one at a time, {args.dtype}, {args.threads} threads; milliseconds\n")
        table([("request to the server", *ms(asked)), ("the same sentence by predict", *ms(labelled)),
               ("difference", *ms(above))], ("", "p10", "median", "p90", "p99"))
        checks.add("the answers are equal", different == 0, f"{different} of {len(own) + 5} differ")
        checks.add(f"the median request is at most {args.target:g} ms above", median(above) <= args.target,
                   f"{median(above):.2f} ms")
        ended(checks, server)
    checks.end()


if __name__ == "__main__":
    main()
