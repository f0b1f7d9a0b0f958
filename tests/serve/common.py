"""What the checks of the server share: the server, its memory, figures, tables."""
import asyncio
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from clients import Blocking, head, post


class Server:
    """`hyperloader serve` on a free port of this machine. Its log goes to a file, which `close` reads."""

    def __init__(self, command, models, *options, verbose=False):
        # A check that is told to end takes its server with it.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to end"))
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
