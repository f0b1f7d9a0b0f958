"""Compares answers of the server, byte for byte, with the lines of `predict` for the same texts.

    python tests/serve/same_answers.py --hyperloader target/release/hyperloader RUN

Requests mix tasks, raw text and word lists, one text and many, thresholds, best sequences, sentence splitting and both routes.
They come from 1, 8 and 32 clients at once; in the last phase other clients break off before they are answered. The check fails
unless all requests are compared, all answers are equal, and batches had texts of several requests.
"""
import argparse
import asyncio
import json
import random
import time
from collections import Counter, defaultdict
from pathlib import Path

from clients import Client, post
from common import Checks, Server, ended, table
from texts import Predict, Texts

OPTIONS = [
    {},
    {},
    {},
    {"threshold": 0.5},
    {"n_best": 3},
    {"split_sentences": True},
    {"threshold": 0.8, "n_best": 2, "split_sentences": True},
]


class Ask:
    """A request, its texts and, once `predict` has labelled them, the bytes that must come back."""

    def __init__(self, texts, choose, task, number):
        is_hf, is_words = choose.random() < 0.2, choose.random() < 0.4
        self.task, self.is_hf = task, is_hf
        self.options = {} if is_hf else choose.choice(OPTIONS)
        self.is_list = choose.random() < 0.4
        count = choose.randint(0 if choose.random() < 0.1 else 1, 12) if self.is_list else 1
        make = texts.words if is_words and not is_hf else texts.raw
        self.items = [make() for _ in range(count)]
        if make == texts.words and not self.is_list:
            # `"words": []` is a list of no texts; a text without words is `[[]]`.
            self.is_list = not self.items[0]
        self.kind = "words" if make == texts.words else "text"
        self.number = number

    def group(self):
        return self.task, self.is_hf, json.dumps(self.options)

    def request(self):
        given = self.items if self.is_list else self.items[0]
        if self.is_hf:
            return post("/", {"inputs": given, "parameters": {"task": self.task}})
        return post("/v1/label", {"task": self.task, self.kind: given, **self.options})

    def expect(self, lines, model):
        joined = b",".join(lines)
        if self.is_hf:
            self.expected = b"[" + joined + b"]" if self.is_list else joined
        else:
            names = json.dumps(self.task).encode(), json.dumps(model).encode()
            self.expected = b'{"task":%s,"model":%s,"results":[%s]}' % (*names, joined)


def predicted(predict, asks, model):
    """Lets `predict` label the texts of all requests, those with the same task and options in one call."""
    groups = defaultdict(list)
    for ask in asks:
        groups[ask.group()].append(ask)
    for (task, is_hf, options), own in groups.items():
        options = json.loads(options)
        arguments = [argument for name in ("threshold", "n_best") if name in options
                     for argument in ("--" + name.replace("_", "-"), options[name])]
        arguments += ["--split-sentences"] if options.get("split_sentences") else []
        items = [item for ask in own for item in ask.items]
        lines = iter(predict.lines(task, items, *arguments, form="hf" if is_hf else "jsonl"))
        for ask in own:
            ask.expect([next(lines) for _ in ask.items], model)
    return len(groups)


async def phase(server, asks, clients, cancelling, seed):
    """Sends the requests from so many clients at once; returns those that were answered differently, and counts."""
    different, counts, waiting = [], Counter(), iter(asks)

    async def client():
        connection = Client(server)
        for ask in waiting:
            while (answer := await connection.ask(ask.request())).status == 429:
                counts["asked again after 429"] += 1
                await asyncio.sleep(0.05)
            counts["compared"] += 1
            if answer.status != 200 or answer.body != ask.expected:
                different.append((ask, answer))
        connection.close()

    async def cancelled(number):
        choose = random.Random(seed + number)
        while True:
            connection = Client(server)
            await connection.connect()
            request = choose.choice(asks).request()
            is_half = choose.random() < 0.3
            connection.writer.write(request[: choose.randrange(1, len(request))] if is_half else request)
            await asyncio.sleep(choose.random() * 0.03)
            connection.abort()
            counts["broken off"] += 1
            await asyncio.sleep(choose.random() * 0.02)

    disturbing = [asyncio.create_task(cancelled(number)) for number in range(cancelling)]
    await asyncio.gather(*(client() for _ in range(clients)))
    for task in disturbing:
        if task.done():
            raise task.exception()
        task.cancel()
    return different, counts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a run or a compiled folder")
    parser.add_argument("--hyperloader", default="hyperloader", help="the command")
    parser.add_argument("--dtype", choices=["f32", "bf16", "int8"], default="f32")
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=16)
    args = parser.parse_args()
    texts, choose = Texts(args.seed), random.Random(args.seed)
    checks = Checks()
    with Server(args.hyperloader, [f"it={args.model}"], "--dtype", args.dtype, "--max-queue", 256) as server:
        server.wait_ready()
        tasks = [task["task"] for task in json.loads(server.get("/v1/tasks").body)["tasks"]]
        asks = [Ask(texts, choose, choose.choice(tasks), number) for number in range(args.requests)]
        calls = predicted(Predict(args.hyperloader, args.model, "--dtype", args.dtype), asks, "it")
        texts_asked = sum(len(ask.items) for ask in asks)
        print(f"{len(asks)} requests of {texts_asked} texts for {len(tasks)} tasks; predict was called {calls} times\n")
        rows, all_different, compared, before = [], [], 0, 0
        first, second = args.requests // 10, args.requests * 4 // 10
        phases = [(1, 0, asks[:first]), (8, 0, asks[first:second]), (32, 8, asks[second:])]
        for clients, cancelling, own in phases:
            started = time.perf_counter()
            different, counts = asyncio.run(phase(server, own, clients, cancelling, args.seed))
            seconds = time.perf_counter() - started
            batches = server.batches()
            total = sum(batches.values())
            all_different += different
            compared += counts["compared"]
            rows.append((clients, counts["compared"], sum(len(ask.items) for ask in own), len(different), total - before,
                         counts["broken off"], counts["asked again after 429"], f"{seconds:.1f}"))
            before = total
        table(rows, ("clients", "requests", "texts", "different", "batches", "broken off", "429", "seconds"))
        for ask, answer in all_different[:3]:
            place = next((i for i, (a, b) in enumerate(zip(ask.expected, answer.body)) if a != b), 0)
            near = slice(max(place - 60, 0), place + 60)
            print(f"\nrequest {ask.number}, status {answer.status}, {ask.request().decode()[:600]}\n"
                  f"differs at byte {place}\nexpected {ask.expected[near]!r}\nanswered {answer.body[near]!r}")
        several = total - batches.get(1.0, 0)
        checks.add(f"{args.requests} requests were compared", compared == args.requests, compared)
        checks.add("every answer has the bytes of predict", not all_different, f"{len(all_different)} differ")
        checks.add("batches had several texts", several > 0, f"{several} of {total} batches")
        # Without sharing, every request with texts is a batch at least.
        last = sum(1 for ask in phases[2][2] if ask.items)
        checks.add("32 clients: fewer batches than requests", rows[2][4] < last, f"{rows[2][4]} of {last}")
        ended(checks, server)
    checks.end()


if __name__ == "__main__":
    main()
