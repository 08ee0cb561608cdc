"""Collect the costs of a study's jobs into its costs table."""

import json

from iqadistill.console import job_log
from iqadistill.evaluation.costs import collect_costs
from iqadistill.tables import write_table

with job_log(snakemake.log[0]):
    write_table(collect_costs(json.loads(snakemake.params.jobs)), snakemake.output.costs, "costs")
