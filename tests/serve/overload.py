"""Sends four times as many requests as the server can answer, for a minute.

    python tests/serve/overload.py --hyperloader target/release/hyperloader served/run --dtype int8

First the full load is measured: as many clients as requests may wait (`--max-queue`), each of which asks again as soon as it is
answered. Then requests come at four times that rate, at random times that do not depend on answers. Nothing but 200 and 429
with `Retry-After` may come back, accepted answers must be those of `predict`, memory must stay flat, and the p99 of accepted
requests may be three times that at full load. Tasks are mixed, one sentence a request unless `--texts-of-a-request` says
otherwise: a tiny model needs more, or this client cannot send four times as many.
"""
import argparse
import asyncio
import itertools
import json
import random
import time
from collections import Counter
from pathlib import Path

from clients import Client, post
from common import Checks, Memory, Server, ended, median, quantile, table
from texts import Predict, sentences

# The server's own limit is 512 connections, and the memory check needs some.
MOST_CONNECTIONS = 480


def requests(server, args):
    """Requests of all tasks in turn, each with the bytes that must come back."""
    tasks = [task["task"] for task in json.loads(server.get("/v1/tasks").body)["tasks"]]
    texts = sentences(args.texts or args.model.parent, tasks, args.sentences)
    predict = Predict(args.hyperloader, args.model, "--dtype", args.dtype)
    made, size = [], args.texts_of_a_request
    for task, own in texts.items():
        lines = predict.lines(task, own)
        for first in range(0, len(own) - size + 1, size):
            part = slice(first, first + size)
            body = b'{"task":"%s","model":"it","results":[%s]}' % (task.encode(), b",".join(lines[part]))
            made.append((post("/v1/label", {"task": task, "text": own[part]}), body))
    random.Random(args.seed).shuffle(made)
    return made, len(tasks)


async def full_load(server, made, clients, seconds):
    """The seconds of each answer of a closed loop, its rate, and what came back."""
    times, statuses, wrong = [], Counter(), 0
    source, end = itertools.cycle(made), time.perf_counter() + seconds

    async def client():
        nonlocal wrong
        connection = Client(server)
        while time.perf_counter() < end:
            request, expected = next(source)
            started = time.perf_counter()
            answer = await connection.ask(request)
            statuses[answer.status] += 1
            if answer.status == 200:
                times.append(time.perf_counter() - started)
                wrong += answer.body != expected
        connection.close()

    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    return times, len(times) / (time.perf_counter() - started), statuses, wrong


class Flood:
    """Requests at a rate that does not depend on answers."""

    def __init__(self, server, made, rate, seconds, seed):
        self.server, self.source, self.rate, self.seconds = server, itertools.cycle(made), rate, seconds
        self.random = random.Random(seed)
        self.idle, self.connections = [], 0
        self.accepted, self.refused, self.late = [], [], []
        self.statuses, self.errors, self.wrong, self.without_retry_after, self.not_sent = Counter(), Counter(), 0, 0, 0

    async def run(self):
        began = time.perf_counter()
        due, tasks = 0.0, set()
        while due < self.seconds:
            now = time.perf_counter() - began
            while due <= now and due < self.seconds:
                if self.idle or self.connections < MOST_CONNECTIONS:
                    self.late.append(now - due)
                    task = asyncio.create_task(self.send(*next(self.source)))
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
                else:
                    self.not_sent += 1
                due += self.random.expovariate(self.rate)
            await asyncio.sleep(max(min(due - (time.perf_counter() - began), 0.01), 0))
        self.sent_seconds = time.perf_counter() - began
        await asyncio.gather(*tasks)
        for connection in self.idle:
            connection.close()

    async def send(self, request, expected):
        if self.idle:
            connection = self.idle.pop()
        else:
            self.connections += 1
            connection = Client(self.server)
        started = time.perf_counter()
        try:
            answer = await connection.ask(request)
        except (OSError, asyncio.IncompleteReadError) as error:
            self.errors[type(error).__name__] += 1
            connection.close()
            self.connections -= 1
            return
        seconds = time.perf_counter() - started
        self.idle.append(connection)
        self.statuses[answer.status] += 1
        if answer.status == 200:
            self.accepted.append(seconds)
            self.wrong += answer.body != expected
        else:
            self.refused.append(seconds)
            self.without_retry_after += not answer.head.get("retry-after", "").isdigit()


