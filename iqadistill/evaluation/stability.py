"""Stability of scores under the horizontal flip, which keeps the quality of an image."""

from collections.abc import Mapping

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from iqadistill.evaluation.metrics import with_roles
from iqadistill.evaluation.random_splits import over_random_splits
from iqadistill.table_schemas import VARIANT_COLUMNS, VARIANT_OVER_SPLITS
from iqadistill.tables import as_table


def flip_stability(predictions: pa.Table, splits: Mapping[str, pa.Table], official: Mapping[str, int]) -> pa.Table:
    """Mean |q(I) - q(t(I))| over test images, t the horizontal flip, with its mean and deviation over random splits.

    Args:
        predictions: Table "predictions"; variants without predictions from flipped patches are left out.
        splits: Table "splits" of each training dataset by its name.
        official: Number of the official split of each training dataset that has one; see `over_random_splits`.

    Returns:
        Table "stability", in units of quality, one row for each dataset and variant.
    """
    frame = with_roles(predictions.filter(pc.is_valid(predictions["flipped"])).to_pandas(), splits)
    frame = over_random_splits(frame[frame.role == "test"], official)
    frame = frame.assign(difference=(frame.prediction - frame.flipped).abs())
    by_split = frame.groupby(["dataset", *VARIANT_COLUMNS], sort=False).difference.mean().reset_index()
    groups = by_split.groupby(["dataset", *VARIANT_OVER_SPLITS], sort=False).difference
    rows = groups.agg(difference="mean", std="std", splits="size").reset_index()
    return as_table(rows if len(rows) else pd.DataFrame(), "stability")
