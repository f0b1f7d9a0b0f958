"""Treats the server badly, and compares correct requests that are sent all the while.

    python tests/serve/abuse.py --hyperloader target/release/hyperloader served/run

100,000 bodies that are random bytes, random JSON, damaged requests, huge numbers, deep nesting, invalid UTF-8, wrong content types
go to both POST routes. At the same time clients are killed, requests end in the middle, answers are not read, heads and bodies
come byte by byte, and connections are opened that say nothing. The server must stay up and correct, its memory flat; no
answer may be 500, and nothing may panic.
"""
import argparse
import asyncio
import itertools
import json
import random
import socket
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

from bodies import Bodies
from clients import Client, head, post
from common import Checks, Memory, Server, ended, median, table
from texts import Predict, Texts

CLIENT_TIME = 3
CONNECTIONS = 200
# How much later than its limit a server that shares two cores may react, in seconds.
SLACK = 10
# What a body may be answered with. 429 is there because the queue may be full.
ALLOWED = {200, 400, 408, 413, 415, 422, 429}


class Abuse:
    """What is done to a server, and what came of it."""

    def __init__(self, server, tasks, correct, args):
        self.server, self.tasks, self.correct, self.args = server, tasks, correct, args
        self.is_over = False
        self.statuses, self.bad = defaultdict(Counter), []
        self.compared, self.different, self.times = 0, [], []
        self.done, self.broken, self.in_crowd = Counter(), [], False

    async def run(self):
        began = time.perf_counter()
        steady = [asyncio.create_task(self.honest(number)) for number in range(2)]
        attacks = [self.killed(), self.killed(), self.half(), self.half(), self.crooked(), self.unread(), self.slow_heads(),
                   self.slow_bodies(), self.silent()]
        steady += [asyncio.create_task(attack) for attack in attacks]
        source = Bodies(self.args.seed, self.tasks)
        left = iter(range(self.args.bodies))
        await asyncio.gather(*(self.bodies(source, left) for _ in range(self.args.clients)))
        self.seconds_of_bodies = time.perf_counter() - began
        # Slow attacks need a few rounds of the server's patience.
        await asyncio.sleep(max(self.args.least_seconds - self.seconds_of_bodies, 0))
        self.is_over = True
        for result in await asyncio.gather(*steady, return_exceptions=True):
            if isinstance(result, BaseException):
                self.broken.append(repr(result))
        await self.crowded()

    async def honest(self, number):
        """Correct requests, whose answers are compared."""
        connection = Client(self.server)
        for request, expected in itertools.cycle(self.correct[number:] + self.correct[:number]):
            if self.is_over:
                break
            started = time.perf_counter()
            answer = await asyncio.wait_for(connection.ask(request), 60)
            if answer.status == 429:
                self.done["correct requests: 429, asked again"] += 1
                await asyncio.sleep(0.05)
                continue
            self.times.append(time.perf_counter() - started)
            self.compared += 1
            if answer.status != 200 or answer.body != expected:
                self.different.append((request, answer))
            await asyncio.sleep(0.01)
        connection.close()

    async def bodies(self, source, left):
        """Random bodies on a connection that stays open as long as the server lets it."""
        connection = Client(self.server)
        for _ in left:
            kind, request = source.next()
            try:
                answer = await asyncio.wait_for(connection.ask(request), 60)
            except (OSError, asyncio.IncompleteReadError) as error:
                self.statuses[kind][type(error).__name__] += 1
                self.bad.append((kind, request[:300], repr(error)))
                connection.close()
                continue
            self.statuses[kind][answer.status] += 1
            if answer.status not in ALLOWED or not self.is_well_formed(answer):
                self.bad.append((kind, request[:300], answer))
        self.done["random bodies: asked again on a new connection"] += connection.reconnected
        connection.close()

    def is_well_formed(self, answer):
        try:
            value = json.loads(answer.body)
        except ValueError:
            return False
        return answer.status == 200 or set(value) == {"error", "error_type"}

    def valid(self, choose):
        return post("/v1/label", {"task": choose.choice(self.tasks), "text": [Texts(choose.random()).plain(8)] * 5})

    async def killed(self):
        """Clients that send a whole request and are killed."""
        choose = random.Random(self.args.seed)
        while not self.is_over:
            connection = Client(self.server)
            await connection.connect()
            connection.writer.write(self.valid(choose) * choose.choice([1, 1, 5]))
            await asyncio.sleep(choose.random() * 0.02)
            connection.abort()
            self.done["clients killed while they waited"] += 1

    async def half(self):
        """Requests that end in the middle, by a close or a reset."""
        choose = random.Random(self.args.seed + 1)
        while not self.is_over:
            connection, request = Client(self.server), self.valid(choose)
            await connection.connect()
            connection.writer.write(request[: choose.randrange(1, len(request))])
            await asyncio.sleep(choose.random() * 0.02)
            if choose.random() < 0.5:
                connection.abort()
            else:
                connection.close()
            self.done["half requests"] += 1

    async def crooked(self):
        """What is no HTTP, or no HTTP that this server knows. It is refused or the connection ends; either is right, in time."""
        choose = random.Random(self.args.seed + 2)
        body = b'{"task":"x"}'
        label = lambda *headers: head("POST", "/v1/label", "Content-Type: application/json", *headers)
        made = [
            b"\x00" * 100, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 200, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\r\n" * 200 + b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            label("Content-Length: 12", "X: \x01") + body, head("POST", "/" + "x" * 70_000), head("POST", "/v1/label", *(f"X-{i}: y" for i in range(500))),
            head("GET", "/health", "X: " + "y" * 80_000), label("Content-Length: -1"), label("Content-Length: 18446744073709551616"),
            label("Content-Length: 12", "Content-Length: 13") + body, label("Content-Length: 12", "Transfer-Encoding: chunked") + body,
            label("Transfer-Encoding: chunked") + b"FFFFFFFFFFFFFFFFF\r\n" + body, label("Transfer-Encoding: chunked") + b"zz\r\n",
            label("Transfer-Encoding: chunked") + b"c\r\n" + body + b"\r\n0\r\n\r\n", label("Transfer-Encoding: gzip") + body,
            label("Content-Encoding: gzip", "Content-Length: 12") + body, label("Expect: 200-maybe", "Content-Length: 12") + body,
            label("Expect: 100-continue", "Content-Length: 12") + body, head("TRACE", "/v1/label"), head("BREW", "/"),
            head("CONNECT", "example.org:80"), head("GET", "http://example.org/"), head("GET", "/../../etc/passwd"),
            head("GET", "/v1/models/%2e%2e%2f"), head("DELETE", "/v1/models/it"), head("OPTIONS", "*"), b"GET /\xff\xfe HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\nX\x00Y: z\r\n\r\n", b"POST /v1/label HTTP/1.0\r\n\r\n",
        ]
        while not self.is_over:
            connection = Client(self.server)
            await connection.connect()
            try:
                connection.writer.write(choose.choice(made))
                if connection.writer.can_write_eof() and choose.random() < 0.3:
                    connection.writer.write_eof()
                data = await asyncio.wait_for(connection.reader.read(1 << 16), CLIENT_TIME + SLACK)
                self.statuses["crooked HTTP"][int(data[9:12]) if data[:5] == b"HTTP/" else "closed"] += 1
                if data[9:10] == b"5":
                    self.bad.append(("crooked HTTP", b"", data))
            except OSError:
                self.statuses["crooked HTTP"]["closed"] += 1
            except asyncio.TimeoutError:
                self.bad.append(("crooked HTTP", b"", "neither an answer nor an end"))
            connection.abort()
            self.done["crooked requests"] += 1
            await asyncio.sleep(0.01)

    async def unread(self):
        """Clients that ask for many large answers and read none of them."""
        while not self.is_over:
            ended = await asyncio.gather(*(self.unread_one() for _ in range(10)))
            self.done["answers left unread"] += len(ended)
            self.done["answers left unread: still open too late"] += ended.count(False)

    async def unread_one(self):
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.setblocking(False)
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_connect(raw, (self.server.host, self.server.port))
            # 20 MB of answers do not fit into the buffers of the system.
            await asyncio.wait_for(loop.sock_sendall(raw, head("GET", "/openapi.json") * 1000), 2 * CLIENT_TIME + SLACK)
            await asyncio.sleep(CLIENT_TIME + SLACK)
            # The server has ended the connection: what is in the buffers comes, then the end.
            while await asyncio.wait_for(loop.sock_recv(raw, 1 << 20), 2):
                pass
            return True
        except OSError:
            return True
        except asyncio.TimeoutError:
            return False
        finally:
            raw.close()

    async def slowly(self, name, prompt, data, pause, answers):
        """Sends the prompt at once and the data byte by byte. The server must end the connection, or answer, in time."""
        connection = Client(self.server)
        await connection.connect()
        started = time.perf_counter()
        reading = asyncio.create_task(connection.reader.read(1 << 16))
        try:
            connection.writer.write(prompt)
            for byte in data:
                connection.writer.write(bytes([byte]))
                done, _ = await asyncio.wait([reading], timeout=pause)
                if done or time.perf_counter() - started > CLIENT_TIME + SLACK:
                    break
            is_ended = reading.done()
            if is_ended and (got := reading.result()):
                self.statuses[name][int(got[9:12])] += 1
                if int(got[9:12]) not in answers:
                    self.bad.append((name, prompt, got))
            elif is_ended:
                self.statuses[name]["closed"] += 1
        except OSError:
            self.statuses[name]["closed"] += 1
            is_ended = True
        reading.cancel()
        connection.abort()
        self.done[name] += 1
        self.done[name + ": still open too late"] += not is_ended

    async def slow_heads(self):
        request = head("POST", "/v1/label", "Content-Type: application/json", "X-Long: " + "y" * 500, length=4)
        while not self.is_over:
            await asyncio.gather(*(self.slowly("heads byte by byte", b"", request, 0.2, {408}) for _ in range(30)))

    async def slow_bodies(self):
        prompt = head("POST", "/v1/label", "Content-Type: application/json", length=1000)
        while not self.is_over:
            await asyncio.gather(*(self.slowly("bodies byte by byte", prompt, b" " * 1000, 0.2, {408}) for _ in range(30)))

    async def silent(self):
        """Connections that say nothing. They end in time."""
        while not self.is_over:
            await self.say_nothing(50, CLIENT_TIME + SLACK)

    async def say_nothing(self, number, patience):
        opened = [Client(self.server) for _ in range(number)]
        await asyncio.gather(*(connection.connect() for connection in opened))
        ends = [asyncio.create_task(connection.reader.read(1)) for connection in opened]
        _, open_still = await asyncio.wait(ends, timeout=patience)
        self.done["silent connections"] += number
        self.done["silent connections: still open too late"] += len(open_still)
        for task, connection in zip(ends, opened):
            task.cancel()
            connection.abort()
        await asyncio.gather(*ends, return_exceptions=True)

    async def crowded(self):
        """More silent connections than the server holds: those that find no place wait for those that have one, and so does a
        correct request, which must then be answered."""
        crowd = asyncio.create_task(self.say_nothing(CONNECTIONS + 100, 2 * CLIENT_TIME + SLACK))
        await asyncio.sleep(0.5)
        request, expected = self.correct[0]
        try:
            answer = await asyncio.wait_for(Client(self.server).ask(request), 2 * CLIENT_TIME + SLACK)
            self.in_crowd = answer.status == 200 and answer.body == expected
        except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError):
            self.in_crowd = False
        await crowd


