"""Gather what a study's jobs took, and what its deep networks weigh, into its costs table."""

import json
from pathlib import Path

import pandas as pd

from iqadistill.console import job_log
from iqadistill.tables import write_table

# Each job's benchmark lies where its output lies, under results/benchmarks and with another suffix.
MEGABYTE = 2**20


def weighed(output: str) -> dict:
    """Parameters, flops and the card's memory of a deep network, from the sidecar of its weights."""
    sidecar = Path(output).with_suffix(".json")
    return json.loads(sidecar.read_text()).get("cost", {}) if Path(output).suffix == ".safetensors" else {}


def cost(output: str) -> dict:
    """One job's row."""
    _, rule, *names = output.split("/")
    stem = "/".join(names).removesuffix(".parquet").removesuffix(".safetensors")
    measured = pd.read_csv(f"results/benchmarks/{rule}/{stem}.tsv", sep="\t").iloc[-1]
    return {
        "rule": rule,
        "wildcards": stem,
        "seconds": measured["s"],
        "cpu_seconds": pd.to_numeric(measured["cpu_time"], errors="coerce"),
        "max_rss": pd.to_numeric(measured["max_rss"], errors="coerce") * MEGABYTE,
        **weighed(output),
    }


with job_log(snakemake.log[0]):
    write_table(pd.DataFrame([cost(file) for file in snakemake.input]), snakemake.output.costs, "costs")
