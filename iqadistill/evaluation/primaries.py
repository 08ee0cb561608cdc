"""What the primary comparisons of a study decided."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from iqadistill.errors import InputError
from iqadistill.evaluation.drawn_rankings import DrawnRankings
from iqadistill.evaluation.jackknife import MIN_SPLITS, contents_estimate
from iqadistill.evaluation.jackknife import TEST as CONTENTS_JACKKNIFE
from iqadistill.evaluation.random_splits import over_random_splits, split_sizes
from iqadistill.evaluation.tested import VARIANT, TestedVariants
from iqadistill.evaluation.verdicts import Estimate, decide, paired_estimate, undefined
from iqadistill.tables import as_table

METRIC = "srcc"


def decide_primaries(
    primaries: Sequence[Mapping[str, Any]],
    metrics: pa.Table,
    tested: TestedVariants,
    drawn: DrawnRankings,
    splits: Mapping[str, pa.Table],
    official: Mapping[str, int],
    *,
    margin: float,
    untested: Collection[tuple[str, str]] = (),
) -> pa.Table:
    """Decide the primary comparisons of a study, as one family of Holm's procedure.

    A selector against random is ranked among students of random rankings on the same images, see
    `compare_with_random`. All others are compared on the splits that both variants have, with an error over contents
    and trainings, see `contents_estimate`; on fewer than five splits by the corrected resampled t-test, see
    `paired_test`.

    Args:
        primaries: Primary comparisons: `first` and `second` with the columns dataset, sampler, encoder, selector, keep
            and student; `axis`, in which they differ; and `draws`, the number of random rankings or 0.
        metrics: Table "metrics".
        tested: Test images as the variants score them.
        drawn: Students of random rankings.
        splits: Table "splits" of each training dataset by its name.
        official: Number of the official split of each training dataset that has one; it takes part in nothing.
        margin: Largest difference in SRCC that does not matter.
        untested: Pairs of dataset and student that are in no test, since the student may have seen the images.

    Returns:
        Table "verdicts".

    Raises:
        InputError: A variant was not evaluated.
    """
    measured = over_random_splits(metrics.to_pandas(), official)
    measured = measured[measured.dataset == measured.train_dataset]
    sizes = split_sizes(splits, official)
    rows: list[dict[str, Any]] = []
    estimates: list[Estimate] = []
    for primary in primaries:
        first, second = primary["first"], primary["second"]
        facts: dict[str, Any] = {**{f"other_{name}": second[name] for name in VARIANT if name != "dataset"}, **first}
        seen = {(side["dataset"], side["student"]) for side in (first, second)} & set(untested)
        if seen:
            estimate = undefined(f"{next(iter(seen))[1]} may have seen the test images")
        elif primary["draws"]:
            among = drawn.place(first, family=len(primaries))
            if among is None:
                raise InputError(
                    f"verdicts: {_name(first)} or its random rankings were not evaluated; run their stages again."
                )
            estimate = among.estimate
            facts |= {"draws": among.draws, "below": among.below, "deviation": among.deviation}
            facts |= {"p_normal": among.p_normal, "test": among.test}
            facts["splits"] = len(_srcc(measured, first))
        else:
            a, b = _srcc(measured, first), _srcc(measured, second)
            shared = a.index.intersection(b.index)
            facts |= {"test": "corrected_t", "splits": len(shared), "draws": 0}
            names = _name(first, second), _name(second, first)
            estimate = paired_estimate(a[shared], b[shared], *sizes[first["dataset"]], names)
            if estimate.defined and len(shared) >= MIN_SPLITS:
                tests = tested.pair(first, second)
                estimate, facts["test"] = contents_estimate(list(tests.values()), list(tests)), CONTENTS_JACKKNIFE
        estimates.append(estimate)
        rows.append({**facts, "axis": primary["axis"], "p": estimate.p, "reason": estimate.reason})
    verdicts = decide(estimates, margin)
    table = pd.DataFrame([{**row, "metric": METRIC, **vars(one)} for row, one in zip(rows, verdicts, strict=True)])
    return as_table(table, "verdicts")


def _srcc(measured: pd.DataFrame, side: Mapping[str, Any]) -> pd.Series:
    """SRCC by split of one variant."""
    rows = _matching(side, measured, VARIANT)
    if rows.empty:
        raise InputError(f"verdicts: {_name(side)} was not evaluated; run the evaluate stage again.")
    return rows.set_index("split")[METRIC].sort_index()


def _matching(side: Mapping[str, Any], rows: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    match = np.full(len(rows), True)
    for name in names:
        match &= np.isclose(rows[name], side[name]) if name == "keep" else (rows[name] == side[name]).to_numpy()
    return rows[match]


def _name(side: Mapping[str, Any], other: Mapping[str, Any] | None = None) -> str:
    """Name of a variant, by what it differs in from another one."""
    named = [name for name in VARIANT if side[name] != "" and (not other or side[name] != other[name])]
    return " ".join(f"{side[name]}" for name in named)
