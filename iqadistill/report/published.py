"""Numbers that others published, each with its source and protocol."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

TABLE = Path(__file__).with_name("published.csv")


def published_for(datasets: Iterable[str]) -> pd.DataFrame:
    """Published SRCC and PLCC on these datasets.

    Only numbers read in a primary source are kept: a paper's own table or abstract, or its authors' README.

    Args:
        datasets: Registry names such as cviq.

    Returns:
        Columns dataset, method, metric (srcc or plcc), value, source, protocol.
    """
    rows = pd.read_csv(TABLE)
    return rows[rows.dataset.isin(list(datasets))].reset_index(drop=True)
