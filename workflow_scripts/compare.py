"""Test variants in pairs on the same splits, corrected for shared training data and for the number of tests."""

from pathlib import Path

from iqadistill.console import job_log
from iqadistill.evaluation.comparisons import compare_variants
from iqadistill.tables import read_table, write_table

with job_log(snakemake.log[0]):
    splits = {Path(file).stem: read_table(file, "splits") for file in snakemake.input.splits}
    comparisons = compare_variants(read_table(snakemake.input.metrics, "metrics"), splits)
    write_table(comparisons, snakemake.output.comparisons, "comparisons")
