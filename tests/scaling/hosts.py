"""Ranks in two network namespaces, which have their own addresses and are joined by a cable of 1 Gbit/s. Root only."""

import json
import pathlib
import subprocess
import tempfile

from common import Checks, arguments, mpirun, run, train_call, weights

HOSTS = {"hl-a": "10.77.0.1", "hl-b": "10.77.0.2"}
RATE = "1gbit"
WARM = {"train.warmup_steps": 2}

# mpirun starts a daemon on each host with this instead of ssh: its first argument is the address of the host.
AGENT = """#!/bin/sh
host=$1; shift
case $host in
  10.77.0.1) exec ip netns exec hl-a sh -c "$*" ;;
  10.77.0.2) exec ip netns exec hl-b sh -c "$*" ;;
esac
"""


def build():
    for command in (
        "ip netns add hl-a",
        "ip netns add hl-b",
        "ip link add veth-a netns hl-a type veth peer name veth-b netns hl-b",
    ):
        run(command.split())
    for (name, address), end in zip(HOSTS.items(), "ab"):
        for command in (
            f"ip -n {name} addr add {address}/24 dev veth-{end}",
            f"ip -n {name} link set veth-{end} up",
            f"ip -n {name} link set lo up",
            f"tc -n {name} qdisc add dev veth-{end} root tbf rate {RATE} burst 256kb latency 50ms",
        ):
            run(command.split())


def remove():
    for name in HOSTS:
        subprocess.run(["ip", "netns", "del", name], capture_output=True)


def across(work):
    """mpirun from the first host, with one rank on each."""
    agent = work / "agent.sh"
    agent.write_text(AGENT)
    agent.chmod(0o755)
    hosts = ",".join(HOSTS.values())
    tcp = ["--host", hosts, "--mca", "plm_rsh_agent", str(agent), "--mca", "btl", "tcp,self", "--mca", "btl_tcp_if_include", "10.77.0.0/24"]
    tcp += ["--mca", "oob_tcp_if_include", "10.77.0.0/24", "--mca", "pml", "ob1", "--map-by", "node"]
    return ["ip", "netns", "exec", "hl-a", *mpirun(2, *tcp)]


def sent():
    """Bytes that the first host has sent."""
    text = run(["ip", "-n", "hl-a", "-j", "-s", "link", "show", "dev", "veth-a"])
    return json.loads(text)[0]["stats64"]["tx"]["bytes"]


def main():
    args = arguments(__doc__, "quickstart")
    checks = Checks()
    remove()
    with tempfile.TemporaryDirectory() as folder:
        work = args.work or pathlib.Path(folder)
        try:
            build()
            steps = 12
            run(mpirun(2) + train_call(args, steps, 1, work / "one-host", **WARM))
            before = sent()
            run(across(work) + train_call(args, steps, 1, work / "two-hosts", **WARM))
            print(f"one host sent {(sent() - before) / 1e6:.2f} MB in {steps} steps")
            checks.check(weights(work / "one-host") == weights(work / "two-hosts"), "two hosts end in the bytes of one")
            config = pathlib.Path(__file__).parents[2] / "docs/configs/bench/t5-small.toml"
            bench = [args.command, "bench", "--config", config, "--threads", "1", "--steps", "3", "--warmup", "1", "--json", "--quiet"]
            for name, start in (("one host", mpirun(2)), ("two hosts", across(work))):
                report = json.loads(run([*start, *bench]))
                parts = {part: round(report["parts"][part]["median_ms"], 1) for part in ("exchange", "step")}
                print(f"{name}, t5-small shape: {parts} ms; {report['sentences_per_second']:.2f} sentences/s; share {report['exchange_share']:.4f}")
        finally:
            remove()
    checks.end()


main()
