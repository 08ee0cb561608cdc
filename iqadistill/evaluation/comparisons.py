"""Paired comparisons of variants, in families for Holm's correction."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from iqadistill.errors import InputError
from iqadistill.evaluation.contents import TEST as CONTENTS
from iqadistill.evaluation.contents import CrossDatasetTests
from iqadistill.evaluation.drawn_rankings import DrawnRankings
from iqadistill.evaluation.label_only import STUDENT as LABEL_ONLY
from iqadistill.evaluation.paired import PairedTest, paired_test
from iqadistill.evaluation.random_rankings import AmongRandom
from iqadistill.evaluation.random_splits import over_random_splits, split_sizes
from iqadistill.evaluation.variant_names import side_names
from iqadistill.evaluation.verdicts import NOTHING_SHARED, Estimate, decide, undefined, why_untested
from iqadistill.table_schemas import VARIANT_OVER_SPLITS
from iqadistill.tables import ALL, RANDOM, as_table

VARIANT = ["dataset", *VARIANT_OVER_SPLITS]
COMPARED = ("srcc", "plcc")
_SWEEP = ["train_dataset", "sampler", "encoder", "teacher", "student"]
_WITHIN_SWEEP = ("against_random", "against_all")
_BETWEEN_STUDENTS = ("students", "against_label_only")
AWAY = "trainings share images: an interval, no test"


def compare_variants(
    metrics: pa.Table,
    splits: Mapping[str, pa.Table],
    official: Mapping[str, int] | None = None,
    *,
    untested: Collection[tuple[str, str]] = (),
    margin: float = 0.01,
    cross_dataset: CrossDatasetTests | None = None,
    drawn: DrawnRankings | None = None,
) -> pa.Table:
    """Test variants against each other on the same random splits, with Holm's correction within each family.

    The families, each within one dataset and metric:

    - `against_random`: every selector against random at the same keep rate; in SRCC against the mean over random
      rankings where the study drew them, otherwise against its one random ranking.
    - `against_all`: every selector and keep rate against all patches. This family and the one above are corrected
      within one sampler, encoder and student, because claims are made about such a sweep.
    - `against_label_only`: every student on all patches, or on whole images, against the predictor that knows only the
      distortion label.
    - `samplers`, `encoders`, `students`: all pairs, on all patches; students on whole images, whose sampler, encoder
      and selector are empty, against those on every sampler and encoder.

    Students, and the label-only predictor, are compared on the splits that both have, because deep students may be
    trained on fewer. There is no comparison in PLCC with a student that has no logistic, as it has no predictions for
    training images. Where a metric is undefined on a split, so is the comparison, and its reason names variant and
    splits.

    Pairs that were tested on another dataset than trained on have no p value, but an interval over the contents of the
    tested images (`CrossDatasetTests.difference`).

    Args:
        metrics: Table "metrics".
        splits: Table "splits" of each training dataset by its name.
        official: Number of the official split of each training dataset that has one; see `over_random_splits`.
        untested: Pairs of dataset and student that are in no test, since the student may have seen the images.
        cross_dataset: Tests on other datasets; without them, such pairs have no interval.
        drawn: Students of random rankings, if the study trained any.
        margin: Largest difference that does not matter, for the verdicts, which are exploratory here.

    Returns:
        Table "comparisons"; an interval is at the level that Holm's procedure gave its test, or 95 % without one.

    Raises:
        InputError: Two variants were not evaluated on the same splits, or the splits of a training dataset are missing.
    """
    official = official or {}
    frame = over_random_splits(metrics.to_pandas(), official)
    by_variant = {key: rows.set_index("split") for key, rows in frame.groupby(VARIANT, sort=False)}
    missing = sorted(set(frame.train_dataset) - set(splits))
    if missing:
        raise InputError(f"splits: no table for the training dataset {missing[0]!r}; give it.")
    sizes = split_sizes(splits, official)
    variants = frame[VARIANT].drop_duplicates(ignore_index=True)
    seen = pd.MultiIndex.from_frame(variants[["dataset", "student"]]).isin(list(untested))
    pairs = _families(variants[~seen])
    if pairs.empty:
        return as_table(pd.DataFrame(), "comparisons")
    outcomes: list[tuple[dict[str, object], _Outcome]] = []
    family_sizes = pairs.groupby(["family", "dataset", _sweep(pairs)]).family.transform("size")
    for (_, pair), family_size in zip(pairs.iterrows(), family_sizes, strict=True):
        first = tuple(pair[name] for name in VARIANT)
        second = (pair["dataset"], *(pair[f"other_{name}"] for name in VARIANT_OVER_SPLITS))
        for metric in COMPARED:
            a, b = by_variant[first][metric].sort_index(), by_variant[second][metric].sort_index()
            if metric == "plcc" and any(by_variant[side].mapping.isna().all() for side in (first, second)):
                continue
            if pair["family"] in _BETWEEN_STUDENTS:
                shared = a.index.intersection(b.index)
                a, b = a[shared], b[shared]
            if not a.index.equals(b.index):
                raise InputError(
                    f"metrics: {first} and {second} were not evaluated on the same splits; evaluate them again."
                )
            if a.empty:
                outcome = _Outcome.of(undefined(NOTHING_SHARED), np.nan, np.nan, "")
            elif pair["dataset"] != pair["train_dataset"]:
                outcome = _over_contents(cross_dataset, first, second, metric, (a, b), side_names(pair))
            elif (
                drawn
                and (pair["family"], metric) == ("against_random", "srcc")
                and (among := drawn.place(pair, family=int(family_size)))
            ):
                outcome = _among_rankings(among)
            else:
                test = paired_test(a, b, **sizes[pair["train_dataset"]]._asdict())
                outcome = _over_splits(test, why_untested(a, b, test, side_names(pair), metric.upper()))
            outcomes.append(({**pair, "metric": metric}, outcome))
    table = pd.DataFrame([{**pair, **outcome.columns} for pair, outcome in outcomes])
    for _, rows in table.groupby(["family", "dataset", "metric", _sweep(table)]):
        verdicts = decide([outcomes[row][1].estimate for row in rows.index], margin)
        decided = pd.DataFrame([vars(one) for one in verdicts], index=rows.index)
        table.loc[rows.index, "p_holm"] = decided.p_adjusted
        table.loc[rows.index, ["verdict", "smallest_detectable"]] = decided[["verdict", "smallest_detectable"]]
        tested = decided.low.notna()  # others have an interval of their own or none
        table.loc[rows.index[tested], ["low", "high"]] = decided.loc[tested, ["low", "high"]]
    return as_table(table.assign(margin=margin), "comparisons")


def _sweep(pairs: pd.DataFrame) -> pd.Series:
    """Name of the sweep within which each pair is corrected; empty where its whole family is corrected together."""
    return pairs[_SWEEP].where(pairs.family.isin(_WITHIN_SWEEP), "").astype(str).agg("/".join, axis=1)


@dataclass(frozen=True)
class _Outcome:
    """A comparison: its columns in table "comparisons" before any correction, and what is decided by."""

    columns: Mapping[str, object]
    estimate: Estimate

    @classmethod
    def of(cls, estimate: Estimate, low: float, high: float, test: str, **facts: object) -> "_Outcome":
        columns = {"delta": estimate.difference, "low": low, "high": high, "p": estimate.p, "test": test}
        return cls(
            {**columns, "reason": estimate.reason, "draws": 0, "below": 0, "deviation": np.nan, **facts}, estimate
        )


def _over_splits(test: PairedTest, reason: str) -> _Outcome:
    """Comparison on the splits that both variants have."""
    estimate = Estimate(test.delta, test.error, test.degrees, test.p, test.error, test.degrees, reason)
    return _Outcome.of(estimate, test.low, test.high, test.test)


def _among_rankings(among: AmongRandom) -> _Outcome:
    """Comparison of a selector with the mean over random rankings; `decide` gives its interval."""
    facts = {"draws": among.draws, "below": among.below, "deviation": among.deviation}
    return _Outcome.of(among.estimate, np.nan, np.nan, among.test, **facts)


def _over_contents(
    cross_dataset: CrossDatasetTests | None,
    first: tuple,
    second: tuple,
    metric: str,
    values: tuple[pd.Series, pd.Series],
    names: tuple[str, str],
) -> _Outcome:
    """Comparison on a dataset that neither variant was trained on; the values are those of its trainings."""
    (a, b), nan = values, float("nan")
    test = PairedTest((a - b).mean(skipna=False), nan, nan, nan, CONTENTS)
    if cross_dataset is not None:
        test = cross_dataset.difference(first, second, metric)
    reason = why_untested(a, b, test, names, metric.upper()) if (a - b).isna().any() else AWAY
    return _Outcome.of(Estimate(test.delta, nan, nan, nan, nan, nan, reason), test.low, test.high, test.test)


def _families(variants: pd.DataFrame) -> pd.DataFrame:
    """Pairs of variants to test: the family, the columns of the first variant, and those of the second as other_*."""
    with_selector = variants[~variants.selector.isin(["", ALL])]
    distilled = with_selector[with_selector.keep < 1]
    selected = distilled[distilled.selector != RANDOM]
    full = variants[variants.selector == ALL]
    whole = variants[(variants.selector == "") & (variants.student != LABEL_ONLY)]
    of_patches = ["sampler", "encoder", "selector"]
    families = [
        ("against_random", _join(selected, distilled[distilled.selector == RANDOM], apart_from=["selector"])),
        ("against_all", _join(distilled, full, apart_from=["selector", "keep"])),
        (
            "against_label_only",
            _join(
                pd.concat([full, whole]),
                variants[variants.student == LABEL_ONLY],
                apart_from=[*of_patches, "student", "teacher"],
            ),
        ),
        ("samplers", _once(_join(full, full, apart_from=["sampler"]), "sampler")),
        ("encoders", _once(_join(full, full, apart_from=["encoder"]), "encoder")),
        ("students", _once(_join(full, full, apart_from=["student", "teacher"]), "student")),
        ("students", _once(_join(whole, whole, apart_from=["student", "teacher"]), "student")),
        ("students", _join(whole, full, apart_from=[*of_patches, "student", "teacher"])),
    ]
    return pd.concat([pairs.assign(family=family) for family, pairs in families], ignore_index=True)


def _join(variants: pd.DataFrame, others: pd.DataFrame, apart_from: list[str]) -> pd.DataFrame:
    """Pairs that agree in every variant column apart from the given ones."""
    shared = [name for name in VARIANT if name not in apart_from]
    right = others.rename(columns={name: f"other_{name}" for name in apart_from})
    pairs = variants.merge(right, on=shared)
    return pairs.assign(**{f"other_{name}": pairs[name] for name in VARIANT_OVER_SPLITS if name not in apart_from})


def _once(pairs: pd.DataFrame, name: str) -> pd.DataFrame:
    """Unordered pairs: each once, the alphabetically first value of the column on the left."""
    return pairs[pairs[name] < pairs[f"other_{name}"]]
