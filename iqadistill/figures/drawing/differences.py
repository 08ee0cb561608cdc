"""Differences to a first variant, with the verdicts of table "comparisons", beside the rows of a figure."""

import numpy as np
import pandas as pd

_OPPOSITE = {"better": "worse", "worse": "better"}
_DECIDED = ["delta", "low", "high", "p", "p_holm", "verdict", "smallest_detectable", "reason"]


def differences_to_first(pairs: pd.DataFrame, axis: str, first: str, key: list[str]) -> pd.DataFrame:
    """Difference of each variant to the first one, in whichever order the pair was tested.

    Args:
        pairs: Rows of table "comparisons".
        axis: Column in which the two variants of a pair differ.
        first: Its value in the first variant.
        key: Columns that name a row of the figure, `axis` among them.

    Returns:
        `key`, and delta_first, delta_low, delta_high, p, p_holm, verdict, smallest_detectable and reason.
    """
    columns = [*key, *_DECIDED]
    forward = pairs[pairs[f"other_{axis}"] == first][columns]
    backward = pairs[pairs[axis] == first].drop(columns=axis).rename(columns={f"other_{axis}": axis})
    backward = backward[columns].assign(
        delta=-backward.delta,
        low=-backward.high,
        high=-backward.low,
        verdict=backward.verdict.replace(_OPPOSITE),
    )
    return (
        pd.concat([forward, backward])
        .drop_duplicates(key)
        .rename(columns={"delta": "delta_first", "low": "delta_low", "high": "delta_high"})
    )


def difference_text(row: pd.Series) -> str:
    """A difference with its interval and verdict; without verdict on another dataset, where there is no test.

    Args:
        row: A row with the columns of `differences_to_first`; they are missing where there is no such comparison.
    """
    if not isinstance(row.verdict, str):
        return ""
    interval = f" [{row.delta_low:+z.3f}, {row.delta_high:+z.3f}]" if np.isfinite(row.delta_low) else ""
    number = f"{row.delta_first:+z.3f}{interval}" if np.isfinite(row.delta_first) else ""
    if number and row.verdict == "undefined" and row.dataset != row.train_dataset:
        return number
    return f"{number} {row.verdict}".strip()
