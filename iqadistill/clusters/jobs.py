"""What the jobs of a planned run ask a cluster for."""

import os
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from iqadistill.clusters.slurm import UNKNOWN, Nodes, Request, cards_of, delays, largest, read_nodes, refusals
from iqadistill.errors import InputError

if TYPE_CHECKING:
    from snakemake.resources import Resource
    from snakemake.rules import Rule
    from snakemake.workflow import Workflow

SHOWN = 10  # sentences of one message at most
# Jobs of another cluster than the one that sinfo shows are not compared.
CLUSTER_NAMES = ("slurm_cluster", "cluster", "clusters")


def check_requests(workflow: "Workflow") -> list[str]:
    """Compare the jobs of a run with the nodes of the cluster that it submits to; another executor is not checked.

    Memory and time grow with the attempt. What later attempts ask for is held at what the largest node has and the
    partition allows, so that no job that ran once waits for ever when it is tried again.

    Args:
        workflow: Snakemake's workflow, planned and about to start.

    Returns:
        Sentences on jobs that will wait for nodes which are down or drained.

    Raises:
        InputError: A job asks for what no node has, or the cluster does not answer.
    """
    if workflow.remote_execution_settings is None or not _submits_to_slurm(workflow):
        return []
    nodes = read_nodes()
    if nodes is None:
        raise InputError("executor: slurm is set but sinfo is not installed here; run on a login node of the cluster.")
    asked = list(_requests(workflow))
    requests = [request for _, request in asked]
    if refused := list(refusals(requests, nodes)):
        raise InputError("\n".join(["Nothing was queued, for no node could run it:", *_shortened(refused)]))
    for rule in {rule for rule, _ in asked}:
        _hold(rule, [request for other, request in asked if other is rule], nodes)
    return _shortened(list(delays(requests, nodes)))


def _shortened(sentences: list[str]) -> list[str]:
    more = len(sentences) - SHOWN
    return [*sentences[:SHOWN], *([f"... and {more} more."] if more > 0 else [])]


def _submits_to_slurm(workflow: "Workflow") -> bool:
    plugin = workflow.executor_plugin
    return plugin is not None and plugin.name == "slurm"


def _requests(workflow: "Workflow") -> Iterator[tuple["Rule", Request]]:
    """The rule of each job that will be submitted, and what it asks for at the first attempt."""
    chosen = workflow.executor_settings.partition_config or os.environ.get("SNAKEMAKE_SLURM_PARTITIONS")
    for job in workflow.dag.needrun_jobs():
        if job.is_local:
            continue
        resources = job.rule.expand_resources(job.wildcards_dict, job.input, 1, skip_evaluation={"tmpdir"})
        if not any(_text(resources, name) for name in CLUSTER_NAMES):
            yield job.rule, request_of(job.rule.name, resources, default_partition="*" if chosen else "")


def request_of(rule: str, resources: Mapping[str, object], default_partition: str = "") -> Request:
    """What a job asks SLURM for, in the resources that its executor reads.

    Args:
        rule: Name of the job's rule.
        resources: The job's resources by name, with its threads as _cores.
        default_partition: Partition of jobs that name none.
    """
    cards, model = _number(resources, "gpu"), _text(resources, "gpu_model")
    if not cards:
        cards, model = (1, model) if model else cards_of(_text(resources, "gres"))
    cores = _number(resources, "cpus_per_task") or cards * _number(resources, "cpus_per_gpu")
    cores = cores or _number(resources, "_cores")
    return Request(
        rule=rule,
        cores=cores,
        megabytes=_number(resources, "mem_mb_per_cpu") * cores or _number(resources, "mem_mb"),
        minutes=_number(resources, "runtime"),
        cards=cards,
        model=model,
        partition=_text(resources, "slurm_partition") or default_partition,
    )


def _number(resources: Mapping[str, object], name: str) -> int:
    """A resource; 0 if it is not asked for, or known only once the job's inputs are there."""
    value = resources.get(name)
    return value if isinstance(value, int) else 0


def _text(resources: Mapping[str, object], name: str) -> str:
    """A resource as text: YAML reads a partition named 1 as a number; empty if it is not asked for."""
    value = resources.get(name)
    return str(value) if value and isinstance(value, str | int) else ""


def _hold(rule: "Rule", requests: list[Request], nodes: list[Nodes]) -> None:
    """Hold memory and time of a rule's later attempts at what nodes have that meet its first ones."""
    for name, most in zip(("mem_mb", "runtime"), largest(requests, nodes), strict=True):
        if most < UNKNOWN and name in rule.resources and rule.resources[name].is_evaluable():
            rule.resources[name] = _at_most(rule.resources[name], int(most))


def _at_most(resource: "Resource", most: int) -> Callable[..., object]:
    """Resources function: what a resource amounts to, but no more than the most that there is."""
    return lambda wildcards, **given: resource.evaluate(wildcards, **given).constrain(most).value
