"""Selection of rows from the tables "summary" and "comparisons"."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from iqadistill.errors import InputError
from iqadistill.tables import ALL, RANDOM

PANEL = ["dataset", "sampler", "encoder"]
LABEL_ONLY = "label_only"
_KEY = [*PANEL, "train_dataset", "selector", "keep", "teacher", "student", "metric"]


def trained(summary: pd.DataFrame) -> pd.DataFrame:
    """Rows of students tested on their training dataset.

    Raises:
        InputError: There are no such rows.
    """
    rows = summary[(summary.student != LABEL_ONLY) & (summary.train_dataset == summary.dataset)]
    if rows.empty:
        raise InputError("summary: no rows of a student tested on its training dataset; run the evaluate stage first.")
    return rows


def srcc_at(summary: pd.DataFrame, keep: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """SRCC of students tested on their training dataset: at all keep rates, and at a single one.

    Raises:
        InputError: There are no such rows.
    """
    rows = trained(summary)
    rows = rows[rows.metric == "srcc"]
    return rows, rows[np.isclose(rows.keep, keep)]


def without_selection(summary: pd.DataFrame) -> pd.DataFrame:
    """Rows of students on all patches or on whole images, tested on their training dataset.

    Raises:
        InputError: There are no rows of a student tested on its training dataset.
    """
    rows = trained(summary)
    return rows[rows.selector.isin([ALL, ""])]


def panels(summary: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Dataset, sampler and encoder of each panel, in order of appearance."""
    return list(summary[PANEL].drop_duplicates().itertuples(index=False, name=None))


def in_panel(rows: pd.DataFrame, panel: tuple[str, str, str], **columns: str | float) -> pd.DataFrame:
    """Rows of one panel with the given values in further columns; `keep` is compared with a tolerance."""
    match = (rows[PANEL].to_numpy(dtype=object) == np.array(panel, dtype=object)).all(axis=1)
    for name, value in columns.items():
        match &= np.isclose(rows[name], value) if name == "keep" else rows[name] == value
    return rows[match]


def one(rows: pd.DataFrame, **columns: str | float) -> pd.Series | None:
    """The only row with the given values, or None if there is none; `keep` is compared with a tolerance.

    Raises:
        InputError: Several rows match, so it is undefined which of them to show.
    """
    for name, value in columns.items():
        rows = rows[np.isclose(rows[name], value) if name == "keep" else rows[name] == value]
    if len(rows) > 1:
        raise InputError(f"summary: {len(rows)} variants match {columns}; give one student per experiment.")
    return None if rows.empty else rows.iloc[0]


def with_random_delta(rows: pd.DataFrame, comparisons: pd.DataFrame) -> pd.DataFrame:
    """Rows of table "summary" with the paired difference to random at the same keep rate, its interval and verdict.

    Random is the mean over random rankings, in SRCC, where the study drew them to compare with. These columns are
    missing in rows without such a pair (random itself, all patches).
    """
    pairs = against_random(comparisons)
    pairs = pairs[[*_KEY, "delta", "low", "high", "p", "p_holm", "verdict", "smallest_detectable", "reason"]].rename(
        columns={"delta": "delta_random", "low": "delta_low", "high": "delta_high"}
    )
    return rows.merge(pairs.drop_duplicates(_KEY), on=_KEY, how="left")


def by_setting(rows: pd.DataFrame, settings: Mapping[str, Mapping[str, Any]], names: list[str]) -> pd.DataFrame:
    """Rows of the given selectors with some of their settings as columns, sorted by panel and these settings.

    Args:
        rows: Rows of table "summary".
        settings: Settings of each selector by its name.
        names: Names of the settings that become columns.

    Raises:
        InputError: A selector has no such setting, or none of the selectors was evaluated.
    """
    for selector, values in settings.items():
        missing = [name for name in names if name not in values]
        if missing:
            raise InputError(f"selectors.{selector}: no setting {missing[0]!r}, which the figure needs; add it.")
    rows = rows[rows.selector.isin(list(settings))].copy()
    if rows.empty:
        raise InputError(f"summary: no rows of the selectors {sorted(settings)}; run the evaluate stage first.")
    for name in names:
        rows[name] = [settings[selector][name] for selector in rows.selector]
    return rows.sort_values([*PANEL, *names], kind="stable")


def against_random(comparisons: pd.DataFrame) -> pd.DataFrame:
    """Comparisons of a selector with random at the same keep rate, everything else equal."""
    pairs = _same_apart_from_selection(comparisons)
    return pairs[(pairs.other_selector == RANDOM) & np.isclose(pairs.keep, pairs.other_keep)]


def against_all(comparisons: pd.DataFrame) -> pd.DataFrame:
    """Comparisons of a selector at any keep rate with all patches, everything else equal."""
    pairs = _same_apart_from_selection(comparisons)
    return pairs[(pairs.other_selector == ALL) & (pairs.selector != ALL)]


def _same_apart_from_selection(comparisons: pd.DataFrame) -> pd.DataFrame:
    names = ["train_dataset", "sampler", "encoder", "student"]
    sides = comparisons[names].to_numpy(), comparisons[[f"other_{name}" for name in names]].to_numpy()
    return comparisons[(sides[0] == sides[1]).all(axis=1)]
