"""Compare what jobs ask for with what SLURM's partitions have.

A job that no node can ever run is queued by SLURM without an error, and waits there for ever.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from iqadistill.errors import InputError

# Partition, availability, state, cores, most cores that jobs may take of a node, memory, limit of time, cards. Of all
# partitions, for a job may name one that sinfo hides.
FIELDS = 8
SINFO = ("sinfo", "--noheader", "--all", "--exact", "--format=%P|%a|%T|%c|%B|%m|%l|%G")
SECONDS = 60
UNKNOWN = float("inf")  # what sinfo does not state never refuses a job
UNSTATED_MEMORY = 1  # MB that SLURM assumes of a node whose memory its configuration does not state
UNITS = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
AWAY = (
    "down",
    "drain",
    "fail",
    "error",
    "unknown",
    "inval",
    "maint",
    "n/a",
)  # how states of nodes begin that run no job


class Nodes(NamedTuple):
    """Nodes of one kind in a partition.

    Attributes:
        partition: Name of the partition.
        default: Whether jobs that name no partition go there.
        cores: Cores of a node; infinite if they are not stated.
        megabytes: Memory of a node in MB; infinite if it is not stated.
        minutes: Longest time of a job; infinite without a limit.
        cards: Number of GPUs of a node by model; the model is empty if it is not stated.
        up: Whether they run jobs now, or will when others end; down and drained ones do not.
    """

    partition: str
    default: bool
    cores: float
    megabytes: float
    minutes: float
    cards: dict[str, int]
    up: bool = True


class Request(NamedTuple):
    """What a job asks for.

    Attributes:
        rule: Name of its rule.
        cores: Number of cores.
        megabytes: Memory in MB.
        minutes: Time in minutes.
        cards: Number of GPUs.
        model: Model of the GPUs; empty for any.
        partition: Names of partitions, separated by commas; empty for the default one, * for any.
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
        InputError: SLURM's controller does not answer, or sinfo lists no partition.
    """
    if not shutil.which(SINFO[0]):
        return None
    # A user's defaults would leave partitions out.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SINFO_")}
    try:
        asked = subprocess.run(SINFO, capture_output=True, text=True, timeout=SECONDS, env=environment)
    except subprocess.TimeoutExpired:
        raise InputError(f"sinfo did not answer within {SECONDS} s; ask whether SLURM's controller is up.") from None
    except OSError as error:
        raise InputError(f"sinfo cannot be started ({error.strerror}); ask whether SLURM is installed here.") from None
    if asked.returncode:
        raise InputError(f"sinfo failed ({asked.stderr.strip()}); ask whether SLURM's controller is up.")
    nodes = [_parse(line) for line in asked.stdout.splitlines() if line.count("|") == FIELDS - 1]
    if not nodes:
        printed = asked.stdout.strip()[:200] or "nothing"
        raise InputError(f"sinfo lists no partition, it printed {printed}; ask whether SLURM is set up here.")
    return nodes


def _parse(line: str) -> Nodes:
    name, available, state, cores, most, megabytes, limit, resources = line.strip().split("|")
    memory = _number(megabytes)
    responds = not state.endswith("*")
    return Nodes(
        partition=name.rstrip("*"),
        default=name.endswith("*"),
        cores=min(_number(cores), _number(most)),
        megabytes=memory if memory > UNSTATED_MEMORY else UNKNOWN,
        minutes=_minutes(limit),
        cards=_cards(resources),
        up=available.startswith("up") and responds and not state.lower().startswith(AWAY),
    )


def _number(text: str) -> float:
    """A number such as 64, 64+ or 1.5K; infinite for n/a, UNLIMITED and whatever else is none."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]?)\+?", text.strip())
    return int(float(found[1]) * UNITS.get(found[2], 1)) if found else UNKNOWN


def _minutes(limit: str) -> float:
    """Minutes of a limit written as minutes:seconds, hours:minutes:seconds or days-hours:minutes:seconds."""
    found = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)", limit.strip())
    if not found:  # infinite, UNLIMITED, n/a
        return UNKNOWN
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return days * 1440 + hours * 60 + minutes + seconds / 60


def _cards(resources: str) -> dict[str, int]:
    """GPUs by model of generic resources such as "gpu:a100:4(S:0-1),shard:8"; the sockets in brackets are ignored."""
    cards: dict[str, int] = {}
    for entry in re.sub(r"\([^)]*\)", "", resources).split(","):
        kind, *rest = (part for part in entry.strip().split(":") if part != "no_consume")
        if kind == "gpu":
            count = int(rest[-1]) if rest and rest[-1].isdigit() else 1
            model = rest[0] if rest and not rest[0].isdigit() else ""
            cards[model] = cards.get(model, 0) + count
    return cards


