"""Greedy labelling with one task of HyperLoader in PyTorch, for `compare.py`.

It does the work of the labelling part of `hyperloader bench`: the task's weights are generated and LoRA is merged before; the adapters act;
sources have one length and no padding. Keys and values are kept in tensors of the full length, so that every step has the same shapes and
`--compile` compiles it once. A step chooses among all tokens of the vocabulary, and a fixed number of tokens is written: as many as the
target has. Ours writes as many, and computes the logits of the tags' tokens only.
"""
import argparse
import dataclasses
import json
import sys
import time

import torch
import torch.nn.functional as F

import torch_step
from torch_step import SHAPES, device_memory, device_name, fast_model, load_reference, measured_model, open_device, synchronize


def labelling_model(ref):
    class Labelling(fast_model(ref)):
        def drop(self, x):
            return x

        def merge(self):
            """Generates the task's weights and merges LoRA into the matrices."""
            self.generate("a")
            for (side, layer), delta in self.deltas.items():
                for kind, (a, b) in delta.lora.items():
                    weight = f"{side}.{layer}.{kind.replace('_', '.')}"
                    self.P[weight] = (self.P[weight].float() + b.float() @ a.float()).to(self.P[weight].dtype)
                self.deltas[side, layer] = dataclasses.replace(delta, lora={})

        def heads(self, name, x):
            return F.linear(x, self.P[name]).unflatten(-1, (self.bb.heads, self.bb.d_kv)).transpose(1, 2)

        def begin(self, ids, length):
            """Encodes `ids`, and makes room for `length` tokens."""
            bb, layers = self.bb, range(self.bb.dec_layers)
            encoded = self.stack("enc", ids, "a", None)
            self.cross = [(self.heads(f"dec.{i}.cross.k", encoded), self.heads(f"dec.{i}.cross.v", encoded)) for i in layers]
            room = lambda: torch.zeros(len(ids), bb.heads, length, bb.d_kv, dtype=self.cross[0][0].dtype)
            self.past = [(room(), room()) for _ in layers]
            bias = ref.rel_bias(self.P["dec.rel_bias"], length, length, False, bb)
            later = torch.ones(length, length, dtype=torch.bool).triu(1)
            self.bias = bias.masked_fill(later, torch.finfo(bias.dtype).min)

        def step(self, token, position, bias, past, cross):
            """The next token after `token`, `[batch]`, which is at `position`."""
            P, bb = self.P, self.bb
            x = F.embedding(token, P["embed"])[:, None].float()
            for i in range(bb.dec_layers):
                L, d, (keys, values) = f"dec.{i}", self.deltas["dec", i], past[i]
                n = self.norm(x, P[f"{L}.self.norm"])
                q, k, v = (self.heads(f"{L}.self.{w}", n) for w in "qkv")
                keys.index_copy_(2, position, k)
                values.index_copy_(2, position, v)
                out = F.scaled_dot_product_attention(q, keys, values, bias.index_select(2, position).to(q.dtype), scale=1.0)
                x = x + self.adapter(F.linear(out.transpose(1, 2).flatten(2), P[f"{L}.self.o"]), d.self_adapter)
                n = self.norm(x, P[f"{L}.cross.norm"])
                out = F.scaled_dot_product_attention(self.heads(f"{L}.cross.q", n), *cross[i], scale=1.0)
                x = x + F.linear(out.transpose(1, 2).flatten(2), P[f"{L}.cross.o"])
                n = self.norm(x, P[f"{L}.ffn.norm"])
                x = x + self.adapter(self.ffn(f"{L}.ffn", n), d.ffn_adapter)
            h = self.norm(x[:, 0], P["dec.final_norm"]) * bb.d_model ** -0.5
            return F.linear(h, P["embed"]).argmax(-1)

    return Labelling


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", default="../shared/reference/hyperloader_ref.py")
    parser.add_argument("--shape", choices=SHAPES, default="t5-small")
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--source-length", type=int, default=48)
    parser.add_argument("--target-length", type=int, default=64)
    parser.add_argument("--steps", type=int, default=5, help="batches that are measured")
    parser.add_argument("--warmup", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--compile", action="store_true", help="with torch.compile")
    parser.add_argument("--check", action="store_true", help="compare the tokens with those of the whole model without a cache")
    args = parser.parse_args()
    torch_step.DROPOUT, torch_step.SDPA = 0.0, True
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    device = open_device(args.device)
    ref = load_reference(args.reference)
    model = measured_model(ref, args.shape, args.dtype, device, labelling_model(ref))
    source = torch.randint(3, model.bb.vocab, (args.batch_size, args.source_length))
    positions = torch.arange(args.target_length)
    step = torch.compile(model.step) if args.compile else model.step

    @torch.inference_mode()
    def label():
        with torch.autocast(device.type, torch.bfloat16, enabled=args.dtype == "bf16"):
            model.begin(source, args.target_length)
            tokens = [torch.full((args.batch_size,), model.bb.start)]
            for i in range(args.target_length):
                tokens.append(step(tokens[-1], positions[i: i + 1], model.bias, model.past, model.cross))
            return torch.stack(tokens, 1)

    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=args.dtype == "bf16"):
        model.merge()
    times = []
    for _ in range(args.warmup + args.steps):
        synchronize(device)
        start = time.perf_counter()
        tokens = label().cpu()
        synchronize(device)
        times.append(time.perf_counter() - start)
    if args.check:
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=args.dtype == "bf16"):
            whole = model.logits(source, torch.ones_like(source), tokens[:, 1:].to(device), "a").argmax(-1).cpu()
        if not torch.equal(whole, tokens[:, 1:]):
            sys.exit(f"{(whole != tokens[:, 1:]).sum()} of {whole.numel()} tokens differ from those without a cache")
    times = sorted(times[args.warmup:])
    middle = (times[(len(times) - 1) // 2] + times[len(times) // 2]) / 2
    print(json.dumps({
        "sentences_per_second": args.batch_size / middle,
        "device_memory_bytes": device_memory(device),
        "device": device_name(device),
        "torch": torch.__version__,
    }))


if __name__ == "__main__":
    main()
