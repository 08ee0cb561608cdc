"""Paired comparisons of variants, in families for Holm's correction."""

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd
import pyarrow as pa

from iqadistill.errors import InputError
from iqadistill.evaluation.contents import TEST as CONTENTS
from iqadistill.evaluation.contents import CrossDatasetTests
from iqadistill.evaluation.label_only import STUDENT as LABEL_ONLY
from iqadistill.evaluation.paired import PairedTest, paired_test
from iqadistill.evaluation.random_splits import over_random_splits, split_sizes
from iqadistill.evaluation.variant_names import side_names
from iqadistill.evaluation.verdicts import NOTHING_SHARED, Estimate, decide, why_untested
from iqadistill.tables import ALL, RANDOM, VARIANT_OVER_SPLITS, as_table

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
) -> pa.Table:
    """Test variants against each other on the same random splits, with Holm's correction within each family.

    The families, each within one dataset and metric:

    - `against_random`: every selector against random at the same keep rate.
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
    results = []
    for _, pair in pairs.iterrows():
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
                outcome, reason = PairedTest(np.nan, np.nan, np.nan, np.nan, ""), NOTHING_SHARED
            elif pair["dataset"] != pair["train_dataset"]:
                outcome = _over_contents(cross_dataset, first, second, metric, a - b)
                reason = why_untested(a, b, outcome, side_names(pair), metric.upper()) if (a - b).isna().any() else AWAY
            else:
                outcome = paired_test(a, b, **sizes[pair["train_dataset"]]._asdict())
                reason = why_untested(a, b, outcome, side_names(pair), metric.upper())
            results.append({**pair, "metric": metric, **vars(outcome), "reason": reason})
    if not results:
        return as_table(pd.DataFrame(), "comparisons")
    table = pd.DataFrame(results)
    sweep = table[_SWEEP].where(table.family.isin(_WITHIN_SWEEP), "").astype(str).agg("/".join, axis=1)
    for _, rows in table.groupby(["family", "dataset", "metric", sweep]):
        estimates = [
            Estimate(row.delta, row.error, row.degrees, row.p, row.error, row.degrees, row.reason)
            for row in rows.itertuples()
        ]
        decided = pd.DataFrame([vars(one) for one in decide(estimates, margin)], index=rows.index)
        table.loc[rows.index, "p_holm"] = decided.p_adjusted
        table.loc[rows.index, ["verdict", "smallest_detectable"]] = decided[["verdict", "smallest_detectable"]]
    return as_table(table.drop(columns=["error", "degrees"]), "comparisons")


def _over_contents(
    cross_dataset: CrossDatasetTests | None, first: tuple, second: tuple, metric: str, differences: pd.Series
) -> PairedTest:
    """Comparison on a dataset that neither variant was trained on; the differences are those of its trainings."""
    if cross_dataset is None:
        return PairedTest(differences.mean(skipna=False), np.nan, np.nan, np.nan, CONTENTS)
    return cross_dataset.difference(first, second, metric)


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
