"""Compare what jobs ask for with what SLURM's partitions have.

A job that no node can ever run is queued by SLURM without an error, and waits there for ever.
"""

import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from iqadistill.errors import InputError

SINFO = ("sinfo", "--noheader", "--exact", "--format=%P|%c|%m|%l|%G")
UNSTATED_MEMORY = 1  # MB that SLURM assumes of a node whose memory its configuration does not state


class Nodes(NamedTuple):
    """Nodes of one kind in a partition.

    Attributes:
        partition: Name of the partition.
        default: Whether jobs that name no partition go there.
        cores: Cores of a node.
        megabytes: Memory of a node in MB; infinite if it is not stated.
        minutes: Longest time of a job; infinite without a limit.
        cards: Number of GPUs of a node by model; the model is empty if it is not stated.
    """

    partition: str
    default: bool
    cores: int
    megabytes: float
    minutes: float
    cards: dict[str, int]


class Request(NamedTuple):
    """What a job asks for.

    Attributes:
        rule: Name of its rule.
        cores: Number of cores.
        megabytes: Memory in MB.
        minutes: Time in minutes.
        cards: Number of GPUs.
        model: Model of the GPUs; empty for any.
        partition: Names of partitions, separated by commas; empty for the default one.
    """

    rule: str
    cores: int = 1
    megabytes: int = 0
    minutes: int = 0
    cards: int = 0
    model: str = ""
    partition: str = ""


def read_nodes() -> list[Nodes] | None:
    """Ask SLURM for its nodes; None without SLURM on this machine.

    Raises:
        InputError: SLURM's controller does not answer.
    """
    if not shutil.which(SINFO[0]):
        return None
    try:
        asked = subprocess.run(SINFO, capture_output=True, text=True, timeout=60)
    except subprocess.TimeoutExpired:
        raise InputError("sinfo did not answer within 60 s; ask whether SLURM's controller is up.") from None
    if asked.returncode:
        raise InputError(f"sinfo failed ({asked.stderr.strip()}); ask whether SLURM's controller is up.")
    return [_parse(line) for line in asked.stdout.splitlines() if line.strip()]


def _parse(line: str) -> Nodes:
    name, cores, megabytes, limit, resources = line.strip().split("|", 4)
    memory = int(megabytes.rstrip("+"))
    return Nodes(
        partition=name.rstrip("*"),
        default=name.endswith("*"),
        cores=int(cores.rstrip("+")),
        megabytes=memory if memory > UNSTATED_MEMORY else float("inf"),
        minutes=_minutes(limit),
        cards=_cards(resources),
    )


def _minutes(limit: str) -> float:
    """Minutes of a limit written as minutes:seconds, hours:minutes:seconds or days-hours:minutes:seconds."""
    if not limit[0].isdigit():  # infinite, n/a
        return float("inf")
    days, _, clock = limit.rpartition("-")
    hours, minutes, seconds = ([0, 0, 0] + [int(part) for part in clock.split(":")])[-3:]
    return int(days or 0) * 1440 + hours * 60 + minutes + seconds / 60


def _cards(resources: str) -> dict[str, int]:
    """GPUs by model of generic resources such as "gpu:a100:4(S:0-1),shard:8"; the sockets in brackets are ignored."""
    cards: dict[str, int] = {}
    for entry in re.sub(r"\([^)]*\)", "", resources).split(","):
        kind, *rest = entry.split(":")
        if kind == "gpu":
            count = int(rest[-1]) if rest and rest[-1].isdigit() else 1
            model = rest[0] if rest and not rest[0].isdigit() else ""
            cards[model] = cards.get(model, 0) + count
    return cards


def refusals(requests: Iterable[Request], nodes: list[Nodes]) -> Iterator[str]:
    """Say, one sentence for each request that no node can ever meet, what is too much and where to change it.

    Args:
        requests: What jobs ask for; equal ones are named once.
        nodes: All nodes of the cluster.
    """
    for request in dict.fromkeys(requests):
        named = [name for name in request.partition.split(",") if name]
        there = [kind for kind in nodes if (kind.partition in named if named else kind.default)]
        if not there:
            known = ", ".join(sorted({kind.partition for kind in nodes})) or "none"
            wanted = (
                f"partition {request.partition}, which does not exist" if named else "no partition, and none is default"
            )
            yield f"{request.rule} names {wanted}; set slurm_partition in the profile to one of: {known}."
            continue
        yield from _excess(request, there, " or ".join(sorted({kind.partition for kind in there})))


def _excess(request: Request, there: list[Nodes], partition: str) -> Iterator[str]:
    """Sentences on a request that its partitions cannot meet; the first reason counts."""
    cards = max(_usable_cards(kind, request.model) for kind in there)
    cores, memory = max(kind.cores for kind in there), max(kind.megabytes for kind in there)
    minutes = max(kind.minutes for kind in there)
    model = f" {request.model}" if request.model else ""
    asks = f"{request.rule} asks for"
    if request.cores > cores:
        yield f"{asks} {request.cores} cores, the nodes of partition {partition} have {cores}: lower set-threads."
    elif request.megabytes > memory:
        yield f"{asks} {request.megabytes} MB, the nodes of partition {partition} have {memory:g}: lower mem_mb."
    elif request.cards > cards:
        yield (
            f"{asks} {request.cards}{model} GPU(s), the nodes of partition {partition} have {cards}: "
            "choose another slurm_partition or gpu_model, lower gpu, or set device: cpu in the study."
        )
    elif request.minutes > minutes:
        yield f"{asks} {request.minutes} minutes, partition {partition} allows {minutes:g}: lower runtime."
    elif not any(_meets(kind, request) for kind in there):
        yield (
            f"{asks} {request.cores} cores, {request.megabytes} MB, {request.cards}{model} GPU(s) and "
            f"{request.minutes} minutes, and no node of partition {partition} has all of them: lower one."
        )


def _usable_cards(kind: Nodes, model: str) -> int:
    return kind.cards.get(model, 0) if model else sum(kind.cards.values())


def _meets(kind: Nodes, request: Request) -> bool:
    enough = (request.cores <= kind.cores, request.megabytes <= kind.megabytes, request.minutes <= kind.minutes)
    return all(enough) and request.cards <= _usable_cards(kind, request.model)
