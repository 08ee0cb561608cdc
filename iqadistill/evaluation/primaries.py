"""What the primary comparisons of a study decided."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from iqadistill.errors import InputError
from iqadistill.evaluation.contents import contents_of
from iqadistill.evaluation.metrics import with_roles
from iqadistill.evaluation.random_rankings import AmongRandom, compare_with_random, scores_by_split
from iqadistill.evaluation.random_splits import over_random_splits, split_sizes
from iqadistill.evaluation.verdicts import Estimate, decide, paired_estimate, undefined
from iqadistill.tables import SCHEMAS, as_table

SIDE = ["dataset", "sampler", "encoder", "selector", "keep", "student"]
METRIC = "srcc"


def decide_primaries(
    primaries: Sequence[Mapping[str, Any]],
    metrics: pa.Table,
    predictions: pa.Table | None,
    draws: Iterable[pa.Table],
    images: Mapping[str, pa.Table],
    splits: Mapping[str, pa.Table],
    official: Mapping[str, int],
    *,
    margin: float,
    untested: Collection[tuple[str, str]] = (),
) -> pa.Table:
    """Decide the primary comparisons of a study, as one family of Holm's procedure.

    A selector against random is ranked among students of random rankings on the same images, see
    `compare_with_random`. All others are corrected resampled t-tests on the splits that both variants have, see
    `paired_test`.

    Args:
        primaries: Primary comparisons: `first` and `second` with the columns dataset, sampler, encoder, selector, keep
            and student; `axis`, in which they differ; and `draws`, the number of random rankings or 0.
        metrics: Table "metrics".
        predictions: Table "predictions"; read only where a selector is compared with random.
        draws: Tables "draws" of the students of random rankings.
        images: Table "images" of each training dataset by its name.
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
    predicted = None if predictions is None else predictions.to_pandas()
    drawn, sizes = [table.to_pandas() for table in draws], split_sizes(splits, official)
    rows: list[dict[str, Any]] = []
    estimates: list[Estimate] = []
    for primary in primaries:
        first, second = primary["first"], primary["second"]
        facts: dict[str, Any] = {**{f"other_{name}": second[name] for name in SIDE if name != "dataset"}, **first}
        seen = {(side["dataset"], side["student"]) for side in (first, second)} & set(untested)
        if seen:
            estimate = undefined(f"{next(iter(seen))[1]} may have seen the test images")
        elif primary["draws"] and predicted is not None:
            among = _among_random(first, predicted, drawn, images, splits, official, len(primaries))
            estimate = among.estimate
            facts |= {"draws": among.draws, "below": among.below, "deviation": among.deviation}
            facts |= {"p_normal": among.p_normal, "test": among.test}
            facts["splits"] = len(_srcc(measured, first))
        else:
            a, b = _srcc(measured, first), _srcc(measured, second)
            shared = a.index.intersection(b.index)
            names = _name(first, second), _name(second, first)
            estimate = paired_estimate(a[shared], b[shared], *sizes[first["dataset"]], names)
            facts |= {"test": "corrected_t", "splits": len(shared), "draws": 0}
        estimates.append(estimate)
        rows.append({**facts, "axis": primary["axis"], "p": estimate.p, "reason": estimate.reason})
    verdicts = decide(estimates, margin)
    table = pd.DataFrame([{**row, "metric": METRIC, **vars(one)} for row, one in zip(rows, verdicts, strict=True)])
    return as_table(table, "verdicts")


def as_draw(predictions: pa.Table, draw: int) -> pa.Table:
    """Predictions of a student of one random ranking as a table "draws".

    Args:
        predictions: Table "predictions".
        draw: Number of the random ranking.
    """
    shared = predictions.select([name for name in SCHEMAS["draws"].names if name != "draw"])
    return as_table(shared.append_column("draw", pa.array([draw] * len(shared))), "draws")


def _among_random(
    side: Mapping[str, Any],
    predictions: pd.DataFrame,
    drawn: Sequence[pd.DataFrame],
    images: Mapping[str, pa.Table],
    splits: Mapping[str, pa.Table],
    official: Mapping[str, int],
    family: int,
) -> AmongRandom:
    dataset = side["dataset"]
    of_selector = _matching(side, predictions, SIDE)
    of_selector = over_random_splits(of_selector[of_selector.dataset == of_selector.train_dataset], official)
    of_selector = with_roles(of_selector, {dataset: splits[dataset]}).query("role == 'test'")
    names = [name for name in SIDE if name != "selector"]
    tables = [rows for table in drawn if len(rows := _matching(side, table, names))]
    if not tables or of_selector.empty:
        raise InputError(f"verdicts: {_name(side)} or its random rankings were not evaluated; run their stages again.")
    tests = scores_by_split(of_selector, pd.concat(tables), contents_of(images, dataset))
    return compare_with_random(list(tests.values()), family=family, splits=list(tests))


def _srcc(measured: pd.DataFrame, side: Mapping[str, Any]) -> pd.Series:
    """SRCC by split of one variant."""
    rows = _matching(side, measured, SIDE)
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
    return " ".join(f"{side[name]}" for name in SIDE if side[name] != "" and (not other or side[name] != other[name]))