def cards_of(resources: str) -> tuple[int, str]:
    """Number and model of the GPUs in generic resources that a job asks for, such as gpu:a100:2."""
    return next(((count, model) for model, count in _cards(resources).items()), (0, ""))


def refusals(requests: Iterable[Request], nodes: list[Nodes]) -> Iterator[str]:
    """Say, one sentence for each request that no node can ever meet, what is too much and where to change it.

    Args:
        requests: What jobs ask for; equal ones are named once.
        nodes: All nodes of the cluster, those that are down included.
    """
    for request in dict.fromkeys(requests):
        there = _open_to(request, nodes)
        if there:
            yield from _excess(request, there)
            continue
        known = ", ".join(sorted({kind.partition for kind in nodes}))
        wanted = f"partition {request.partition}, which does not exist"
        if not request.partition:
            wanted = "no partition, and none is default"
        yield f"{request.rule} names {wanted}; set slurm_partition in the profile to one of: {known}."


def delays(requests: Iterable[Request], nodes: list[Nodes]) -> Iterator[str]:
    """Say what waits until nodes that are down or drained return: once each partition without any other, else the job.

    Args:
        requests: What jobs ask for, and nodes that are down could meet.
        nodes: All nodes of the cluster.
    """
    told = set()
    for request in dict.fromkeys(requests):
        there = _open_to(request, nodes)
        up = [kind for kind in there if kind.up]
        if up:
            for sentence in _excess(request, up):
                yield f"Until nodes that are down or drained return, {sentence}"
        elif (names := _names(there)) not in told:
            told.add(names)
            yield f"No node of partition {names} is up: {request.rule} and whatever else goes there will wait for one."


def largest(requests: Iterable[Request], nodes: list[Nodes]) -> tuple[float, float]:
    """Most memory in MB and time in minutes that one kind of nodes gives jobs which ask for nothing else more.

    Args:
        requests: What the jobs of a rule ask for at the first attempt.
        nodes: All nodes of the cluster.

    Returns:
        Those of the longest limit of time, then the most memory, among nodes that meet all requests, and that are up if
        any is; infinite without such nodes.
    """
    wanted = set(requests)
    fitting = [kind for kind in nodes if all(kind in _open_to(job, nodes) and _meets(kind, job) for job in wanted)]
    best = max(fitting, key=lambda kind: (kind.up, kind.minutes, kind.megabytes), default=None)
    return (best.megabytes, best.minutes) if best else (UNKNOWN, UNKNOWN)


def _open_to(request: Request, nodes: list[Nodes]) -> list[Nodes]:
    """Nodes of the partitions that a request goes to; of a partition without nodes there are none to compare with."""
    if request.partition == "*":
        return nodes
    named = [name.strip() for name in request.partition.split(",") if name.strip()]
    return [kind for kind in nodes if (kind.partition in named if named else kind.default)]


def _names(nodes: list[Nodes]) -> str:
    return " or ".join(sorted({kind.partition for kind in nodes}))


def _excess(request: Request, there: list[Nodes]) -> Iterator[str]:
    """A sentence on a request that its partitions cannot meet; the first reason counts."""
    cards = max(_usable_cards(kind, request.model) for kind in there)
    cores, memory = max(kind.cores for kind in there), max(kind.megabytes for kind in there)
    minutes = max(kind.minutes for kind in there)
    partition, model = _names(there), f" {request.model}" if request.model else ""
    asks = f"{request.rule} asks for"
    if request.cores > cores:
        lower = f"lower it with --set-threads {request.rule}={int(cores)}"
        yield f"{asks} {request.cores} cores, the nodes of partition {partition} have {int(cores)}: {lower}."
    elif request.megabytes > memory:
        lower = f"lower it with --set-resources {request.rule}:mem_mb={int(memory)}"
        yield f"{asks} {request.megabytes} MB, the nodes of partition {partition} have {int(memory)}: {lower}."
    elif request.cards > cards:
        yield (
            f"{asks} {request.cards}{model} GPU(s), the nodes of partition {partition} have {cards}: "
            "choose another slurm_partition or gpu_model, lower gpu, or set device: cpu in the study."
        )
    elif request.minutes > minutes:
        lower = f"lower it with --set-resources {request.rule}:runtime={int(minutes)}"
        yield f"{asks} {request.minutes} minutes, partition {partition} allows {int(minutes)}: {lower}."
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