def correct_requests(args, tasks):
    """Requests with the bytes that `predict` says must come back."""
    predict, texts, made = Predict(args.hyperloader, args.model, "--dtype", args.dtype), Texts(args.seed), []
    for task in tasks:
        items = [texts.raw() for _ in range(60)]
        for number, line in enumerate(predict.lines(task, items)):
            body = b'{"task":"%s","model":"it","results":[%s]}' % (task.encode(), line)
            made.append((post("/v1/label", {"task": task, "text": items[number]}), body))
        for number, line in enumerate(predict.lines(task, items, form="hf")):
            made.append((post("/", {"inputs": items[number], "parameters": {"task": task}}), line))
    random.Random(args.seed).shuffle(made)
    return made


async def watched(server, abuse):
    # The largest requests first, several at once: the memory that they need is kept, and must not grow from then on.
    largest = [post("/v1/label", value) for value in Bodies(0, abuse.tasks).all_large()] * 2
    await asyncio.gather(*(Client(server).ask(request) for request in largest * 2))
    async with Memory(server) as memory:
        await abuse.run()
    return memory


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a run or a compiled folder; a small one is enough")
    parser.add_argument("--hyperloader", default="hyperloader", help="the command")
    parser.add_argument("--dtype", choices=["f32", "bf16", "int8"], default="f32")
    parser.add_argument("--bodies", type=int, default=100_000)
    parser.add_argument("--clients", type=int, default=8, help="connections that send them")
    parser.add_argument("--least-seconds", type=float, default=60, help="the slow attacks last at least so long")
    parser.add_argument("--seed", type=int, default=16)
    args = parser.parse_args()
    checks = Checks()
    options = ["--dtype", args.dtype, "--client-time", CLIENT_TIME, "--max-connections", CONNECTIONS]
    with Server(args.hyperloader, [f"it={args.model}"], *options) as server:
        server.wait_ready()
        tasks = [task["task"] for task in json.loads(server.get("/v1/tasks").body)["tasks"]]
        abuse = Abuse(server, tasks, correct_requests(args, tasks), args)
        try:
            memory = asyncio.run(watched(server, abuse))
        except OSError as error:
            sys.exit(f"the server is not there: {error}")
        alive = server.is_alive()
        rows = [(kind, sum(found.values()), ", ".join(f"{status}: {n}" for status, n in sorted(found.items(), key=str)))
                for kind, found in sorted(abuse.statuses.items())]
        table(rows, ("requests", "number", "answers"))
        print()
        late = {name: number for name, number in abuse.done.items() if "too late" in name}
        done = [(name, number) for name, number in sorted(abuse.done.items()) if name not in late]
        table([*done, ("seconds", f"{abuse.seconds_of_bodies:.0f}"),
               ("correct requests: milliseconds, median and most", f"{1e3 * median(abuse.times):.0f}, {1e3 * max(abuse.times):.0f}"),
               *memory.rows()])
        for kind, request, answer in abuse.bad[:5]:
            print(f"\n{kind}: {request!r}\n{answer!r:.600}")
        for request, answer in abuse.different[:2]:
            print(f"\n{request!r:.600}\nanswered {answer!r:.600}")
        sent = sum(sum(found.values()) for kind, found in abuse.statuses.items() if hasattr(Bodies, kind))
        checks.add("the server is up", alive, "yes" if alive else "no")
        checks.add(f"{args.bodies} random bodies were answered", sent == args.bodies, sent)
        checks.add("each with an error that it may have, in JSON", not abuse.bad, f"{len(abuse.bad)} others")
        checks.add("correct requests were answered with the bytes of predict", abuse.compared > 0 and not abuse.different,
                   f"{len(abuse.different)} of {abuse.compared} differ")
        checks.add("a correct request is answered when all connections are taken by silent ones", abuse.in_crowd,
                   "yes" if abuse.in_crowd else "no")
        checks.add("every slow client was ended in time", not sum(late.values()), {name.split(":")[0]: number for name, number in late.items() if number} or "0 open too late")
        checks.add("every attack went on to the end", not abuse.broken, abuse.broken or "yes")
        checks.add("memory is flat", memory.is_flat(), f"{memory.fifths()[1]:.1f} MiB, then {memory.fifths()[4]:.1f} MiB")
        if alive:
            time.sleep(CLIENT_TIME + 1)
            metrics = server.get("/metrics").body.decode().splitlines()
            figure = lambda name: sum(float(line.rsplit(" ", 1)[1]) for line in metrics if line.startswith(name))
            failed = sum(float(line.rsplit(" ", 1)[1]) for line in metrics
                         if line.startswith("hyperloader_requests_total") and 'status="5' in line and '"/ready"' not in line)
            checks.add("no answer was 5xx, by the server's own count", failed == 0, f"{failed:.0f}")
            left = figure("hyperloader_connections"), figure("hyperloader_queue_requests"), figure("hyperloader_requests_in_flight")
            checks.add("connections, waiting and running requests that are left", left == (1, 0, 0), ", ".join(f"{n:.0f}" for n in left))
        ended(checks, server)
    checks.end()


if __name__ == "__main__":
    main()
