"""Rows of random splits, which statistics over splits are made of, and the sizes of these splits."""

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd
import pyarrow as pa


class SplitSizes(NamedTuple):
    """Mean numbers of training and test images of a split."""

    n_train: float
    n_test: float


def split_sizes(splits: Mapping[str, pa.Table], official: Mapping[str, int]) -> dict[str, SplitSizes]:
    """Sizes of the random splits of each dataset.

    Args:
        splits: Table "splits" of each training dataset by its name.
        official: Number of the official split of each training dataset that has one.
    """
    sizes = {}
    for name, table in splits.items():
        rows = over_random_splits(table.to_pandas().assign(train_dataset=name), official)
        images, count = rows.role.value_counts(), rows.split.nunique()
        sizes[name] = SplitSizes(images.get("train", 0) / count, images.get("test", 0) / count)
    return sizes


def over_random_splits(rows: pd.DataFrame, official: Mapping[str, int]) -> pd.DataFrame:
    """Rows of trainings on random splits.

    The official split differs from the random ones in its sizes and was not drawn, so no median, interval or test over
    splits may include it. Where a training dataset has no other split, its rows are kept: nothing is pooled there.

    Args:
        rows: A table with the columns `train_dataset` and `split`.
        official: Number of the official split of each training dataset that has one.
    """
    apart = rows.split == rows.train_dataset.map(official)
    alone = ~rows.train_dataset.isin(set(rows.train_dataset[~apart]))
    return rows[~apart | alone]
