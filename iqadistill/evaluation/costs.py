"""Costs of a study's jobs, from what Snakemake measured and from the sidecars of trained networks."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from iqadistill.errors import InputError

MEGABYTE = 2**20  # Snakemake's benchmarks give memory in MiB


def collect_costs(jobs: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """One row a job.

    Args:
        jobs: For each job its `rule`, the `names` of its entries, its `benchmark` file, and the `sidecar` of the weights it trained,
            or None.

    Returns:
        Table "costs": `wildcards` holds the names as JSON; `max_rss` and `max_vram` are in bytes.

    Raises:
        InputError: A benchmark file is missing.
    """
    return pd.DataFrame([_cost(job) for job in jobs])


def _cost(job: Mapping[str, Any]) -> dict[str, Any]:
    try:
        measured = pd.read_csv(job["benchmark"], sep="\t", na_values="-").iloc[-1]
    except FileNotFoundError:
        raise InputError(f"{job['benchmark']}: no such benchmark; run the job again with --force.") from None
    return {
        "rule": job["rule"],
        "wildcards": json.dumps(job["names"], sort_keys=True),
        "seconds": measured["s"],
        "cpu_seconds": pd.to_numeric(measured["cpu_time"], errors="coerce"),
        "max_rss": pd.to_numeric(measured["max_rss"], errors="coerce") * MEGABYTE,
        **_network_cost(job["sidecar"]),
    }


def _network_cost(sidecar: str | None) -> dict[str, Any]:
    """Parameters, flops and the card's memory of a deep network; nothing for other jobs."""
    facts = json.loads(Path(sidecar).read_text(encoding="utf-8")) if sidecar else {}
    return facts.get("cost") or {}
