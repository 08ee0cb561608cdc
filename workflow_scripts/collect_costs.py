"""Gather the benchmark files of a study's stages into its costs table."""

import pandas as pd

from iqadistill.console import job_log
from iqadistill.tables import write_table

# Each job's benchmark lies where its output lies, under results/benchmarks and with another suffix.
MEGABYTE = 2**20


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
    }


with job_log(snakemake.log[0]):
    write_table(pd.DataFrame([cost(file) for file in snakemake.input]), snakemake.output.costs, "costs")
