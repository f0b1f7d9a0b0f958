"""Measures one sentence at a time: the time from a sentence to its tags in a running process, and the time from the start of
a process to its first tag.

    python tests/python/bench/latency.py --command target/release/hyperloader --run compiled/snips --task snips \\
        --corpus ../shared/data/snips/test

`hyperloader predict -` reads from a pipe and answers line by line; the other sides are called in this process. The sides take
turns after each sentence.
"""
import argparse
import json
import statistics
from pathlib import Path

from sides import PEERS, Corpus, Ours, peers, seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--command", default="hyperloader")
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--task", required=True)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--against", nargs="*", choices=PEERS, default=PEERS[:2])
    parser.add_argument("--dtype", choices=["f32", "bf16", "int8"], default="f32", help="of our weights")
    parser.add_argument("--sentences", type=int, default=50)
    parser.add_argument("--starts", type=int, default=10, help="how many processes are started")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    corpus = Corpus(args.corpus, args.sentences)
    others = peers(args.run, corpus, args.threads, args.against)
    ours = Ours(args.command, args.run, args.task, args.dtype, args.threads)

    def start():
        child = ours.pipe()
        child.stdin.write((" ".join(corpus.sentences[0]) + "\n").encode())
        child.stdin.flush()
        child.stdout.readline()
        return child

    starts = []
    for _ in range(args.starts):
        begun = []
        starts.append(seconds(lambda: begun.append(start())))
        begun[0].communicate()
    child = ours.pipe()
    times = {"hyperloader": [], **{name: [] for name in others}}
    for i in [0, *range(len(corpus.sentences))]:
        times["hyperloader"].append(seconds(lambda: ours.ask(child, corpus.sentences[i])))
        for name, other in others.items():
            times[name].append(seconds(lambda: other.label([i])))
    child.communicate()
    # The first sentence was labelled twice, the first time to warm up.
    times = {name: t[1:] for name, t in times.items()}
    ms = lambda t: round(1e3 * statistics.median(t), 1)
    print(json.dumps({
        "task": args.task, "dtype": args.dtype, "sentences": len(corpus.sentences), "threads": args.threads,
        "median_ms": {name: ms(t) for name, t in times.items()},
        "ratio": {name: round(statistics.median(a / b for a, b in zip(times["hyperloader"], times[name])), 3) for name in others},
        "start_to_first_tag_ms": {"median": ms(starts), "fastest": round(1e3 * min(starts), 1), "starts": args.starts},
    }))


if __name__ == "__main__":
    main()
