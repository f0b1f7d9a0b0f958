"""Draws the losses of several runs in one figure: `python loss_curves.py OUT.svg NAME=RUN ...`.

The runs need `logging_steps = 1`. Requires matplotlib.
"""
import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "loss"
from matplotlib import pyplot as plt  # noqa: E402

WINDOW = 10


def losses(run):
    lines = map(json.loads, (Path(run) / "metrics.jsonl").read_text().splitlines())
    return [line["loss_per_token"] for line in lines if "loss_per_token" in line]


def smooth(values):
    windows = (values[max(0, i - WINDOW + 1): i + 1] for i in range(len(values)))
    return [sum(window) / len(window) for window in windows]


out, *runs = sys.argv[1:]
figure, axes = plt.subplots(figsize=(7, 3.5))
for name, run in (run.split("=", 1) for run in runs):
    axes.plot(smooth(losses(run)), label=name, linewidth=1)
axes.set(xlabel="step", ylabel=f"loss per token, mean of {WINDOW} steps")
axes.legend()
figure.tight_layout()
figure.savefig(out, metadata={"Date": None})
