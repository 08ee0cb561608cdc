"""What the jobs of a planned run ask a cluster for."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from iqadistill.clusters.slurm import Request, read_nodes, refusals
from iqadistill.errors import InputError

if TYPE_CHECKING:
    from snakemake.workflow import Workflow

SHOWN = 10  # sentences of one message at most


def check_requests(workflow: "Workflow") -> list[str]:
    """Compare the jobs of a run with the nodes of the cluster that it submits to; another executor is not checked.

    Args:
        workflow: Snakemake's workflow, planned and about to start.

    Returns:
        Sentences on later attempts that no node could run, since memory and time grow with the attempt.

    Raises:
        InputError: A job asks for what no node has, or the cluster does not answer.
    """
    if workflow.remote_execution_settings is None or not _submits_to_slurm(workflow):
        return []
    nodes = read_nodes()
    if nodes is None:
        raise InputError("executor: slurm is set but sinfo is not installed here; run on a login node of the cluster.")
    refused = list(refusals(_requests(workflow, attempt=1), nodes))
    if refused:
        more = len(refused) - SHOWN
        rest = [f"... and {more} more."] if more > 0 else []
        raise InputError("\n".join(["Nothing was queued, for no node could run it:", *refused[:SHOWN], *rest]))
    last = 1 + (workflow.execution_settings.retries or 0)
    if last == 1:
        return []
    return [f"At attempt {last}, {sentence}" for sentence in refusals(_requests(workflow, attempt=last), nodes)]


def _submits_to_slurm(workflow: "Workflow") -> bool:
    plugin = workflow.executor_plugin
    return plugin is not None and plugin.name == "slurm"


def _requests(workflow: "Workflow", attempt: int) -> Iterator[Request]:
    """What the jobs that will be submitted ask for at an attempt."""
    for job in workflow.dag.needrun_jobs():
        if job.is_local:
            continue
        resources = job.rule.expand_resources(job.wildcards_dict, job.input, attempt, skip_evaluation={"tmpdir"})
        yield Request(
            rule=job.rule.name,
            cores=_number(resources, "cpus_per_task") or _number(resources, "_cores"),
            megabytes=_number(resources, "mem_mb"),
            minutes=_number(resources, "runtime"),
            cards=_number(resources, "gpu"),
            model=_name(resources, "gpu_model"),
            partition=_name(resources, "slurm_partition"),
        )


def _number(resources: Mapping[str, object], name: str) -> int:
    """A resource; 0 if it is not asked for, or known only once the job's inputs are there."""
    value = resources.get(name)
    return value if isinstance(value, int) else 0


def _name(resources: Mapping[str, object], name: str) -> str:
    value = resources.get(name)
    return value if isinstance(value, str) else ""
