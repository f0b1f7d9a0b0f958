"""Tests `hyperloader serve` against its own description with schemathesis: data that fits it, and data that does not."""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from server import Server

TOKEN = "a-token-of-this-check"

# What fits the description is answered. What does not fit is refused, with 413 if there is too much of it; schemathesis would also
# take a failure of the server for a refusal, and 413 for none.
CONFIG = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx"]
[checks.negative_data_rejection]
expected-statuses = [400, 401, 404, 405, 413, 415, 422]
"""

# No schema can say which folders hold a model, so that a path that fits it may still be refused.
UNKNOWABLE = "positive_data_acceptance"


def run(name, folder, address, *options):
    """One run of schemathesis. The number of its cases."""
    call = [
        shutil.which("schemathesis") or str(pathlib.Path(sys.executable).with_name("schemathesis")),
        "--config-file", "schemathesis.toml", "run", address + "/openapi.json", "--header", f"Authorization: Bearer {TOKEN}", "--mode", "all", "--checks", "all",
        "--continue-on-failure", "--no-color", "--generation-database", "none", *options,
    ]
    done = subprocess.run(call, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder)
    cases = re.search(r"(\d[\d,]*) generated, (\d[\d,]*) passed", done.stdout)
    if done.returncode or not cases or cases[1] != cases[2]:
        print(done.stdout)
        sys.exit(f"FAILED: {name}")
    print(f"{name}: {cases[1]} cases, all passed")
    return int(cases[1].replace(",", ""))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="a trained run with confidences, or a compiled folder")
    parser.add_argument("--task", required=True, help="a task of it, which requests may leave out")
    parser.add_argument("--command", default="hyperloader", help="the command; default: hyperloader")
    parser.add_argument("--examples", type=int, default=300, help="random cases of a kind for each route; default: 300")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if not shutil.which("schemathesis") and not pathlib.Path(sys.executable).with_name("schemathesis").exists():
        print("SKIPPED: this needs the Python package schemathesis")
        return
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "schemathesis.toml").write_text(CONFIG)
        token = pathlib.Path(folder, "token")
        token.write_text(TOKEN + "\n")
        options = ["--default-task", arguments.task, "--token-file", str(token), "--admin-token-file", str(token), "--max-texts", "20"]
        random = ["--max-examples", str(arguments.examples), "--seed", str(arguments.seed)]
        with Server(arguments.command, [f"served={arguments.model}"], *options) as server:
            sample = lambda: server.label(TOKEN, task=arguments.task, text="turn on the lights in the kitchen")
            before = sample()
            cases = run("routes for clients", folder, server.address, "--exclude-path-regex", "^/v1/models", *random)
            admin = ["--include-path-regex", "^/v1/models", "--exclude-checks", UNKNOWABLE]
            cases += run("routes for admins", folder, server.address, *admin, *random)
            after = sample()
            if before != after:
                sys.exit("FAILED: an answer is another one afterwards")
            code = server.stop()
    if code:
        sys.exit(f"FAILED: the server ends with {code}")
    print(f"{cases:,} cases; the server answers as before and ends with 0")


if __name__ == "__main__":
    main()
