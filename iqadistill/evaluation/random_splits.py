"""Rows of random splits, which statistics over splits are made of."""

from collections.abc import Mapping

import pandas as pd


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
