"""Labels a corpus with `hyperloader predict` and with Hugging Face's `generate` in turn, on models of one shape with random
weights, and prints the medians of the ratios of sentences a second.

    python tests/python/bench/label.py --command target/release/hyperloader --run compiled/snips --task snips \\
        --corpus ../shared/data/snips/test --tokenizer ../shared/tokenizer/t5

`--run` is a folder of `hyperloader compile`; `--corpus` holds `seq.in` and `seq.out`. With random weights `</s>` never comes, so
`generate` is told to write as many tokens for a batch as its longest true target has. Its batches are sorted by length, as a
good user would sort them; ours are as `predict` makes them. Either time is of labelling alone: loading is measured with one
sentence and subtracted. Tokenization is part of both.
"""
import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration


def target(tags):
    words = [tag.split("-", 1)[-1] for tag in tags]
    return " ".join(f"<extra_id_{i}> {word}" for i, word in enumerate(words)) + f" <extra_id_{len(words)}>"


def source(words):
    return " ".join(f"<extra_id_{i}> {word}" for i, word in enumerate(words)) + f" <extra_id_{len(words)}>"


def seconds(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--command", default="hyperloader")
    parser.add_argument("--run", required=True)
    parser.add_argument("--task", required=True)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32", help="of our weights")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--sentences", type=int, default=None, help="the first so many; default all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    lines = lambda name: (args.corpus / name).read_text().splitlines()[: args.sentences]
    sentences, tags = [s.split() for s in lines("seq.in")], [s.split() for s in lines("seq.out")]
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(args.tokenizer / "tokenizer.json"), pad_token="<pad>", eos_token="</s>")
    model = T5ForConditionalGeneration(T5Config(
        vocab_size=32128, d_model=512, d_kv=64, d_ff=2048, num_layers=6, num_heads=8, decoder_start_token_id=0)).eval()
    order = sorted(range(len(sentences)), key=lambda i: len(sentences[i]))
    lengths = [len(tokenizer(target(t))["input_ids"]) for t in tags]

    @torch.inference_mode()
    def theirs():
        for first in range(0, len(order), args.batch_size):
            batch = order[first: first + args.batch_size]
            inputs = tokenizer([source(sentences[i]) for i in batch], padding=True, return_tensors="pt")
            n = max(lengths[i] for i in batch)
            ids = model.generate(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"],
                                 min_new_tokens=n, max_new_tokens=n, do_sample=False, num_beams=1)
            tokenizer.batch_decode(ids)

    env = os.environ | {"RAYON_NUM_THREADS": str(args.threads)}

    def predict(path):
        subprocess.run([args.command, "predict", args.run, "--task", args.task, path, "--dtype", args.dtype],
                       env=env, check=True, stdout=subprocess.DEVNULL)

    with tempfile.TemporaryDirectory() as folder:
        whole, one = Path(folder) / "all.txt", Path(folder) / "one.txt"
        whole.write_text("\n".join(" ".join(s) for s in sentences) + "\n")
        one.write_text(" ".join(sentences[0]) + "\n")
        rounds = []
        for _ in range(args.rounds):
            load = seconds(lambda: predict(one))
            rounds.append((seconds(lambda: predict(whole)) - load, seconds(theirs), load))
    print(json.dumps({
        "task": args.task, "dtype": args.dtype, "sentences": len(sentences), "rounds": args.rounds, "threads": args.threads,
        "times_hf": round(statistics.median(b / a for a, b, _ in rounds), 2),
        "sentences_per_second": [round(len(sentences) / statistics.median(r[i] for r in rounds), 1) for i in (0, 1)],
        "load_and_one_sentence_ms": round(1e3 * statistics.median(r[2] for r in rounds)),
    }))


if __name__ == "__main__":
    main()
