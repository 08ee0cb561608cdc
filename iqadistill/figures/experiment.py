"""The rows of a study's tables that one experiment shows."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from iqadistill.figures.variants import ALL, LABEL_ONLY, PANEL, RANDOM


def experiment_rows(rows: pd.DataFrame, experiment: Mapping[str, Any]) -> pd.DataFrame:
    """Rows of an experiment's cells, selectors, keep rates and students, with their controls.

    Args:
        rows: Any table with the variant columns and `dataset`.
        experiment: `cells` (mappings of dataset, sampler, encoder), `selectors`, `keep`, `students`.
    """
    cells = pd.DataFrame(experiment["cells"])
    trained = rows.merge(cells, on=PANEL)
    trained = trained[trained.selector.isin([*experiment["selectors"], RANDOM, ALL])]
    trained = trained[trained.keep.round(6).isin([round(rate, 6) for rate in (*experiment["keep"], 1.0)])]
    trained = trained[trained.student.isin(experiment["students"])]
    controls = rows[(rows.student == LABEL_ONLY) & rows.dataset.isin(cells.dataset)]
    return pd.concat([trained, controls], ignore_index=True)


def training_costs(histories: pd.DataFrame, costs: pd.DataFrame) -> pd.DataFrame:
    """Patches and seconds of each variant.

    Args:
        histories: Table "history" of the training jobs with `dataset`.
        costs: Table "costs"; a selector's job is named dataset/sampler/encoder/selector.

    Returns:
        A row a variant: dataset, sampler, encoder, selector, keep, `patches` and `train_seconds` (mean over splits),
        `select_seconds` (ranking every image once; none for all patches).
    """
    key = [*PANEL, "selector", "keep"]
    runs = histories.groupby([*key, "split"], as_index=False).agg(
        patches=("num_patches", "last"), train_seconds=("seconds", "sum")
    )
    variants = runs.groupby(key, as_index=False)[["patches", "train_seconds"]].mean()
    selecting = costs[costs["rule"] == "select_patches"].set_index("wildcards").seconds
    names = variants[[*PANEL, "selector"]].agg("/".join, axis=1)
    return variants.assign(select_seconds=names.map(selecting).fillna(0.0).to_numpy())
