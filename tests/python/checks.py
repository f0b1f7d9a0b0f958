"""Checks whether a golden folder is a fair test of another implementation, and whether passing it means anything.

A folder is *fair* if float32 rounding alone cannot make it fail, and *telling* if known wrong implementations
fail it. Both depend on the random weights, so the seeds are chosen by these checks.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file

PARAMETER_TOLERANCE = 2e-5  # the parity test's, for parameters after one and five optimizer steps
GRADIENT_TOLERANCE = 2e-5  # the parity test's, relative to the largest element of the gradient's tensor
NOISE_SHARE = 1 / 4  # the share of a tolerance that float32 rounding may use
JITTER = 3e-6  # relative change of every weight that must not change a generated token


def tokens(ref, backbone, peft, weights, batch, max_length, tasks):
    """Greedy and beam-4 tokens for each task."""
    model = ref.Model(backbone, peft, weights)
    ids, mask = batch["ids"], batch["mask"]
    return {
        task: (model.greedy(ids, mask, task, max_length).tolist(), model.beam(ids, mask, task, 4, max_length).tolist())
        for task in tasks
    }


def row_kinds(found, eos):
    """The kinds of rows that occur: 'ended' is closed by eos, 'full' is cut at the length limit."""
    return {"ended" if eos in row[1:] else "full" for pair in found.values() for rows in pair for row in rows}


def jittered(weights, seed):
    """The weights, with a random relative change of about `JITTER` in each element."""
    draw = torch.Generator().manual_seed(seed)
    return {k: v * (1 + JITTER * torch.randn(v.shape, generator=draw)) for k, v in weights.items()}


def generation_faults(ref, case, backbone, peft):
    """Reasons why the generated tokens are trivial or depend on rounding. Empty if there are none."""
    weights = ref.init(backbone, peft, case.seed, golden=True)
    batch = ref.make_batches(backbone, peft.tasks, case.seed + 77, **case.batch)[0]
    tasks = peft.tasks if peft.mode in (*ref.HYPER, "adapter") else peft.tasks[:1]
    find = lambda w: tokens(ref, backbone, peft, {k: v.detach() for k, v in w.items()}, batch, case.max_length, tasks)
    found = find(weights)
    faults = []
    if row_kinds(found, backbone.eos) != {"ended", "full"}:
        faults.append("rows either all end by eos or all reach the length limit")
    if all(len(set(row[1:])) <= 2 for greedy, _ in found.values() for row in greedy):
        faults.append("every greedy row repeats one token")
    if all(greedy == beam for greedy, beam in found.values()):
        faults.append("beam search and greedy search give the same tokens")
    others = [{k: v.detach().double() for k, v in weights.items()}, jittered(weights, 1), jittered(weights, 2)]
    if any(find(other) != found for other in others):
        faults.append("tokens change with rounding")
    return faults


def gradient_faults(ref, case, backbone, peft):
    """The gradients that are affected too much by rounding. Empty if there are none."""
    weights = ref.init(backbone, peft, case.seed, golden=True)
    batch = ref.make_batches(backbone, peft.tasks, case.seed + 77, **case.batch)[0]

    def gradients(weights):
        model = ref.Model(backbone, peft, weights)
        logits = model.logits(batch["ids"], batch["mask"], batch["labels"], batch["task"])
        return ref.gradients(model, model.smoothed_sum(logits, batch["labels"]))

    double = gradients({k: v.double() for k, v in weights.items()})
    noise = {
        name: ((single - double[name]).abs().max() / double[name].abs().max()).item()
        for name, single in gradients(weights).items()
        if double[name].any()
    }
    return [f"gradient of {k} is off by {v:.1e}" for k, v in noise.items() if v > GRADIENT_TOLERANCE * NOISE_SHARE]


def training_faults(folder: Path, meta: dict):
    """Reasons why the optimizer steps depend on rounding or test nothing. Empty if there are none."""
    faults = []
    for key, steps in meta.items():
        of_steps = key.startswith("float32_vs_float64.") and isinstance(steps, dict)
        if of_steps and max(steps.values()) > PARAMETER_TOLERANCE * NOISE_SHARE:
            faults.append(f"{key} is {max(steps.values()):.1e}")
    if max(meta["torch_adamw_vs_transformers35_adamw"].values()) < 2 * PARAMETER_TOLERANCE:
        faults.append("the two AdamW flavors agree")
    dense, lazy = (folder / f"after_step5.mixed_{kind}.safetensors" for kind in ("dense", "lazy"))
    several = len(meta["peft"]["tasks"]) > 1
    if several and dense.exists() and distance(load_file(dense), load_file(lazy)) < 2 * PARAMETER_TOLERANCE:
        faults.append("mixed_dense and mixed_lazy agree")
    return faults


def distance(a, b):
    """The largest absolute difference between two sets of tensors with the same names."""
    return max((a[k] - b[k]).abs().max().item() for k in a)
