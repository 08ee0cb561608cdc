"""A SLURM cluster of one node on this machine, with two cards that are device files without a driver."""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge")
PROGRAMS = ("slurmctld", "slurmd", "sbatch", "munged")
# Jobs' own calls of srun find the configuration here, for the plugin hands them no SLURM_CONF.
INSTALLED = Path("/etc/slurm/slurm.conf")
CONFIGURATION = """\
ClusterName=small
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=10
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=sched_interval=2,batch_sched_delay=0
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MinJobAge=600
KillWait=5
ReturnToService=2
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=32000 Gres=gpu:2 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=2-00:00:00 State=UP
"""


def why_not() -> str:
    """Why no cluster may or can be set up on this machine; empty if it can."""
    contained = any(Path(mark).exists() for mark in ("/.dockerenv", "/run/.containerenv")) or "container" in os.environ
    if os.geteuid():
        return "needs root"
    if not contained and not os.environ.get("CONFIRM"):
        return "installs packages and starts daemons: set CONFIRM=1 to run it outside a container"
    if INSTALLED.exists():
        return f"{INSTALLED} exists: this machine belongs to a cluster"
    if not shutil.which("apt-get") and not all(map(shutil.which, PROGRAMS)):
        return f"needs {', '.join(PROGRAMS)}, or apt-get to install them"
    return ""


@contextlib.contextmanager
def installed_packages() -> Iterator[None]:
    """Install what is missing of SLURM and munge, and purge at the end what was installed; no daemon starts by itself.

    Raises:
        RuntimeError: apt-get cannot install them.
    """
    if all(map(shutil.which, PROGRAMS)):
        yield
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    policy = Path("/usr/sbin/policy-rc.d")  # its status 101 forbids packages to start their daemons
    ours = not policy.exists()
    if ours:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    before = _packages()
    try:
        for command in (["update"], ["install", "--yes", "--no-install-recommends", *PACKAGES]):
            done = subprocess.run(["apt-get", "-qq", *command], env=environment, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"apt-get cannot install {', '.join(PACKAGES)}: {done.stderr.strip()[-500:]}")
        yield
    finally:
        if added := sorted(_packages() - before):
            subprocess.run(["apt-get", "-qq", "purge", "--yes", *added], env=environment, capture_output=True)
        if ours:
            policy.unlink()


def _packages() -> set[str]:
    query = ["dpkg-query", "--show", "--showformat=${db:Status-Abbrev} ${Package}\n"]
    lines = subprocess.run(query, check=True, capture_output=True, text=True).stdout.splitlines()
    return {name for state, name in (line.split() for line in lines) if state == "ii"}


@contextlib.contextmanager
def running_cluster(folder: Path) -> Iterator[None]:
    """Start munged, slurmctld and slurmd with all of their files in a folder, and end them and their jobs.

    Raises:
        RuntimeError: A daemon does not start, or the node is not idle within half a minute.
    """
    munge, link = folder / "munge", INSTALLED.parent
    for name in (munge, folder / "state", folder / "spool"):
        name.mkdir(parents=True)
    for card in range(2):
        os.mknod(folder / f"card{card}", 0o20666, os.makedev(1, 3))
    host = socket.gethostname().split(".")[0]
    (folder / "slurm.conf").write_text(CONFIGURATION.format(host=host, folder=folder))
    (folder / "gres.conf").write_text(f"NodeName={host} Name=gpu File={folder}/card[0-1]\n")
    (munge / "key").write_bytes(secrets.token_bytes(128))
    (munge / "key").chmod(0o400)
    made = not link.exists()
    link.mkdir(exist_ok=True)
    files = [link / "slurm.conf", link / "gres.conf"]
    daemons = (
        ["munged", "--force", *(f"--{name}-file={munge}/{name}" for name in ("key", "pid", "log", "seed"))],
        ["slurmctld", "-c"],
        ["slurmd"],
    )
    daemons[0].append(f"--socket={munge}/socket")
    pids = [munge / "pid", folder / "slurmctld.pid", folder / "slurmd.pid"]
    try:
        for file in files:
            file.symlink_to(folder / file.name)
        for daemon in daemons:
            _start(daemon, folder)
        _wait_until_idle(folder)
        yield
    finally:
        subprocess.run(["scancel", "--state=RUNNING", "--state=PENDING", f"--user={os.getuid()}"], capture_output=True)
        for pid in reversed(pids):
            _end(pid)
        for file in files:
            file.unlink(missing_ok=True)
        if made:
            link.rmdir()


def _start(daemon: list[str], folder: Path) -> None:
    started = subprocess.run(daemon, capture_output=True, text=True, timeout=30)
    if started.returncode:
        log = folder / f"{daemon[0]}.log"
        said = log.read_text()[-500:] if log.exists() else started.stderr
        raise RuntimeError(f"{daemon[0]} does not start here: {said.strip()}")


def _wait_until_idle(folder: Path) -> None:
    for _ in range(60):
        state = subprocess.run(["sinfo", "--noheader", "--format=%T"], capture_output=True, text=True)
        if state.stdout.strip() == "idle":
            return
        time.sleep(0.5)
    log = (folder / "slurmctld.log").read_text()[-2000:]
    raise RuntimeError(f"the node is not idle: {state.stdout}{state.stderr}\n{log}")


def _end(pid: Path) -> None:
    """End the daemon whose process id is in a file, and wait for it."""
    if not pid.exists():
        return
    number = int(pid.read_text())
    with contextlib.suppress(ProcessLookupError):
        os.kill(number, signal.SIGTERM)
        for _ in range(100):
            os.kill(number, 0)
            time.sleep(0.1)
        os.kill(number, signal.SIGKILL)