async def measure(server, made, args):
    times, rate, statuses, wrong = await full_load(server, made, args.max_queue, args.full_seconds)
    async with Memory(server) as memory:
        flood = Flood(server, made, rate * args.factor, args.seconds, args.seed)
        await flood.run()
    return times, rate, statuses, wrong, flood, memory


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a run or a compiled folder")
    parser.add_argument("--hyperloader", default="hyperloader", help="the command")
    parser.add_argument("--texts", type=Path, help="the folder with TASK.txt; default: the folder of the model's folder")
    parser.add_argument("--dtype", choices=["f32", "bf16", "int8"], default="int8")
    parser.add_argument("--max-queue", type=int, default=64)
    parser.add_argument("--sentences", type=int, default=200, help="of each task, which are repeated")
    parser.add_argument("--texts-of-a-request", type=int, default=1)
    parser.add_argument("--full-seconds", type=float, default=20)
    parser.add_argument("--factor", type=float, default=4)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=16)
    parser.add_argument("--most", type=float, default=3, help="p99 of accepted requests relative to full load")
    args = parser.parse_args()
    checks = Checks()
    options = ["--dtype", args.dtype, "--max-queue", args.max_queue, "--threads", args.threads]
    with Server(args.hyperloader, [f"it={args.model}"], *options) as server:
        server.wait_ready()
        made, tasks = requests(server, args)
        # Generates the weights of all tasks and fills caches.
        asyncio.run(full_load(server, made, args.max_queue, args.full_seconds / 5))
        times, rate, statuses, wrong, flood, memory = asyncio.run(measure(server, made, args))
        sent = sum(flood.statuses.values()) / flood.sent_seconds
        ms = lambda values: [f"{1e3 * quantile(values, part):.0f}" for part in (0.5, 0.9, 0.99, 1)] if values else ["-"] * 4
        print(f"{tasks} tasks, {args.dtype}, {args.threads} threads, {args.texts_of_a_request} texts a request, "
              f"queue of {args.max_queue}; milliseconds\n")
        table([
            (f"full load, {args.max_queue} clients", f"{rate:.1f}", len(times), *ms(times)),
            (f"{args.factor:g} times that for {args.seconds:g} s: accepted", f"{len(flood.accepted) / flood.sent_seconds:.1f}",
             len(flood.accepted), *ms(flood.accepted)),
            ("the same: refused", f"{len(flood.refused) / flood.sent_seconds:.1f}", len(flood.refused), *ms(flood.refused)),
        ], ("", "a second", "requests", "p50", "p90", "p99", "most"))
        print()
        table([("requests sent a second", f"{sent:.1f}, of {rate * args.factor:.1f} meant; late by {1e3 * median(flood.late):.1f} ms (median)"),
               ("connections", flood.connections),
               ("statuses at full load, in overload", f"{dict(statuses)}, {dict(flood.statuses)}"),
               *memory.rows()])
        p99, p99_full = quantile(flood.accepted, 0.99), quantile(times, 0.99)
        checks.add("full load is accepted", set(statuses) == {200}, dict(statuses))
        checks.add(f"at least {0.95 * args.factor:.1f} times the full load was sent", sent >= 0.95 * args.factor * rate,
                   f"{sent / rate:.2f} times; {flood.not_sent} could not be sent")
        checks.add("nothing but 200 and 429, and both", set(flood.statuses) == {200, 429} and not flood.errors,
                   f"{dict(flood.statuses)}, {dict(flood.errors) or 'no broken connection'}")
        checks.add("429 has Retry-After", flood.without_retry_after == 0, f"{flood.without_retry_after} without")
        checks.add("accepted answers are those of predict", wrong + flood.wrong == 0, f"{wrong + flood.wrong} differ")
        checks.add("memory is flat", memory.is_flat(), f"{memory.fifths()[1]:.1f} MiB, then {memory.fifths()[4]:.1f} MiB")
        checks.add(f"p99 of accepted at most {args.most:g} times that at full load", p99 <= args.most * p99_full,
                   f"{p99 / p99_full:.2f} times ({1e3 * p99:.0f}, {1e3 * p99_full:.0f} ms)")
        after = server.post("/v1/label", json.loads(made[0][0].split(b"\r\n\r\n", 1)[1]))
        checks.add("the next request is answered rightly", after.status == 200 and after.body == made[0][1], after.status)
        ended(checks, server)
    checks.end()


if __name__ == "__main__":
    main()
