#!/usr/bin/env python3
"""Trains HyperLoader in PyTorch on a run's own backbone, sentences and batches, and scores it as `hyperloader eval` does.

    python train_reference.py RUN --reference hyperloader_ref.py --command hyperloader --seeds 1 2 3

RUN is the folder of a run of `hyperloader train`: its config.toml says what is trained, on what, and for how long. The backbone is read
from `model.name`, and the sentences are encoded by the command. Batches are drawn by the sampler of this project
(datasets/src/sample), so that a seed gives the same sentences in the same order. Initial values are the reference's own: they are as in
the paper's code, but not the same numbers.

First the weights of RUN are put into the reference and scored: that must give the scores of the run's own `eval/test.json`, which shows
that the two agree on everything but training. With `--start`, the reference then begins at the initial values of RUN, and the loss of each
step is compared with the one that RUN logged (`train.logging_steps = 1`). The only step of the run that `--start` names has a learning rate
of 0, so that its weights are the initial values. At last each seed is trained from the reference's own initial values, and scored.
"""
import argparse
import importlib.util
import json
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import torch
from safetensors.torch import load_file

MASK = (1 << 64) - 1
PAD, EOS = 0, 1
POSITIONS = ["ffn", "self", "self.q", "self.v", "cross.q", "cross.v"]


# ------------------------------------------------------------------------------------------- batches
class Rng:
    """xoshiro256++, seeded by SplitMix64."""

    def __init__(self, seed):
        self.s = []
        for _ in range(4):
            seed = (seed + 0x9E3779B97F4A7C15) & MASK
            z = seed
            z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
            z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
            self.s.append(z ^ (z >> 31))

    def next(self):
        def rotl(x, k):
            return ((x << k) | (x >> (64 - k))) & MASK
        s = self.s
        out = (rotl((s[0] + s[3]) & MASK, 23) + s[0]) & MASK
        t = (s[1] << 17) & MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rotl(s[3], 45)
        return out

    def unit(self):
        return (self.next() >> 11) / (1 << 53)

    def below(self, bound):
        excess = (-bound & MASK) % bound
        while True:
            product = self.next() * bound
            if product & MASK >= excess:
                return product >> 64


class Sampler:
    """A task with probability n^(1/T), then its sentences uniformly with replacement."""

    def __init__(self, sizes, temperature, seed):
        weights = [(n / sum(sizes)) ** (1 / temperature) for n in sizes]
        shares = [w / sum(weights) for w in weights]
        self.sizes, self.rng = sizes, Rng(seed)
        self.bounds = [sum(shares[:i + 1]) for i in range(len(sizes) - 1)]

    def step(self, batch):
        drawn = self.rng.unit()
        task = sum(bound <= drawn for bound in self.bounds)
        return task, [self.rng.below(self.sizes[task]) for _ in range(batch)]


assert [Rng(42).below(1000)] == [814], "the sampler differs from the one in Rust"


def padded(rows):
    width = max(map(len, rows))
    return torch.tensor([row + [PAD] * (width - len(row)) for row in rows])


def batch_of(pairs, task):
    ids, labels = padded([p[0] for p in pairs]), padded([p[1] for p in pairs])
    return {"ids": ids, "mask": (ids != PAD).long(), "labels": labels, "task": task}


# --------------------------------------------------------------------------------------------- texts
class Words:
    """From generated ids to simplified tags: what is special is left out, the rest is split at white space."""

    def __init__(self, path):
        tokenizer = json.loads(Path(path).read_text())
        self.pieces = {i: piece for i, (piece, _) in enumerate(tokenizer["model"]["vocab"])}
        self.special = {token["id"] for token in tokenizer["added_tokens"] if token["special"]}

    def tags(self, ids):
        return "".join(self.pieces[i] for i in ids if i not in self.special).replace("▁", " ").split()


def spans(tags):
    """The spans of simplified tags: `X` begins one, `I` continues it."""
    found = []
    for i, tag in enumerate(tags):
        if tag == "I":
            if found and found[-1][2] == i:
                found[-1][2] = i + 1
        elif tag != "O":
            found.append([tag, i, i + 1])
    return {tuple(span) for span in found}


def micro_f1(gold, predicted):
    right = named = known = 0
    for g, p in zip(gold, predicted, strict=True):
        g, p = spans(g), spans((p + ["O"] * len(g))[:len(g)])
        right, named, known = right + len(g & p), named + len(p), known + len(g)
    return 2 * right / max(1, named + known)


