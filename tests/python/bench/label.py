"""Labels a corpus with `hyperloader predict`, Hugging Face's `generate` and CTranslate2 in turn, and prints the median
ratios of sentences per second.

    python tests/python/bench/label.py --command target/release/hyperloader --run compiled/snips --task snips \\
        --corpus ../shared/data/snips/test

`sides.py` describes what each side does. Only labelling is timed: our loading time is measured with one sentence and
subtracted. All sides tokenize. The output has the tokens per target that our side wrote, and those of the true tags, which are
as many as the other sides write: the comparison is fair if our side has at least as many.
"""
import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

from sides import PEERS, Corpus, Ours, numbered, peers, seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--command", default="hyperloader")
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--task", required=True)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--against", nargs="+", choices=PEERS, default=PEERS[:2])
    parser.add_argument("--dtype", choices=["f32", "bf16", "int8"], default="f32", help="of our weights")
    parser.add_argument("--batch-size", type=int, default=32, help="of the other sides; ours is the run's")
    parser.add_argument("--sentences", type=int, default=None, help="label only the first so many; default: all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    corpus = Corpus(args.corpus, args.sentences)
    others = peers(args.run, corpus, args.threads, args.against)
    ours = Ours(args.command, args.run, args.task, args.dtype, args.threads)
    tokenizer = next(iter(others.values())).tokenizer
    tokens = lambda targets: sum(len(tokenizer(numbered(tags))["input_ids"]) for tags in targets) / len(targets)
    rounds = []
    with tempfile.TemporaryDirectory() as folder:
        whole, one = Path(folder) / "all.txt", Path(folder) / "one.txt"
        corpus.write(whole)
        corpus.write(one, 1)
        for _ in range(args.rounds):
            load = seconds(lambda: ours.file(one))
            times = {"hyperloader": seconds(lambda: ours.file(whole)) - load}
            times |= {name: seconds(lambda: other.label_all(args.batch_size)) for name, other in others.items()}
            rounds.append(times)
            print({name: round(t, 2) for name, t in times.items()}, file=sys.stderr)
        written = {"hyperloader": tokens(ours.tags(whole)), "true": tokens(corpus.tags)}
    median = lambda of: statistics.median(of(times) for times in rounds)
    print(json.dumps({
        "task": args.task, "dtype": args.dtype, "sentences": len(corpus.sentences), "rounds": args.rounds,
        "threads": args.threads, "tokens_of_a_target": {name: round(count, 1) for name, count in written.items()},
        "times": {name: round(median(lambda t: t[name] / t["hyperloader"]), 2) for name in others},
        "sentences_per_second": {name: round(len(corpus.sentences) / median(lambda t: t[name]), 1) for name in rounds[0]},
    }))


if __name__ == "__main__":
    main()
