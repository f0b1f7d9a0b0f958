"""Measures sentences a second: the server with 32 clients, `predict` on the same sentences, and a FastAPI server.

    python tests/serve/throughput.py --hyperloader target/release/hyperloader served --dtype int8

The folder is made by `model.py`. All three run in turn in every round; the figures are medians of rounds and of the rounds' ratios.

- **The server**: the run with its three tasks. 32 clients on connections that stay open send one sentence each and wait for its answer;
  sentences of the three tasks take turns.
- **`predict`**: the same sentences, one file for each task, one after the other, same type and threads. Its loading, measured with a file
  of one sentence in every round, is subtracted (the median of the rounds); the figure with loading is shown too. Its lines are compared with the server's answers.
- **FastAPI** (`peer.py`): the first sentences of the same list, from the same 32 clients. It writes as many tokens as our answer has.

The clients share the cores with the servers: the processor time of clients and server is shown.
"""
import argparse
import asyncio
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from clients import Blocking, Client, head, post
from common import Checks, Server, ended, median, table
from texts import Predict, sentences


def simplified(tag):
    """The tag as the model writes it: `B-city` is `city`, `I-city` is `I`."""
    return "I" if tag.startswith("I-") else tag.split("-", 1)[-1]


def lengths(folder, answers):
    """The tokens that our side wrote for each answer, with `</s>`."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    end = tokenizer.token_to_id("</s>")
    counts = []
    for answer in answers:
        tags = [simplified(tag) for tag in json.loads(answer)["tags"]]
        ids = tokenizer.encode(" ".join(f"<extra_id_{i}> {tag}" for i, tag in enumerate(tags)) + f" <extra_id_{len(tags)}>").ids
        counts.append(len(ids) + (ids[-1:] != [end]))
    return counts


class Peer:
    """The FastAPI server in a process of its own."""

    def __init__(self, model, args):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.host, self.port = free.getsockname()
        call = [sys.executable, Path(__file__).with_name("peer.py"), model, "--port", self.port, "--threads", args.threads,
                "--dtype", args.peer_dtype]
        env = os.environ | {"OMP_NUM_THREADS": str(args.threads), "TOKENIZERS_PARALLELISM": "false"}
        self.child = subprocess.Popen([*map(str, call)], env=env)
        started = time.perf_counter()
        while not self.is_ready():
            if self.child.poll() is not None or time.perf_counter() - started > 300:
                sys.exit("the FastAPI server does not start")
            time.sleep(0.2)

    def is_ready(self):
        try:
            with Blocking(self) as connection:
                return connection.ask(head("GET", "/ready")).status == 200
        except OSError:
            return False

    def close(self):
        self.child.terminate()
        self.child.wait()


async def ask_all(server, requests, clients):
    """Sends all requests from so many clients; returns the answers and the seconds from the first to the last."""
    answers, waiting = [None] * len(requests), iter(enumerate(requests))
    connections = [Client(server) for _ in range(clients)]
    for connection in connections:
        await connection.connect()

    async def client(connection):
        for number, request in waiting:
            answers[number] = await connection.ask(request)

    started = time.perf_counter()
    await asyncio.gather(*(client(connection) for connection in connections))
    seconds = time.perf_counter() - started
    for connection in connections:
        connection.close()
    return answers, seconds


def labelled(predict, folder, texts):
    """The seconds of `predict` for one sentence of each task and for all of them, summed over tasks, and the processor time of
    all without that of one."""
    one = total = used = 0.0
    for task, own in texts.items():
        times, processor = [], []
        for name, part in (("one", own[:1]), ("all", own)):
            (folder / name).write_text("".join(text + "\n" for text in part))
            with (folder / "lines").open("wb") as lines:
                started, cpu = time.perf_counter(), children()
                subprocess.run(predict.call(task, "--format", "jsonl", folder / name), stdout=lines, check=True)
                times.append(time.perf_counter() - started)
                processor.append(children() - cpu)
        one, total, used = one + times[0], total + times[1], used + processor[1] - processor[0]
    return one, total, used


def children():
    """The processor time of all child processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def in_turn(texts):
    """The sentences of all tasks: one of each, then the next of each."""
    return [(task, own[number]) for number in range(max(map(len, texts.values())))
            for task, own in texts.items() if number < len(own)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the folder that model.py made")
    parser.add_argument("--hyperloader", default="hyperloader", help="the command")
    parser.add_argument("--dtype", choices=["f32", "bf16", "int8"], default="int8")
    parser.add_argument("--sentences", type=int, default=400, help="of each task")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, help="of the server; default: its own")
    parser.add_argument("--batch-texts", type=int, help="of the server; default: its own")
    parser.add_argument("--peer-sentences", type=int, default=192, help="for the FastAPI server; 0 leaves it out")
    parser.add_argument("--peer-dtype", choices=["f32", "int8"], default="f32")
    parser.add_argument("--of-predict", type=float, default=0.9, help="the least ratio to predict")
    parser.add_argument("--of-peer", type=float, default=8, help="the least ratio to the FastAPI server")
    args = parser.parse_args()
    checks, run = Checks(), args.folder / "run"
    options = ["--dtype", args.dtype, "--threads", args.threads]
    serve = [*options, *(["--workers", args.workers] if args.workers else []),
             *(["--batch-texts", args.batch_texts] if args.batch_texts else [])]
    with Server(args.hyperloader, [f"it={run}"], *serve) as server, tempfile.TemporaryDirectory() as scratch:
        server.wait_ready()
        tasks = [task["task"] for task in json.loads(server.get("/v1/tasks").body)["tasks"]]
        texts = sentences(args.folder, tasks, args.sentences)
        mixed, predict = in_turn(texts), Predict(args.hyperloader, run, *options)
        lines = {task: iter(predict.lines(task, own)) for task, own in texts.items()}
        expected = [next(lines[task]) for task, _ in mixed]
        requests = [post("/v1/label", {"task": task, "text": text}) for task, text in mixed]
        tokens = lengths(args.folder / "compiled" / tasks[0], expected)
        few = args.peer_sentences
        theirs = [post("/label", {"text": text, "tokens": n}) for (_, text), n in zip(mixed[:few], tokens)]
        peer = Peer(args.folder / "compiled" / tasks[0], args) if few else None
        try:
            rounds, loads, busy, different, failed, sizes, batches = [], [], [], 0, 0, [], {}
            for number in range(-1, args.rounds):
                cpu, own_cpu, before = server.cpu(), time.process_time(), server.batches()
                answers, seconds = asyncio.run(ask_all(server, requests, args.clients))
                cpu, own_cpu, after = server.cpu() - cpu, time.process_time() - own_cpu, server.batches()
                one, total, predict_cpu = labelled(predict, Path(scratch), texts)
                theirs_seconds = 0.0
                if peer:
                    given, theirs_seconds = asyncio.run(ask_all(peer, theirs, args.clients))
                    failed += sum(answer.status != 200 for answer in given)
                    sizes += [json.loads(answer.body)["batch"] for answer in given if answer.status == 200]
                different += sum(answer.status != 200 or not answer.body.endswith(b'"results":[' + line + b"]}")
                                 for answer, line in zip(answers, expected))
                # The first round warms up.
                if number >= 0:
                    rounds.append((len(mixed) / seconds, total, len(mixed) / total, len(theirs) / (theirs_seconds or 1)))
                    loads.append(one)
                    busy.append((cpu / seconds, own_cpu / seconds, 1e3 * cpu / len(mixed), 1e3 * predict_cpu / len(mixed)))
                    batches = {size: batches.get(size, 0) + after[size] - before.get(size, 0) for size in after}
                    print("round {}: server {:.1f}, predict {:.1f} s with {:.1f} of loading, FastAPI {:.1f}".format(
                        number + 1, rounds[-1][0], total, one, rounds[-1][3]), file=sys.stderr)
        finally:
            if peer:
                peer.close()
        print(f"{len(mixed)} sentences of {len(tasks)} tasks, {sum(tokens) / len(tokens):.1f} tokens a target, {args.dtype}, "
              f"{args.threads} threads, {args.clients} clients, {args.rounds} rounds\n")
        # Loading varies less than a file of many sentences: its median counts for all rounds.
        load = median(loads)
        if any(total <= load for _, total, _, _ in rounds):
            sys.exit("loading took longer than labelling: the machine does other work, or there are too few sentences")
        rounds = [(ours, len(mixed) / (total - load), *others) for ours, total, *others in rounds]
        ratio = lambda side: median(rates[0] / rates[side] for rates in rounds)
        column = lambda side: [f"{figure:.1f}" for figure in (median(r[side] for r in rounds), min(r[side] for r in rounds),
                                                              max(r[side] for r in rounds))]
        rows = [("server", *column(0), ""), ("predict, without loading", *column(1), f"{ratio(1):.2f}"),
                ("predict, with loading", *column(2), f"{ratio(2):.2f}")]
        if peer:
            rows.append((f"FastAPI, {args.peer_dtype}, {few} sentences", *column(3), f"{ratio(3):.2f}"))
        table(rows, ("sentences a second", "median", "least", "most", "server's ratio"))
        print()
        count = sum(batches.values())
        of_processor = [median(figures) for figures in zip(*busy)]
        table([("processors that the server, its clients used", "{:.2f}, {:.2f}".format(*of_processor)),
               ("processor time of a sentence: server, predict", "{2:.2f}, {3:.2f} ms".format(*of_processor)),
               ("texts of a batch of the server, mean", f"{args.rounds * len(mixed) / count:.1f}"),
               ("batches by size (up to: number)", ", ".join(f"{size:g}: {n}" for size, n in batches.items() if n)),
               *([("texts of a batch of FastAPI, mean over texts", f"{sum(sizes) / len(sizes):.1f}")] if peer else [])])
        checks.add("the server's answers are those of predict", different == 0, f"{different} of {len(mixed) * (args.rounds + 1)} differ")
        checks.add(f"at least {args.of_predict:g} of predict", ratio(1) >= args.of_predict, f"{ratio(1):.2f}")
        if peer:
            checks.add("FastAPI answered everything", failed == 0, f"{failed} failed")
            checks.add(f"at least {args.of_peer:g} times FastAPI", ratio(3) >= args.of_peer, f"{ratio(3):.2f}")
        ended(checks, server)
    checks.end()


if __name__ == "__main__":
    main()
