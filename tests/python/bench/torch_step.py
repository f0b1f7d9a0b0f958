"""A training step of HyperLoader in PyTorch: the reference's model, made faster in the obvious ways.

`reference` is the plain-PyTorch program that made the golden files. The differences: one matrix product for each kind generates
the weights of all sites, norms and activations are PyTorch's fused ones, attention is `scaled_dot_product_attention`, the loss
is `F.cross_entropy`, AdamW is fused, and there is dropout where T5 has it. `--compile` compiles generation, both passes and the loss.

`bf16` is autocast. On a GPU the frozen matrices are also stored in bf16, as ours are; the sum along the layers stays f32.
"""
import argparse
import importlib.util
import json
import resource
import sys
import time

import torch
import torch.nn.functional as F

SHAPES = {
    "t5-small": dict(vocab=32128, d_model=512, d_kv=64, d_ff=2048, heads=8, enc_layers=6, dec_layers=6),
    "t5-base": dict(vocab=32128, d_model=768, d_kv=64, d_ff=3072, heads=12, enc_layers=12, dec_layers=12),
}
DROPOUT = 0.1


def load_reference(path):
    spec = importlib.util.spec_from_file_location("reference", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["reference"] = module
    spec.loader.exec_module(module)
    return module


def open_device(name):
    """The device of this name, if PyTorch finds it."""
    if name == "cuda" and not torch.cuda.is_available():
        sys.exit(f"PyTorch {torch.__version__} finds no CUDA device (torch.cuda.is_available() is False): there is nothing to measure")
    return torch.device(name)


def synchronize(device):
    """Waits for the device: it works while the host goes on."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def device_memory(device):
    """The bytes of the GPU's memory in use, as `hyperloader bench` counts them. PyTorch gives none back, so it is the most so far."""
    if device.type != "cuda":
        return None
    free, total = torch.cuda.mem_get_info()
    return total - free


def device_name(device):
    return torch.cuda.get_device_name() if device.type == "cuda" else "cpu"


def measured_model(ref, shape, dtype, device, kind):
    """A model of the class that `kind` makes, with random weights on `device`."""
    bb = ref.Backbone(**SHAPES[shape])
    pf = ref.Peft(mode="hyperloader", tasks=["a"], bottleneck=bb.d_model // 32)
    weights = {name: value.to(device) for name, value in ref.init(bb, pf).items()}
    model = kind(bb, pf, weights)
    if dtype == "bf16" and device.type == "cuda":
        for name, value in model.P.items():
            if value.ndim == 2 and not value.requires_grad and not name.endswith("rel_bias"):
                model.P[name] = value.to(torch.bfloat16)
    # The reference makes masks and positions where tensors are made by default.
    torch.set_default_device(device)
    return model


def fast_model(ref):
    class Fast(ref.Model):
        """The reference's model, faster, with the same parameters and formulas."""

        def generate(self, task):
            """Generates all weights of a step, with one product for each kind of weight in each stack."""
            P, pf, bb = self.P, self.pf, self.bb
            self.deltas = {}
            for side, layers in (("enc", bb.enc_layers), ("dec", bb.dec_layers)):
                H = f"{side}.hyper"
                n_pos = P[f"{H}.position_embed"].shape[0]
                e = torch.cat([
                    P[f"task.{task}"].expand(layers, n_pos, -1),
                    P[f"{H}.layer_embed"][:, None].expand(-1, n_pos, -1),
                    P[f"{H}.position_embed"][None].expand(layers, -1, -1),
                ], -1)
                h = torch.relu(F.linear(e, P[f"{H}.mlp1.w"], P[f"{H}.mlp1.b"]))
                h = F.linear(h, P[f"{H}.mlp2.w"], P[f"{H}.mlp2.b"])
                c = F.layer_norm(h, (pf.d_cond,), P[f"{H}.norm.gamma"], P[f"{H}.norm.beta"], pf.cond_eps)

                def head(name, rows, *shape):
                    return F.linear(rows, P[f"{H}.{name}.w"], P.get(f"{H}.{name}.b")).unflatten(-1, shape)

                D, m = bb.d_model, pf.bottleneck
                adapters = c[:, :2]
                kinds = [head("down_w", adapters, m, D), head("down_b", adapters, m), head("up_w", adapters, D, m),
                         head("up_b", adapters, D), head("post_gamma", adapters, D), head("post_beta", adapters, D)]
                names = ["self_q", "self_v"] + (["cross_q", "cross_v"] if side == "dec" else [])
                lora = c[:, 2:2 + len(names)]
                a, b = head("lora_a", lora, pf.rank, D), head("lora_b", lora, bb.inner, pf.rank)
                for i in range(layers):
                    pick = lambda pos: ref.AdapterW(*[k[i, pos] for k in kinds[:4]], None, (kinds[4][i, pos], kinds[5][i, pos]))
                    loras = {name: (a[i, j], b[i, j]) for j, name in enumerate(names)}
                    self.deltas[side, i] = ref.Delta(pick(1), pick(0), loras)

        def delta(self, side, layer, task):
            return self.deltas[side, layer]

        def adapter(self, y, a):
            z = F.linear(F.gelu(F.linear(y, a.down_w, a.down_b), approximate="tanh"), a.up_w, a.up_b)
            return y + F.layer_norm(z, (z.shape[-1],), *a.post, self.pf.adapter_eps)

        def drop(self, x):
            return F.dropout(x, DROPOUT, True)

        def norm(self, x, w):
            return F.rms_norm(x, (x.shape[-1],), w, self.bb.eps)

        def attention(self, name, kind, x, kv, bias, d):
            P, bb = self.P, self.bb

            def proj(w, inp):
                y = F.linear(inp, P[f"{name}.{w}"])
                if f"{kind}_{w}" in d.lora:
                    A, B = d.lora[f"{kind}_{w}"]
                    y = y + F.linear(F.linear(inp, A), B)  # alpha = r
                return y.unflatten(-1, (bb.heads, bb.d_kv)).transpose(1, 2)
            q, k, v = proj("q", x), proj("k", kv), proj("v", kv)
            if SDPA:
                out = F.scaled_dot_product_attention(q, k, v, None if bias is None else bias.to(q.dtype), DROPOUT, scale=1.0)
            else:
                scores = q @ k.transpose(-1, -2)
                p = torch.softmax(scores if bias is None else scores + bias, -1)
                out = self.drop(p) @ v
            return F.linear(out.transpose(1, 2).flatten(2), P[f"{name}.o"])

        def ffn(self, name, x):
            return F.linear(self.drop(F.relu(F.linear(x, self.P[f"{name}.in"]))), self.P[f"{name}.out"])

        def stack(self, side, ids, task, self_mask, enc=None, cross_mask=None):
            P, bb = self.P, self.bb
            x = self.drop(F.embedding(ids, P["embed"]).float())
            t = ids.shape[1]
            bias = ref.rel_bias(P[f"{side}.rel_bias"], t, t, side == "enc", bb)
            if side == "dec":
                bias = bias.masked_fill(torch.ones(t, t, dtype=torch.bool).triu(1), torch.finfo(bias.dtype).min)
            # All sentences of the measured batch have the same length, so no padding must be masked, which saves work.
            for i in range(bb.enc_layers if side == "enc" else bb.dec_layers):
                L, d = f"{side}.{i}", self.delta(side, i, task)
                n = self.norm(x, P[f"{L}.self.norm"])
                x = x + self.drop(self.adapter(self.attention(f"{L}.self", "self", n, n, bias, d), d.self_adapter))
                if enc is not None:
                    n = self.norm(x, P[f"{L}.cross.norm"])
                    x = x + self.drop(self.attention(f"{L}.cross", "cross", n, enc, None, d))
                n = self.norm(x, P[f"{L}.ffn.norm"])
                x = x + self.drop(self.adapter(self.ffn(f"{L}.ffn", n), d.ffn_adapter))
            return self.drop(self.norm(x, P[f"{side}.final_norm"]))

    return Fast


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reference", default="../shared/reference/hyperloader_ref.py")
    parser.add_argument("--shape", choices=SHAPES, default="t5-small")
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--source-length", type=int, default=48)
    parser.add_argument("--target-length", type=int, default=64)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--warmup", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--no-sdpa", action="store_true", help="attention by softmax and matmul")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--compile", action="store_true", help="with torch.compile")
    args = parser.parse_args()
    global SDPA
    SDPA = not args.no_sdpa
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    device = open_device(args.device)
    ref = load_reference(args.reference)
    model = measured_model(ref, args.shape, args.dtype, device, fast_model(ref))
    bb = model.bb
    parameters = [p for p in model.P.values() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=3e-4, weight_decay=0.0, fused=True)
    ids = lambda length: torch.randint(3, bb.vocab, (args.batch_size, length))
    source, labels = ids(args.source_length), ids(args.target_length)
    mask = torch.ones_like(source)

    def loss_of(source, mask, labels):
        with torch.autocast(device.type, torch.bfloat16, enabled=args.dtype == "bf16"):
            model.generate("a")
            logits = model.logits(source, mask, labels, "a")
            return F.cross_entropy(logits.flatten(0, 1).float(), labels.flatten(), label_smoothing=0.1, reduction="sum")

    if args.compile:
        loss_of = torch.compile(loss_of)
    times = []
    for _ in range(args.warmup + args.steps):
        synchronize(device)
        start = time.perf_counter()
        loss_of(source, mask, labels).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        synchronize(device)
        times.append(1e3 * (time.perf_counter() - start))
    times = sorted(times[args.warmup:])
    print(json.dumps({
        "trainable": sum(p.numel() for p in parameters),
        "step_ms": times[len(times) // 2] if len(times) % 2 else (times[len(times) // 2 - 1] + times[len(times) // 2]) / 2,
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "device_memory_bytes": device_memory(device),
        "device": device_name(device),
        "torch": torch.__version__,
    }))


if __name__ == "__main__":
    main()