# --------------------------------------------------------------------------------------------- model
def our_name(own, bb, pf):
    """The reference's name of a trained weight as it is in our files; None for the backbone's."""
    parts = own.split(".")
    leaf = {"w": "weight", "gamma": "weight", "b": "bias", "beta": "bias"}
    if parts[0] == "task":
        return "hyper.tasks." + parts[1]
    if parts[1:2] != ["hyper"]:
        return None
    root = "hyper." + {"enc": "encoder", "dec": "decoder"}[parts[0]]
    rest = parts[2:]
    if len(rest) == 1:
        return f"{root}.{rest[0]}"
    if rest[0] in ("mlp1", "mlp2", "norm"):
        return f"{root}.{rest[0]}.{leaf[rest[1]]}"
    d, m, r, inner = bb.d_model, pf.bottleneck, pf.rank, bb.inner
    head = {"down_w": f"adapter.down.weight.{m}x{d}", "down_b": f"adapter.down.bias.{m}", "up_w": f"adapter.up.weight.{d}x{m}",
            "up_b": f"adapter.up.bias.{d}", "post_gamma": f"adapter.ln_after.weight.{d}",
            "post_beta": f"adapter.ln_after.bias.{d}", "lora_a": f"lora_A.weight.{r}x{d}",
            "lora_b": f"lora_B.weight.{inner}x{r}"}[rest[0]]
    return f"{root}.heads.{head}.{leaf[rest[1]]}"


