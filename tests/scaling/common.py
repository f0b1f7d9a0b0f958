"""What the checks of this folder share."""

import argparse
import json
import os
import pathlib
import subprocess
import sys


def arguments(description, *names):
    """The arguments `--command` and those in `names`, as absolute paths."""
    parser = argparse.ArgumentParser(description=description)
    for name in ("command", *names):
        parser.add_argument(f"--{name}", required=True, type=pathlib.Path)
    parser.add_argument("--work", type=pathlib.Path, help="a new folder for what is made; default: a temporary one")
    found = parser.parse_args()
    for name in ("command", *names):
        setattr(found, name, getattr(found, name).resolve())
    if found.work:
        found.work = found.work.resolve()
        found.work.mkdir(parents=True)
    if "quickstart" in names:
        # The quickstart's configuration names its data from there.
        os.chdir(found.quickstart.parent)
    return found


def mpirun(ranks, *more):
    """The start of a call of mpirun. Several ranks may share a core, and root may start them: this is a test."""
    options = ["--allow-run-as-root", "--oversubscribe", "--bind-to", "none", *more]
    return ["mpirun", "-n", str(ranks), *options]


def run(call, **more):
    """Runs `call` to its end; stdout, or the end of this program."""
    done = subprocess.run([str(part) for part in call], capture_output=True, text=True, **more)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, call))}\nexit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def train_call(args, steps, accumulate, out, **more):
    """The call that trains the quickstart's model from its backbone."""
    settings = {
        "train.max_steps": steps,
        "train.gradient_accumulation_steps": accumulate,
        "train.logging_steps": 1,
        "train.save_steps": 10,
        "data.cache": "false",
        **more,
    }
    call = [args.command, "train", "--config", args.quickstart / "run/config.toml", "--out", out, "--threads", "1", "--quiet"]
    for key, value in settings.items():
        call += ["--set", f"{key}={value}"]
    return call


def curves(run_folder):
    """By step: loss, norm of the gradients, and validation score."""
    found = {}
    for line in (run_folder / "metrics.jsonl").read_text().splitlines():
        record = json.loads(line)
        keys = ("loss_per_token", "grad_norm", "validation/average_micro_f1")
        found.setdefault(record["step"], {}).update({key: record[key] for key in keys if key in record})
    return found


def weights(run_folder):
    """The bytes of the trained weights."""
    return (run_folder / "adapter_model.safetensors").read_bytes()


def text(quickstart, lines):
    """Sentences of the quickstart's data, with both line ends and blank lines."""
    words, sentences = [], []
    for line in (quickstart / "data/home.train.bio").read_text().splitlines():
        if line.strip():
            words.append(line.split("\t")[-1])
        elif words:
            sentences.append(" ".join(words))
            words = []
    ends = ["\n", "\r\n", "\n\n"]
    return "".join(sentences[n % len(sentences)] + f" {n}" + ends[n % 3] for n in range(lines)) + "no end"


class Checks:
    """Counts what holds."""

    def __init__(self):
        self.failed = 0

    def check(self, holds, text):
        print(f"{'ok  ' if holds else 'FAIL'}  {text}", flush=True)
        self.failed += not holds

    def end(self):
        sys.exit(1 if self.failed else 0)
