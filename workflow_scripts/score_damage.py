"""Tell damaged patches from others, by the patch scores of students and by the rankings of selectors."""

import json

import pyarrow as pa

from iqadistill.console import job_log
from iqadistill.evaluation.damage import measure_damage
from iqadistill.tables import read_table, write_table

with job_log(snakemake.log[0]):
    params, files = snakemake.params, snakemake.input
    scores, rankings, parts = iter(files.scores), iter(files.selections), []
    for place, (sampler, encoder) in enumerate(json.loads(params.tables)):
        parts.append(
            measure_damage(
                {name: read_table(next(scores), "patch_scores") for name in json.loads(params.students)},
                read_table(files.images[place], "images"),
                read_table(files.patches[place], "patches"),
                {name: read_table(next(rankings), "selection") for name in json.loads(params.selectors)},
                json.loads(params.official),
                sampler=sampler,
                encoder=encoder,
                draws=params.draws,
                seed=params.seed,
            )
        )
    for name, tables in zip(("damage", "damaged_patches"), zip(*parts, strict=True), strict=True):
        write_table(pa.concat_tables(tables), snakemake.output[name], name)
