"""Commands of clusters, and what a profile of Snakemake needs."""

import importlib.util
import math
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from iqadistill.clusters.slurm import Nodes, Request, read_nodes, refusals
from iqadistill.doctor.finding import Finding, State, listed
from iqadistill.errors import InputError
from iqadistill.yaml_file import read_yaml

COMMANDS = {"sbatch": "SLURM", "qsub": "PBS or Grid Engine", "bsub": "LSF", "condor_submit": "HTCondor"}
BUILT_IN = ("local", "dryrun", "touch")
EXTRAS = ("slurm", "cluster-generic", "kubernetes")
PLACEHOLDERS = ("REGISTRY/", "BUCKET/")


def check_commands() -> Iterator[Finding]:
    """Say which schedulers' commands are here; without a profile, none of them is needed."""
    found = [f"{name} ({command})" for command, name in COMMANDS.items() if shutil.which(command)]
    if not found:
        yield Finding("ok", "scheduler", "no commands of a cluster; jobs run on this machine")
        return
    yield Finding("ok", "scheduler", f"{listed(found)}; --workflow-profile PROFILE here checks what one needs")
    yield from _nodes("warning")


def read_profile(folder: Path) -> dict[str, Any]:
    """Contents of a profile of Snakemake; commands that lie beside it by their path, as Snakemake finds them.

    Raises:
        InputError: It is not a folder with a file config.yaml, or that file is not valid.
    """
    if not (folder / "config.yaml").is_file():
        raise InputError(f"{folder}: expected a folder with a file config.yaml, such as profiles/slurm.")
    content = read_yaml(folder / "config.yaml")
    profile = content if isinstance(content, dict) else {}
    commands = {key: str(value or "") for key, value in profile.items() if _is_command(str(key))}
    beside = {key: str(folder / command) for key, command in commands.items() if (folder / command).is_file()}
    return {**profile, **beside}


def _is_command(key: str) -> bool:
    return key.startswith("cluster-generic-") and key.endswith("-cmd")


def is_remote(profile: Mapping[str, Any]) -> bool:
    """Whether a profile hands jobs to other machines."""
    return _executor(profile) not in BUILT_IN


def _executor(profile: Mapping[str, Any]) -> str:
    return str(profile.get("executor") or "local")


def check_profile(profile: Mapping[str, Any]) -> Iterator[Finding]:
    """Check what a profile needs on the machine where Snakemake runs."""
    executor = _executor(profile)
    if not is_remote(profile):
        yield Finding("ok", "executor", f"{executor}: jobs run on this machine")
        return
    yield from _plugin("executor", executor)
    if storage := profile.get("default-storage-provider"):
        yield from _plugin("storage", str(storage))
    commands = ["sbatch", "squeue", "scancel"] if executor == "slurm" else []
    for key, value in profile.items():
        if _is_command(str(key)):
            commands += str(value or "").split()[:1]
    absent = [command for command in commands if not shutil.which(command)]
    if absent:
        yield Finding(
            "problem", "commands", f"{listed(absent)} cannot be run here; run on a login node, or correct the profile"
        )
    unset = [f"{key}: {value}" for key, value in profile.items() if any(name in str(value) for name in PLACEHOLDERS)]
    if unset:
        yield Finding("problem", "names", f"{listed(unset)}: replace the name in capitals by yours")
    if executor == "slurm" and shutil.which("sinfo"):
        yield from _nodes("problem", _requests(profile))
    if executor == "kubernetes":
        yield from _kubernetes()


def _plugin(kind: str, name: str) -> Iterator[Finding]:
    module = f"snakemake_{kind}_plugin_{name.replace('-', '_')}"
    if importlib.util.find_spec(module):
        yield Finding("ok", kind, f"{name}, whose plugin is installed; run iqadistill doctor on a node as well")
        return
    extra = "kubernetes" if kind == "storage" and name == "s3" else name
    package = f"'iqadistill[{extra}]'" if extra in EXTRAS else f"snakemake-{kind}-plugin-{name}"
    yield Finding("problem", kind, f"{name}: its plugin is missing; run pip install {package}")


def _requests(profile: Mapping[str, Any]) -> list[Request]:
    """What jobs ask for by the entries of a profile alone."""
    partition = _pairs(profile.get("default-resources")).get("slurm_partition", "")
    threads = {rule: cores for rule, cores in _pairs(profile.get("set-threads")).items() if cores.isdigit()}
    return [Request(rule, cores=int(cores), partition=partition) for rule, cores in (threads or {"a job": "1"}).items()]


def _pairs(entry: object) -> dict[str, str]:
    """Names with their values, from a mapping or from a list of texts such as "mem_mb=2000"."""
    if isinstance(entry, Mapping):
        return {str(name): str(value) for name, value in entry.items()}
    texts = entry if isinstance(entry, list) else []
    return {name: value.strip("'\"") for name, _, value in (str(text).partition("=") for text in texts)}


def _nodes(state: State, requests: Iterable[Request] = ()) -> Iterator[Finding]:
    """Ask SLURM for its nodes; a finding of this state if it does not answer.

    Args:
        state: The state.
        requests: What jobs will ask for; a problem for each that no node can meet.
    """
    try:
        nodes = read_nodes()
    except InputError as error:
        yield Finding(state, "SLURM", str(error).rstrip("."))
        return
    if nodes:
        yield Finding("ok", "SLURM", f"nodes of {'; '.join(dict.fromkeys(map(_described, nodes)))}")
        yield from (Finding("problem", "profile", text.rstrip(".")) for text in refusals(requests, nodes))


def _described(kind: Nodes) -> str:
    memory = "" if kind.megabytes == math.inf else f", {kind.megabytes / 1000:.0f} GB"
    name = f"{kind.partition}{' (default)' * kind.default}"
    return f"{name}: {kind.cores} cores{memory}, {sum(kind.cards.values())} cards"


def _kubernetes() -> Iterator[Finding]:
    """The plugin speaks to the cluster as kubectl does."""
    files = os.environ.get("KUBECONFIG", "~/.kube/config").split(os.pathsep)
    inside = "KUBERNETES_SERVICE_HOST" in os.environ
    if not inside and not any(Path(file).expanduser().is_file() for file in files if file):
        yield Finding(
            "problem", "kubernetes", f"no configuration at {listed(files)}; set KUBECONFIG, as kubectl reads it"
        )
