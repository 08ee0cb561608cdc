# Refuse a run that could not come to its end.
import os
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

from iqadistill.clusters.jobs import check_requests
from iqadistill.errors import InputError


def check_writable():
    """Refuse a run whose results could not be written."""
    results = Path("results")
    if results.exists() and not os.access(results, os.W_OK):
        raise WorkflowError(
            "results: cannot be written to; change its permissions, mount it with write access, or run in another "
            "folder (--directory)."
        )


def check_shards():
    """Refuse a run that makes a table again in other parts than those that the study asks for."""
    made = {file for job in workflow.dag.needrun_jobs() for file in job.output}
    if sentence := PLAN.made_in_other_shards(made):
        raise WorkflowError(sentence)


def check_cluster():
    """Refuse a run with jobs that no node of its cluster can run, and warn of those that wait for a node to return."""
    try:
        warnings = check_requests(workflow)
    except InputError as error:
        raise WorkflowError(str(error)) from None
    for sentence in warnings:
        logger.warning(sentence)
