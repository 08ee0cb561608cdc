"""Paired comparisons of variants, in families for Holm's correction."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy.special import stdtrit

from iqadistill.errors import InputError
from iqadistill.evaluation.contents import TEST as CONTENTS
from iqadistill.evaluation.contents import CrossDatasetTests
from iqadistill.evaluation.drawn_rankings import TEST as RANDOM_RANKINGS
from iqadistill.evaluation.drawn_rankings import DrawnRankings
from iqadistill.evaluation.label_only import STUDENT as LABEL_ONLY
from iqadistill.evaluation.paired import LEVEL, PairedTest, paired_test
from iqadistill.evaluation.random_rankings import AmongRandom
from iqadistill.evaluation.random_splits import over_random_splits, split_sizes
from iqadistill.evaluation.verdicts import Estimate, decide
from iqadistill.tables import VARIANT_OVER_SPLITS, as_table

VARIANT = ["dataset", *VARIANT_OVER_SPLITS]
ALL, RANDOM = "all", "random"
COMPARED = ("srcc", "plcc")
_SWEEP = ["train_dataset", "sampler", "encoder", "teacher", "student"]
_WITHIN_SWEEP = ("against_random", "against_all")
_BETWEEN_STUDENTS = ("students", "against_label_only")


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
    trained on fewer. There is no comparison in a metric that one of them has on no split.

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
        Table "comparisons"; the intervals are not corrected for the number of tests, the verdicts are.

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
    outcomes: list[tuple[dict[str, object], _Outcome]] = []
    for _, pair in pairs.iterrows():
        first = tuple(pair[name] for name in VARIANT)
        second = (pair["dataset"], *(pair[f"other_{name}"] for name in VARIANT_OVER_SPLITS))
        for metric in COMPARED:
            a, b = by_variant[first][metric].sort_index(), by_variant[second][metric].sort_index()
            if pair["family"] in _BETWEEN_STUDENTS:
                shared = a.index.intersection(b.index)
                a, b = a[shared], b[shared]
                if a.isna().all() or b.isna().all():
                    continue
            if not a.index.equals(b.index):
                raise InputError(
                    f"metrics: {first} and {second} were not evaluated on the same splits; evaluate them again."
                )
            among = drawn.place(pair) if drawn and (pair["family"], metric) == ("against_random", "srcc") else None
            if pair["dataset"] != pair["train_dataset"]:
                outcome = _over_contents(cross_dataset, first, second, metric, a - b)
            elif among is not None:
                outcome = _among_rankings(among)
            else:
                outcome = _over_splits(paired_test(a, b, **sizes[pair["train_dataset"]]._asdict()), a, b)
            outcomes.append(({**pair, "metric": metric}, outcome))
    if not outcomes:
        return as_table(pd.DataFrame(), "comparisons")
    table = pd.DataFrame([{**pair, **outcome.columns} for pair, outcome in outcomes])
    sweep = table[_SWEEP].where(table.family.isin(_WITHIN_SWEEP), "").astype(str).agg("/".join, axis=1)
    for _, rows in table.groupby(["family", "dataset", "metric", sweep]):
        verdicts = decide([outcomes[row][1].estimate for row in rows.index], margin)
        decided = pd.DataFrame([vars(one) for one in verdicts], index=rows.index)
        table.loc[rows.index, "p_holm"] = decided.p_adjusted
        table.loc[rows.index, ["verdict", "smallest_detectable"]] = decided[["verdict", "smallest_detectable"]]
    return as_table(table.assign(margin=margin), "comparisons")


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


def _over_splits(test: PairedTest, a: pd.Series, b: pd.Series) -> _Outcome:
    """Comparison on the splits that both variants have."""
    estimate = Estimate(test.delta, test.error, test.degrees, test.p, test.error, test.degrees, _reason(a, b, test))
    return _Outcome.of(estimate, test.low, test.high, test.test)


def _among_rankings(among: AmongRandom) -> _Outcome:
    """Comparison of a selector with the mean over random rankings; its interval covers contents as well.

    Its p value is Student's t where random rankings are near normal: by its place alone, no selector could be shown to
    differ after Holm's correction over a sweep.
    """
    found = replace(among.estimate, p=among.p_deviation) if among.near_normal else among.estimate
    half = found.broad_error * float(stdtrit(found.broad_degrees, 0.5 + LEVEL / 2)) if found.defined else np.nan
    low, high = found.difference - half, found.difference + half
    facts = {"draws": among.draws, "below": among.below, "deviation": among.deviation}
    return _Outcome.of(found, low, high, RANDOM_RANKINGS, **facts)


def _reason(a: pd.Series, b: pd.Series, test: PairedTest) -> str:
    """Why there is no test of two variants; empty if there is one."""
    for place, values in (("first", a), ("second", b)):
        if values.isna().any():
            return f"the {place} has no value on split {', '.join(map(str, values.index[values.isna()]))}"
    if len(a) < 2:
        return "one split only"
    return "" if test.error > 0 else "the difference is the same on every split"


def _over_contents(
    cross_dataset: CrossDatasetTests | None, first: tuple, second: tuple, metric: str, differences: pd.Series
) -> _Outcome:
    """Comparison on a dataset that neither variant was trained on; the differences are those of its trainings."""
    nan = float("nan")
    test = PairedTest(differences.mean(skipna=False), nan, nan, nan, CONTENTS)
    if cross_dataset is not None:
        test = cross_dataset.difference(first, second, metric)
    reason = "trainings share images: an interval, no test"
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
