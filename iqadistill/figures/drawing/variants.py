"""Rows of the summary and comparison tables that a figure shows."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from iqadistill.errors import InputError

PANEL = ["dataset", "sampler", "encoder"]
LABEL_ONLY = "label_only"
ALL = "all"
RANDOM = "random"
_KEY = [*PANEL, "train_dataset", "selector", "keep", "teacher", "student", "metric"]


def trained(summary: pd.DataFrame) -> pd.DataFrame:
    """Rows of students trained on patches of the dataset they are tested on."""
    rows = summary[(summary.student != LABEL_ONLY) & (summary.train_dataset == summary.dataset)]
    if rows.empty:
        raise InputError(
            "summary: no student was trained and tested on the same dataset; run the evaluation stage first."
        )
    return rows


def panels(summary: pd.DataFrame) -> list[tuple[str, str, str]]:
    """(dataset, sampler, encoder) of the trained rows, in order of appearance."""
    return list(summary[PANEL].drop_duplicates().itertuples(index=False, name=None))


def in_panel(rows: pd.DataFrame, panel: tuple[str, str, str], **columns: Any) -> pd.DataFrame:
    """Rows of one panel, narrowed to the given column values; `keep` compares as a rate, not bit by bit."""
    match = (rows[PANEL].to_numpy(dtype=object) == np.array(panel, dtype=object)).all(axis=1)
    for name, value in columns.items():
        match &= np.isclose(rows[name], value) if name == "keep" else rows[name] == value
    return rows[match]


def one(rows: pd.DataFrame, **columns: Any) -> pd.Series | None:
    """The only row with these values, or None where there is none.

    Raises:
        InputError: Several rows fit, so the figure would not know which to show.
    """
    for name, value in columns.items():
        rows = rows[np.isclose(rows[name], value) if name == "keep" else rows[name] == value]
    if len(rows) > 1:
        raise InputError(f"summary: {len(rows)} variants fit {columns}; give the figure one student at a time.")
    return None if rows.empty else rows.iloc[0]


def with_random_delta(rows: pd.DataFrame, comparisons: pd.DataFrame) -> pd.DataFrame:
    """Summary rows with the paired difference to random at the same keep rate, its interval and p values.

    Rows without such a pair (random itself, all patches) have NaN there.
    """
    pairs = against_random(comparisons)
    pairs = pairs[[*_KEY, "delta", "low", "high", "p", "p_holm"]].rename(
        columns={"delta": "delta_random", "low": "delta_low", "high": "delta_high"}
    )
    return rows.merge(pairs.drop_duplicates(_KEY), on=_KEY, how="left")


def by_setting(rows: pd.DataFrame, settings: Mapping[str, Mapping[str, Any]], names: list[str]) -> pd.DataFrame:
    """Rows of the selectors in `settings`, with the named settings as columns and ordered by them.

    Raises:
        InputError: A selector lacks one of the settings, or none of them was evaluated.
    """
    for selector, given in settings.items():
        missing = [name for name in names if name not in given]
        if missing:
            raise InputError(f"selectors.{selector}: the figure needs its {missing[0]}; give it in the study.")
    rows = rows[rows.selector.isin(list(settings))].copy()
    if rows.empty:
        raise InputError(
            f"summary: none of the selectors {sorted(settings)} was evaluated; run the evaluation stage first."
        )
    for name in names:
        rows[name] = [settings[selector][name] for selector in rows.selector]
    return rows.sort_values([*PANEL, *names], kind="stable")


def against_random(comparisons: pd.DataFrame) -> pd.DataFrame:
    """Pairs of a selector with random at the same keep rate, all else equal."""
    pairs = _same_but_selection(comparisons)
    return pairs[(pairs.other_selector == RANDOM) & np.isclose(pairs.keep, pairs.other_keep)]


def against_all(comparisons: pd.DataFrame) -> pd.DataFrame:
    """Pairs of a selector at some keep rate with all patches, all else equal."""
    pairs = _same_but_selection(comparisons)
    return pairs[(pairs.other_selector == ALL) & (pairs.selector != ALL)]


def _same_but_selection(comparisons: pd.DataFrame) -> pd.DataFrame:
    names = ["train_dataset", "sampler", "encoder", "student"]
    sides = comparisons[names].to_numpy(), comparisons[[f"other_{name}" for name in names]].to_numpy()
    return comparisons[(sides[0] == sides[1]).all(axis=1)]
