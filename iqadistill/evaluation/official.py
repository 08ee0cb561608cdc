"""The official split of a dataset: evaluated by itself, and left out of every statistic over random splits."""

from collections.abc import Mapping

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from iqadistill.evaluation.metrics import held_out, metric_interval, metric_values
from iqadistill.tables import METRICS, VARIANT_OVER_SPLITS, as_table


def evaluate_official(
    predictions: pa.Table,
    splits: Mapping[str, pa.Table],
    official: Mapping[str, int],
    *,
    logistic: int = 4,
    draws: int = 1000,
    seed: int = 0,
) -> pa.Table:
    """Metrics of every variant on the official split of its training dataset, with bootstrap intervals.

    There is a single training on this split, so the intervals are over its test images only.

    Args:
        predictions: Table "predictions".
        splits: Table "splits" of each training dataset by its name.
        official: Number of the official split of each training dataset that has one.
        logistic: Number of parameters of the logistic, as for the metrics.
        draws: Number of bootstrap draws over images.
        seed: Seed of the draws.

    Returns:
        Table "official", one row for each dataset, variant and metric.
    """
    rows: list[dict[str, str | float]] = []
    for name, number in official.items():
        same = pc.and_(pc.equal(predictions["dataset"], name), pc.equal(predictions["train_dataset"], name))
        on_split = predictions.filter(pc.and_(same, pc.equal(predictions["split"], number)))
        for test in held_out(on_split, splits, logistic) if len(on_split) else ():
            values = metric_values(test)
            for metric in METRICS:
                interval = metric_interval([test], metric, draws=draws, seed=seed)
                variant = {column: test.variant[column] for column in VARIANT_OVER_SPLITS}
                bounds = {"low": interval.low, "high": interval.high, "n": len(test.scores)}
                rows.append({"dataset": name, **variant, "metric": metric, "value": values[metric], **bounds})
    return as_table(pd.DataFrame(rows), "official")
