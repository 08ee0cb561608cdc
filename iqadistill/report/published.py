"""Published results of other methods, each with its source and protocol."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

TABLE = Path(__file__).with_name("published.csv")


def published_for(datasets: Iterable[str]) -> pd.DataFrame:
    """Published SRCC and PLCC on the given datasets.

    Numbers come from primary sources, the tables or abstract of a paper or the README of its authors' code, but for
    those whose source says secondary.

    Args:
        datasets: Registry names of datasets, e.g. cviq.

    Returns:
        Table with the columns dataset, method, metric (srcc or plcc), value, source and protocol.
    """
    rows = pd.read_csv(TABLE)
    return rows[rows.dataset.isin(list(datasets))].reset_index(drop=True)
