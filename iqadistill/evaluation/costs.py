"""Costs of a study's jobs, from Snakemake's benchmark files and the sidecars of weights, embeddings and predictions."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypedDict

import pandas as pd

from iqadistill.errors import InputError

MEGABYTE = 2**20  # Snakemake's benchmark files give memory in MiB


class MeasuredJob(TypedDict):
    """A finished job.

    Attributes:
        rule: Name of its rule.
        names: Names of the entries that it ran for, by kind, e.g. dataset or sampler.
        benchmark: Path of its benchmark file.
        sidecar: Path of the sidecar of its weights, embeddings or predictions; None for other jobs.
    """

    rule: str
    names: Mapping[str, str]
    benchmark: str
    sidecar: str | None


def collect_costs(jobs: Iterable[MeasuredJob]) -> pd.DataFrame:
    """Costs of jobs, one row each.

    Args:
        jobs: The finished jobs.

    Returns:
        Table "costs"; `wildcards` holds the names as JSON, `max_rss` and `max_vram` are in bytes.

    Raises:
        InputError: A benchmark file is missing, or a file is damaged.
    """
    return pd.DataFrame([_cost(job) for job in jobs])


def _cost(job: MeasuredJob) -> dict[str, object]:
    try:
        measured = pd.read_csv(job["benchmark"], sep="\t", na_values="-", usecols=["s", "cpu_time", "max_rss"]).iloc[-1]
    except FileNotFoundError:
        raise InputError(f"{job['benchmark']}: benchmark file not found; run its job again with --force.") from None
    except (ValueError, IndexError):
        raise InputError(f"{job['benchmark']}: not a benchmark file; run its job again with --force.") from None
    return {
        "rule": job["rule"],
        "wildcards": json.dumps(job["names"], sort_keys=True),
        "seconds": measured["s"],
        "cpu_seconds": pd.to_numeric(measured["cpu_time"], errors="coerce"),
        "max_rss": pd.to_numeric(measured["max_rss"], errors="coerce") * MEGABYTE,
        **_sidecar_cost(job["sidecar"]),
    }


def _sidecar_cost(sidecar: str | None) -> dict[str, float]:
    """Parameters, FLOPs and peak GPU memory of a deep network, or the time of scoring; empty for other jobs."""
    try:
        facts = json.loads(Path(sidecar).read_text(encoding="utf-8")) if sidecar else {}
    except ValueError as error:
        raise InputError(f"{sidecar}: not valid JSON ({error}); delete it and run its stage again.") from None
    return facts.get("cost") or {}
