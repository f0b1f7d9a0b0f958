"""The speed of two ranks of one thread each, relative to one rank of one thread: `hyperloader bench` in turn, medians."""

import json
import statistics

from common import Checks, arguments, mpirun, run

ROUNDS = 3


def main():
    args = arguments(__doc__, "config")
    checks = Checks()
    call = [args.command, "bench", "--config", args.config, "--threads", "1", "--steps", "3", "--warmup", "1", "--json", "--quiet"]
    found = {1: [], 2: []}
    for _ in range(ROUNDS):
        for ranks in found:
            report = json.loads(run(call if ranks == 1 else mpirun(ranks) + call))
            found[ranks].append(report)
    speed = {ranks: [report["sentences_per_second"] for report in reports] for ranks, reports in found.items()}
    ratios = [two / (2 * one) for one, two in zip(speed[1], speed[2])]
    shares = [report["exchange_share"] for report in found[2]]
    print(f"1 rank: {speed[1]} sentences/s; 2 ranks: {speed[2]} sentences/s")
    print(f"of the ideal speed: {ratios}; the exchange takes {shares} of a step")
    checks.check(statistics.median(ratios) >= 0.9, f"median {statistics.median(ratios):.3f} of the ideal speed, at least 0.9")
    checks.end()


main()
