"""Score test images from few of their patches, chosen by each selector and at random."""

import json

import pyarrow as pa

from iqadistill.console import job_log
from iqadistill.evaluation.budgets import measure_budgets
from iqadistill.evaluation.patch_scores import Chooser
from iqadistill.selection.ranking import rank_patches
from iqadistill.selection.registry import SELECTORS
from iqadistill.selection.selectors.position import PositionSelector
from iqadistill.tables import read_table, write_table

with job_log(snakemake.log[0]):
    params, files = snakemake.params, snakemake.input
    weighted = {name: SELECTORS.create(entry).create() for name, entry in json.loads(params.weighted).items()}
    parts, rankings = [], iter(files.selections)
    for place, scores in enumerate(files.scores):
        table, student = divmod(place, params.students)
        if student == 0:  # the first student of an embedding table
            images, embeddings, patches = (
                read_table(files[kind][table], kind) for kind in ("images", "embeddings", "patches")
            )
            choosers = {}
            for name in json.loads(params.selectors):
                selection, vectors = read_table(next(rankings), "selection"), None
                if name in weighted:
                    vectors = weighted[name].vectors(embeddings, patches, images).astype(float)
                choosers[name] = Chooser(selection, vectors)
            position = PositionSelector()
            ranking, _ = rank_patches(embeddings, position, seed=params.seed, patches=patches, images=images)
            placed = Chooser(ranking, position.vectors(embeddings, patches, images))
        parts.append(
            measure_budgets(
                read_table(scores, "patch_scores"),
                images,
                read_table(files.splits[table], "splits"),
                choosers,
                json.loads(params.official),
                placed=placed,
                embeddings=embeddings,
                seed=params.seed,
                margin=params.margin,
            )
        )
    write_table(pa.concat_tables(parts), snakemake.output.budgets, "budgets")