def described(config, ref):
    """The reference's settings for a configuration; what it cannot express is an error."""
    shape = json.loads((Path(config["model"]["name"]) / "config.json").read_text())
    bb = ref.Backbone(vocab=shape["vocab_size"], d_model=shape["d_model"], d_kv=shape["d_kv"], d_ff=shape["d_ff"],
                      heads=shape["num_heads"], enc_layers=shape["num_layers"], dec_layers=shape["num_decoder_layers"],
                      buckets=shape["relative_attention_num_buckets"], eps=shape["layer_norm_epsilon"])
    lora, adapter = config["peft"]
    generator, train = config["generator"], config["train"]
    expected = [
        (lora["peft_type"], "LORA"), (adapter["peft_type"], "BOTTLENECK"), (generator["generator"], "hypernetwork"),
        (generator["positions"], POSITIONS), (config["model"]["trainable"], "norms"), (shape["dropout_rate"], 0.0),
        (lora.get("lora_dropout", 0.0), 0.0), (train["gradient_accumulation_steps"], 1), (train["schedule"], "linear"),
        (train["loss_reduction"], "sum"), (config["eval"]["decoding"], "free"), (config["data"]["fraction"], 1.0),
    ]
    for found, wanted in expected:
        if found != wanted:
            sys.exit(f"the reference cannot do {found!r}; expected {wanted!r}")
    pf = ref.Peft(mode="hyperloader", tasks=[task["name"] for task in config["tasks"]], rank=lora["r"], alpha=lora["lora_alpha"],
                  bottleneck=int(bb.d_model // adapter["reduction_factor"]), d_task=generator["embedding_dim"],
                  d_hidden=generator["hidden_dim"], d_cond=generator["conditioning_dim"])
    return bb, pf


def fast(ref):
    """The reference's model, which generates the weights of a task once for all steps of greedy decoding."""
    class Model(ref.Model):
        kept = None

        def delta(self, side, layer, task):
            if self.kept is None:
                return super().delta(side, layer, task)
            key = (side, layer, task)
            if key not in self.kept:
                self.kept[key] = super().delta(side, layer, task)
            return self.kept[key]

        def greedy(self, *args):
            self.kept = {}
            out = super().greedy(*args)
            self.kept = None
            return out
    return Model


def scores(model, tests, words, max_length):
    result = {}
    for task, pairs in tests.items():
        # Sentences of similar length together, as each batch decodes until its last sentence ends.
        order = sorted(pairs, key=lambda pair: len(pair[1]))
        predicted = []
        for start in range(0, len(order), 64):
            batch = batch_of(order[start:start + 64], task)
            rows = model.greedy(batch["ids"], batch["mask"], task, max_length).tolist()
            predicted += [words.tags(row) for row in rows]
        result[task] = micro_f1([words.tags(pair[1]) for pair in order], predicted)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--reference", required=True)
    parser.add_argument("--command", default="hyperloader")
    parser.add_argument("--seeds", type=int, nargs="*", default=[])
    parser.add_argument("--start", type=Path, help="a run with the same seed and settings, but max_steps = 1 and warmup_steps = 1")
    parser.add_argument("--compare", type=int, default=100, help="with --start: how many steps to compare")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    spec = importlib.util.spec_from_file_location("hyperloader_ref", args.reference)
    ref = sys.modules["hyperloader_ref"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(ref)

    config = tomllib.loads((args.run / "config.toml").read_text())
    bb, pf = described(config, ref)
    data, train = config["data"], config["train"]

    def encoded(path):
        call = [args.command, "data", "tokenize", path, "--tokenizer", config["model"]["name"], "-n", "1000000", "--json",
                "--max-source-length", str(data["max_source_length"]), "--max-target-length", str(data["max_target_length"])]
        lines = map(json.loads, subprocess.run(call, check=True, capture_output=True, text=True).stdout.splitlines())
        return [(line["source"]["ids"], line["target"]["ids"]) for line in lines]

    sets = [encoded(task["train"]) for task in config["tasks"]]
    tests = {task["name"]: encoded(task["test"]) for task in config["tasks"]}
    words = Words(Path(config["model"]["name"]) / "tokenizer.json")
    Model, kinds, length = fast(ref), ref.layout(bb, pf), config["eval"]["max_length"]
    theirs = load_file(Path(config["model"]["name"]) / "model.safetensors")
    backbone = {k: theirs[ref.foreign_name(k, bb)] for k in kinds if our_name(k, bb, pf) is None}

    def put(run):
        """The reference with the weights of a run."""
        own = run / "adapter_model.safetensors"
        ours = load_file(own if own.is_file() else run / "best" / "adapter_model.safetensors")
        trained = {k: ours.get(our_name(k, bb, pf) or ref.foreign_name(k, bb)) for k in kinds}
        return Model(bb, pf, {k: backbone[k].clone() if v is None else v.reshape(kinds[k][0]) for k, v in trained.items()})

    def steps(model, seed, count):
        """Trains, and yields the loss of each step."""
        optimizer, sampler = ref.AdamW(), Sampler([len(pairs) for pairs in sets], data["temperature"], seed)
        for step in range(count):
            number, items = sampler.step(train["batch_size"])
            batch = batch_of([sets[number][i] for i in items], pf.tasks[number])
            loss = model.smoothed_sum(model.logits(batch["ids"], batch["mask"], batch["labels"], batch["task"]), batch["labels"],
                                      train["label_smoothing"])
            gradients = ref.gradients(model, loss)
            ref.clip_(gradients, train["max_grad_norm"])
            rate = ref.linear_lr(step, train["learning_rate"], train["warmup_steps"], train["max_steps"])
            with torch.no_grad():
                optimizer.step(model.P, gradients, rate)
            yield loss.item()

    report = json.loads((args.run / "eval" / "test.json").read_text())["tasks"]
    for task, f1 in scores(put(args.run), tests, words, length).items():
        print(json.dumps({"weights": "ours", "task": task, "f1": f1, "f1_of_eval": report[task]["micro_f1"]}), flush=True)

    if args.start:
        lines = map(json.loads, (args.run / "metrics.jsonl").read_text().splitlines())
        ours = [line["loss"] for line in lines if "loss" in line][:args.compare]
        theirs = list(steps(put(args.start), config["seed"], len(ours)))
        gaps = [abs(a - b) / b for a, b in zip(theirs, ours, strict=True)]
        for n in (1, 10, 30, 100, len(gaps)):
            if n <= len(gaps):
                print(json.dumps({"losses_of_steps": n, "largest_relative_difference": max(gaps[:n])}), flush=True)

    for seed in args.seeds:
        start = time.time()
        model = Model(bb, pf, {**ref.init(bb, pf, seed), **{k: v.clone() for k, v in backbone.items()}})
        for step, loss in enumerate(steps(model, seed, train["max_steps"]), 1):
            if step % 50 == 0:
                print(f"seed {seed} step {step}: loss {loss:.1f}, {time.time() - start:.0f} s", file=sys.stderr, flush=True)
        seconds = round(time.time() - start)
        for task, f1 in scores(model, tests, words, length).items():
            print(json.dumps({"weights": "reference", "seed": seed, "task": task, "f1": f1, "seconds": seconds}), flush=True)


if __name__ == "__main__":
    main()
