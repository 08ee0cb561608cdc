"""Levels of every variant over the random splits."""

from collections.abc import Mapping

import pandas as pd
import pyarrow as pa

from iqadistill.evaluation.contents import CrossDatasetTests
from iqadistill.evaluation.levels import Level, level_over_splits
from iqadistill.evaluation.random_splits import over_random_splits, split_sizes
from iqadistill.table_schemas import METRICS, VARIANT_OVER_SPLITS
from iqadistill.tables import as_table


def summarise(
    metrics: pa.Table,
    splits: Mapping[str, pa.Table],
    official: Mapping[str, int] | None = None,
    *,
    cross_dataset: CrossDatasetTests | None = None,
) -> pa.Table:
    """Mean of each metric over the random splits with its interval, and median and standard deviation as descriptions.

    The mean is that of Fisher's z, or of the logarithm of RMSE, and the interval belongs to it: a corrected t interval
    over splits (`level_over_splits`). On another dataset all trainings are tested on the same images, and the interval
    is over the contents of these images (`CommonTest.level`).

    Args:
        metrics: Table "metrics".
        splits: Table "splits" of each training dataset by its name.
        official: Number of the official split of each training dataset that has one; see `over_random_splits`.
        cross_dataset: Tests on other datasets; without them, rows of other datasets have no interval.

    Returns:
        Table "summary", one row for each dataset, variant and metric.
    """
    key = ["dataset", *VARIANT_OVER_SPLITS]
    frame = over_random_splits(metrics.to_pandas(), official or {})
    sizes = split_sizes(splits, official or {})
    rows = []
    for values, over_splits in frame.groupby(key, sort=False):
        variant = dict(zip(key, values, strict=True))
        size = sizes[variant["train_dataset"]]
        for metric in METRICS:
            level = level_over_splits(metric, over_splits[metric], **size._asdict())
            if variant["dataset"] != variant["train_dataset"]:
                level = cross_dataset.level(values, metric) if cross_dataset else Level(level.mean)
            description = {
                "median": over_splits[metric].median(skipna=False),
                "std": over_splits[metric].std(skipna=False),
                "splits": len(over_splits),
            }
            rows.append({**variant, "metric": metric, **level._asdict(), **description})
    return as_table(pd.DataFrame(rows), "summary")
