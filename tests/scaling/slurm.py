"""A Slurm of its own on this machine labels in an array of 16 tasks. Two tasks end early, and are started again. Root, Debian's slurm-wlm."""

import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

from common import Checks, arguments, run, text

SHARDS = 16

CONF = """ClusterName=scaling
SlurmctldHost={host}
SlurmctldPort=17817
SlurmdPort=17818
AuthType=auth/munge
CryptoType=crypto/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
NodeName={host} NodeHostname={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""

# Tasks 3 and 7 end as if their machine had been taken away.
BATCH = """#!/bin/bash
#SBATCH --array=0-{last} --output={folder}/%a.log --open-mode=append
if [ -n "$ENDS_EARLY" ] && [[ " 3 7 " == *" $SLURM_ARRAY_TASK_ID "* ]]; then exit 1; fi
exec {call} --shard {shard}
"""


class Slurm:
    """The daemons, from start to end."""

    def __init__(self, folder):
        self.folder, self.processes = folder, []
        host = socket.gethostname().split(".")[0]
        (folder / "state").mkdir()
        (folder / "spool").mkdir()
        conf = folder / "slurm.conf"
        conf.write_text(CONF.format(host=host, folder=folder, cpus=os.cpu_count()))
        self.environment = {**os.environ, "SLURM_CONF": str(conf)}
        socket_path = pathlib.Path("/run/munge/munge.socket.2")
        if not socket_path.exists():
            key = pathlib.Path("/etc/munge/munge.key")
            if not key.exists():
                key.write_bytes(os.urandom(1024))
            shutil.chown(key, "munge", "munge")
            key.chmod(0o400)
            for path in ("/run/munge", "/var/log/munge", "/var/lib/munge"):
                pathlib.Path(path).mkdir(exist_ok=True)
                shutil.chown(path, "munge", "munge")
            self.start(["runuser", "-u", "munge", "--", "munged", "--foreground"])
            while not socket_path.exists():
                time.sleep(0.1)
        self.start(["slurmctld", "-D"])
        self.start(["slurmd", "-D", "-N", host])

    def start(self, call):
        process = subprocess.Popen(call, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.processes.append(process)

    def run(self, *call):
        return run(call, env=self.environment)

    def stop(self):
        for process in reversed(self.processes):
            process.terminate()
            process.wait(timeout=30)


def wait_until_ready(slurm):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = subprocess.run(["sinfo", "-h", "-o", "%T"], env=slurm.environment, capture_output=True, text=True)
        if found.stdout.strip() == "idle":
            return True
        time.sleep(0.5)
    return False


def main():
    args = arguments(__doc__, "quickstart")
    checks = Checks()
    with tempfile.TemporaryDirectory() as temporary:
        work = args.work or pathlib.Path(temporary)
        (work / "slurm").mkdir()
        (work / "in.txt").write_bytes(text(args.quickstart, 4000).encode())
        predict = [args.command, "predict", args.quickstart / "run", "--task", "home", work / "in.txt", "--format", "jsonl"]
        call = " ".join(map(str, [*predict, "--out", work / "out", "--threads", "1"]))
        slurm = Slurm(work / "slurm")
        try:
            checks.check(wait_until_ready(slurm), "slurmctld and slurmd run")
            batch = work / "label.sbatch"
            batch.write_text(BATCH.format(last=SHARDS - 1, folder=work, call=call, shard="auto"))
            said = subprocess.run(["sbatch", "--wait", batch], env={**slurm.environment, "ENDS_EARLY": "1"}, capture_output=True, text=True)
            checks.check(said.returncode != 0, f"the array ends with code {said.returncode}: {said.stdout.strip()}")
            parts = sorted(path.name for path in (work / "out").glob("part-?????-of-?????.jsonl"))
            checks.check(len(parts) == SHARDS - 2, f"{len(parts)} parts")
            again = subprocess.run(["sbatch", "--wait", "--array=3,7", batch], env=slurm.environment, capture_output=True, text=True)
            log = (work / "3.log").read_text()
            checks.check(again.returncode != 0 and "give auto/N" in log, f"auto refuses an array with gaps: {log.strip().splitlines()[-1]}")
            batch.write_text(BATCH.format(last=SHARDS - 1, folder=work, call=call, shard=f"auto/{SHARDS}"))
            slurm.run("sbatch", "--wait", "--array=3,7", batch)
            checks.check((work / "out/manifest.json").exists(), "tasks 3 and 7 again, with auto/16: the manifest is there")
        finally:
            slurm.stop()
        joined = b"".join(path.read_bytes() for path in sorted((work / "out").glob("part-*")))
        checks.check(joined == run(predict).encode(), "the union has the bytes of one process")
    checks.end()


main()
