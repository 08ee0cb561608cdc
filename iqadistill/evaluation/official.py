"""The official split of a dataset: evaluated by itself, and left out of every statistic over random splits."""

from collections.abc import Mapping

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from iqadistill.evaluation.contents import CommonTest, contents_of
from iqadistill.evaluation.metrics import held_out
from iqadistill.table_schemas import METRICS, VARIANT_OVER_SPLITS
from iqadistill.tables import as_table


def evaluate_official(
    predictions: pa.Table,
    splits: Mapping[str, pa.Table],
    images: Mapping[str, pa.Table],
    official: Mapping[str, int],
    *,
    logistic: int = 4,
    draws: int = 1000,
    seed: int = 0,
) -> pa.Table:
    """Metrics of every variant on the official split of its training dataset, with intervals.

    There is a single training on this split, so the intervals are over the contents of its test images only.

    Args:
        predictions: Table "predictions".
        splits: Table "splits" of each training dataset by its name.
        images: Table "images" of each training dataset by its name, for the contents.
        official: Number of the official split of each training dataset that has one.
        logistic: Number of parameters of the logistic, as for the metrics.
        draws: Number of bootstrap draws of contents.
        seed: Seed of the draws.

    Returns:
        Table "official", one row for each dataset, variant and metric.
    """
    rows: list[dict[str, str | float]] = []
    for name, number in official.items():
        same = pc.and_(pc.equal(predictions["dataset"], name), pc.equal(predictions["train_dataset"], name))
        on_split = predictions.filter(pc.and_(same, pc.equal(predictions["split"], number)))
        contents = contents_of(images, name) if len(on_split) else {}
        for test in held_out(on_split, splits, logistic) if len(on_split) else ():
            tested = CommonTest.of([test], contents)
            variant = {column: test.variant[column] for column in VARIANT_OVER_SPLITS}
            for metric in METRICS:
                level = tested.level(metric, draws=draws, seed=seed)
                values = {"value": tested.values[metric].item(), "low": level.low, "high": level.high}
                rows.append({"dataset": name, **variant, "metric": metric, **values, "n": len(test.scores)})
    return as_table(pd.DataFrame(rows), "official")
