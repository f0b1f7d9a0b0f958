"""What the checks of the server share: the server, clients, texts, the lines of `predict`, tables.

The client shares the machine with the server. So connections stay open, requests are written as whole blocks of bytes, and
answers are read with as few steps as possible.
"""
import asyncio
import json
import math
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections import namedtuple
from pathlib import Path

Answer = namedtuple("Answer", "status head body")


# ---------------------------------------------------------------------------------------------------------------- the server


class Server:
    """`hyperloader serve` on a free port of this machine. Its log goes to a file, which `close` reads."""

    def __init__(self, command, models, *options, verbose=False):
        self.log_path = Path(tempfile.mkstemp(prefix="hyperloader-serve-", suffix=".log")[1])
        options = [*map(str, options), *(["--verbose"] if verbose else [])]
        call = [command, "serve", "--addr", "127.0.0.1:0", *options, *map(str, models)]
        with self.log_path.open("wb") as log:
            self.started = time.perf_counter()
            self.child = subprocess.Popen(call, stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL)
        line = self.child.stdout.readline()
        if not line:
            sys.exit(f"the server does not start: {self.log_path.read_text()}")
        self.host, port = json.loads(line)["address"].removeprefix("http://").rsplit(":", 1)
        self.port = int(port)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def wait_ready(self, patience=120, pause=0.02):
        """Waits until `/ready` answers 200; returns the seconds since the process was started."""
        while not self.is_ready():
            if time.perf_counter() - self.started > patience or not self.is_alive():
                sys.exit(f"the server does not become ready: {self.log_path.read_text()}")
            time.sleep(pause)
        return time.perf_counter() - self.started

    def is_ready(self):
        return self.get("/ready").status == 200

    def is_alive(self):
        return self.child.poll() is None

    def get(self, path):
        with Blocking(self) as connection:
            return connection.ask(head("GET", path))

    def post(self, path, value):
        with Blocking(self) as connection:
            return connection.ask(post(path, value))

    def rss(self):
        """The memory that the process holds now, in MiB."""
        return memory(self.child.pid)

    def cpu(self):
        """The seconds of processor time that the process has used."""
        fields = Path(f"/proc/{self.child.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def batches(self):
        """How many batches of each size there were: the upper end of the size (infinity for the last), and the number."""
        found = {}
        for line in self.get("/metrics").body.decode().splitlines():
            if line.startswith("hyperloader_batch_texts_bucket"):
                label = line.split('le="', 1)[1].split('"', 1)[0]
                size = math.inf if label == "+Inf" else float(label)
                found[size] = found.get(size, 0) + int(float(line.rsplit(" ", 1)[1]))
        counts, before = {}, 0
        for size in sorted(found):
            counts[size], before = found[size] - before, found[size]
        return counts

    def close(self):
        """Ends the server as an operator does; returns its exit code."""
        self.child.send_signal(signal.SIGTERM)
        try:
            return self.child.wait(timeout=90)
        except subprocess.TimeoutExpired:
            self.kill()
            return "killed: it did not end within 90 s"

    def log(self):
        return self.log_path.read_text(errors="replace")

    def kill(self):
        if self.is_alive():
            self.child.kill()
            self.child.wait()
        self.child.stdout.close()
        self.log_path.unlink(missing_ok=True)


def memory(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


class Memory:
    """Samples the memory of a server while a check runs: `async with Memory(server) as memory: ..`."""

    def __init__(self, server, pause=0.25):
        self.server, self.pause, self.samples = server, pause, []

    async def __aenter__(self):
        self.task = asyncio.create_task(self.sample())
        return self

    async def sample(self):
        while self.server.is_alive():
            self.samples.append(self.server.rss())
            await asyncio.sleep(self.pause)

    async def __aexit__(self, *_):
        self.task.cancel()

    def fifths(self):
        """The median of each fifth of the time. The first one has the warming up."""
        n = len(self.samples)
        return [median(self.samples[n * i // 5 : max(n * (i + 1) // 5, n * i // 5 + 1)]) for i in range(5)]

    def is_flat(self):
        """Whether the last fifth is not above the second one by more than a tenth and 8 MiB."""
        fifths = self.fifths()
        return fifths[4] <= fifths[1] * 1.1 + 8

    def rows(self):
        first, last = f"{self.samples[0]:.1f} MiB", f"{self.samples[-1]:.1f} MiB"
        return [("memory at start, at most, at end", f"{first}, {max(self.samples):.1f} MiB, {last}"),
                ("memory, median of each fifth of the time", ", ".join(f"{m:.1f}" for m in self.fifths()) + " MiB")]


# ------------------------------------------------------------------------------------------------------------------- clients


def head(method, path, *headers, length=None):
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *headers]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def post(path, value, content_type="application/json"):
    """A request with the JSON of `value`, or with `value` itself if it is bytes."""
    body = value if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False).encode()
    return head("POST", path, f"Content-Type: {content_type}", length=len(body)) + body


def parsed(text):
    """Status and headers of an answer's head."""
    lines = text.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
    return int(lines[0].split(" ", 2)[1]), headers


class Blocking:
    """One connection, for one thread that waits for each answer."""

    def __init__(self, server, timeout=120):
        self.socket = socket.create_connection((server.host, server.port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def ask(self, request):
        self.socket.sendall(request)
        data = b""
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self.more()
        status, headers = parsed(data[:end])
        body, length = data[end + 4 :], int(headers.get("content-length", 0))
        while len(body) < length:
            body += self.more()
        return Answer(status, headers, body)

    def more(self):
        data = self.socket.recv(1 << 18)
        if not data:
            raise ConnectionError("the server has closed the connection")
        return data


class Client:
    """One connection that stays open, for asyncio.

    A server may end an open connection between two requests, such as one that was idle for too long. As every client does, this one
    then sends the request again on a new connection, once; on a new one an end is an error. `reconnected` counts that.
    """

    def __init__(self, server):
        self.server, self.writer, self.reconnected = server, None, 0

    async def connect(self):
        self.close()
        self.reader, self.writer = await asyncio.open_connection(self.server.host, self.server.port, limit=1 << 22)

    async def ask(self, request):
        if self.writer is not None and not self.writer.is_closing() and not self.reader.at_eof():
            try:
                self.writer.write(request)
                return await self.answer()
            except (ConnectionError, asyncio.IncompleteReadError) as error:
                if getattr(error, "partial", b""):
                    raise
                self.close()
                self.reconnected += 1
        await self.connect()
        self.writer.write(request)
        return await self.answer()

    async def answer(self):
        status, headers = parsed((await self.reader.readuntil(b"\r\n\r\n"))[:-4])
        body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        if headers.get("connection") == "close":
            self.close()
        return Answer(status, headers, body)

    def close(self):
        if self.writer is not None:
            self.writer.close()
            self.writer = None

    def abort(self):
        """Breaks the connection off, as a killed process does: the server gets a reset."""
        if self.writer is not None:
            raw = self.writer.get_extra_info("socket")
            if raw is not None and raw.fileno() >= 0:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.writer.transport.abort()
            self.writer = None


# -------------------------------------------------------------------------------------------------------------------- texts


WORDS = """turn on the kitchen lights at seven play some jazz by miles davis book a flight from oslo to new york on monday set an
alarm for half past six in the morning what is the weather like in sao paulo tomorrow add milk and eggs to my shopping list show me
films with ingrid bergman that were made before 1950 dim bedroom lamp to 40 percent find cheap hotel near station for two nights
remind call mother next friday quieter please""".split()
ODD = ["naïve", "e\u0301te\u0301", "東京都", "こんにちは", "서울", "กรุงเทพ", "مرحبا", "שלום", "👩‍👩‍👧‍👦", "🇳🇴", "👍🏽", "3.50", "€12,99", "O'Hara",
       "well-known", "…", "“quoted”", "x" * 60, "A\u200bB", "ﬁnal", "ẞ", "İstanbul", "<extra_id_7>", "</s>", "<b>bold</b>", "\\n",
       '"', "{}", "a\tb".replace("\t", "_"), "NaN", "-0", "½"]
GAPS = [" "] * 30 + ["  ", "\t", "\u00a0", "\u3000", "\n", "\r\n", ". ", "! ", "? ", ", "]


class Texts:
    """Random texts: mostly short ones, some without words, with many sentences, or longer than a window."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def word(self):
        return self.random.choice(ODD if self.random.random() < 0.07 else WORDS)

    def length(self):
        chance = self.random.random()
        if chance < 0.03:
            return 0
        return self.random.randint(60, 240) if chance < 0.07 else self.random.randint(1, 20)

    def raw(self):
        words = [self.word() for _ in range(self.length())]
        text = "".join(word + self.random.choice(GAPS) for word in words)
        return text if self.random.random() < 0.2 else text.strip()

    def words(self):
        """A list of words; a few of them have blanks."""
        one = lambda: f"{self.word()} {self.word()}" if self.random.random() < 0.02 else self.word()
        return [one() for _ in range(self.length())]

    def plain(self, words):
        """A usual sentence of so many words."""
        return " ".join(self.random.choice(WORDS) for _ in range(words))


def sentences(folder, tasks, count=None):
    """The sentences of `TASK.txt` in a folder, by task."""
    lines = {task: (folder / f"{task}.txt").read_text().splitlines() for task in tasks}
    return {task: [line.strip() for line in own if line.strip()][:count] for task, own in lines.items()}


# --------------------------------------------------------------------------------------------------------------- `predict`


class Predict:
    """`hyperloader predict` on the model that is served."""

    def __init__(self, command, model, *options):
        self.command, self.model, self.options = command, str(model), [str(option) for option in options]

    def call(self, task, *arguments):
        return [self.command, "predict", self.model, "--quiet", "--task", task, *self.options, *map(str, arguments)]

    def lines(self, task, items, *arguments, form="jsonl"):
        """The lines of the answers to `items`: raw texts, or lists of words."""
        key = lambda item: "text" if isinstance(item, str) else "tokens"
        given = "".join(json.dumps({key(item): item}, ensure_ascii=False) + "\n" for item in items)
        call = self.call(task, "--format", form, "--input-format", "jsonl", *arguments, "-")
        done = subprocess.run(call, input=given.encode(), capture_output=True, check=False)
        if done.returncode != 0:
            sys.exit(f"predict fails: {done.stderr.decode()}")
        lines = done.stdout.split(b"\n")[:-1]
        if len(lines) != len(items):
            sys.exit(f"predict answered {len(items)} texts with {len(lines)} lines")
        return lines


# ---------------------------------------------------------------------------------------------------------------- figures


def median(values):
    return quantile(values, 0.5)


def quantile(values, part):
    """The smallest value that at least this part of the values does not exceed; of an even number, the mean of the middle two."""
    ordered = sorted(values)
    if part == 0.5 and len(ordered) % 2 == 0:
        return (ordered[len(ordered) // 2 - 1] + ordered[len(ordered) // 2]) / 2
    return ordered[max(math.ceil(part * len(ordered)) - 1, 0)]


def table(rows, header=None):
    """Prints rows of cells as a table."""
    cells = [[str(cell) for cell in row] for row in ([header] if header else []) + list(rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    for number, row in enumerate(cells):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
        if header and number == 0:
            print("  ".join("-" * width for width in widths))
    sys.stdout.flush()


class Checks:
    """What must hold; `end` prints it and ends the process with exit code 1 if something does not."""

    def __init__(self):
        self.rows = []

    def add(self, what, holds, figure):
        self.rows.append((what, figure, "yes" if holds else "NO"))

    def end(self):
        print()
        table(self.rows, ("check", "figure", "holds"))
        sys.exit(0 if all(row[2] == "yes" for row in self.rows) else 1)


def ended(checks, server):
    """Ends the server, and adds the checks of every script: it ends well, without a panic, without an error 500."""
    code, log = server.close(), server.log()
    checks.add("the server ends with exit code 0 on SIGTERM", code == 0, code)
    checks.add("no panic in the log", "panicked" not in log and "this is a bug" not in log, f"{len(log.splitlines())} lines")
    return log
