"""Published results of other methods, each with its source and protocol."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

TABLE = Path(__file__).with_name("published.csv")
CROSS_TABLE = Path(__file__).with_name("published_cross.csv")


def published_for(datasets: Iterable[str]) -> pd.DataFrame:
    """Published SRCC and PLCC on the given datasets.

    The column `source` says where a number was read: the tables or abstract of a paper, the README of its authors'
    code, or a summary of the paper.

    Args:
        datasets: Registry names of datasets, e.g. cviq.

    Returns:
        Table with the columns dataset, method, metric (srcc or plcc), value, source and protocol.
    """
    rows = pd.read_csv(TABLE)
    return rows[rows.dataset.isin(list(datasets))].reset_index(drop=True)


def published_cross_for(sources: Mapping[str, str]) -> pd.DataFrame:
    """Published results of methods that were trained on one dataset of a study and tested on another.

    Args:
        sources: Registry name of each dataset entry of the study.

    Returns:
        Table as that of `published_for` with a column `train_dataset`; both datasets by the names of their entries.
    """
    rows = pd.read_csv(CROSS_TABLE)
    entries = pd.DataFrame(sources.items(), columns=["entry", "registered"])
    for column in ("train_dataset", "dataset"):
        named = rows.merge(entries, left_on=column, right_on="registered")
        rows = named.assign(**{column: named.entry}).drop(columns=["entry", "registered"])
    return rows
