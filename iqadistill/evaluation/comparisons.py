"""Families of paired tests between variants."""

from collections.abc import Mapping

import pandas as pd
import pyarrow as pa

from iqadistill.errors import InputError
from iqadistill.evaluation.label_only import STUDENT as LABEL_ONLY
from iqadistill.evaluation.paired import holm, paired_test
from iqadistill.tables import VARIANT_OVER_SPLITS, as_table

VARIANT = ["dataset", *VARIANT_OVER_SPLITS]
ALL, RANDOM = "all", "random"
COMPARED = ("srcc", "plcc")
_SWEEP = ["train_dataset", "sampler", "encoder", "teacher", "student"]
_OF_ONE_SWEEP = ("against_random", "against_all")
_OF_TWO_STUDENTS = ("students", "against_label_only")


def compare_variants(
    metrics: pa.Table,
    splits: Mapping[str, pa.Table],
) -> pa.Table:
    """Test variants against each other on the same splits, with Holm's correction inside each family.

    The families, each within one dataset and metric: `against_random`, every selector against random at the same keep rate, and
    `against_all`, every selector and rate against all patches, both within one sampler, encoder and student, for that is the sweep
    a claim is made of; `against_label_only`, every student on all patches against the predictor that knows the distortion label
    only; `samplers`, `encoders` and `students`, in pairs, on all patches. Two students, of which the label-only
    predictor is one, are compared on the splits both have, for deep ones may be trained on fewer.

    Args:
        metrics: Table "metrics".
        splits: Table "splits" of each training dataset, by its name.

    Returns:
        Table "comparisons".

    Raises:
        InputError: Two variants were not evaluated on the same splits, or a training dataset's splits are missing.
    """
    frame = metrics.to_pandas()
    by_variant = {key: rows.set_index("split") for key, rows in frame.groupby(VARIANT, sort=False)}
    missing = sorted(set(frame.train_dataset) - set(splits))
    if missing:
        raise InputError(f"splits: none are given for the training dataset {missing[0]!r}; give its table.")
    sizes = {name: _sizes(table) for name, table in splits.items()}
    pairs = _families(frame[VARIANT].drop_duplicates(ignore_index=True))
    results = []
    for _, pair in pairs.iterrows():
        first = tuple(pair[name] for name in VARIANT)
        second = (pair["dataset"], *(pair[f"other_{name}"] for name in VARIANT_OVER_SPLITS))
        for metric in COMPARED:
            a, b = by_variant[first][metric].sort_index(), by_variant[second][metric].sort_index()
            if pair["family"] in _OF_TWO_STUDENTS:
                both = a.index.intersection(b.index)
                a, b = a[both], b[both]
            if not a.index.equals(b.index):
                raise InputError(
                    f"metrics: {first} and {second} were not evaluated on the same splits; evaluate again."
                )
            n_train, n_test = sizes[pair["train_dataset"]]
            outcome = paired_test(a, b, n_train=n_train, n_test=n_test)
            results.append({**pair, "metric": metric, **vars(outcome)})
    if not results:
        return as_table(pd.DataFrame(), "comparisons")
    table = pd.DataFrame(results)
    sweep = table[_SWEEP].where(table.family.isin(_OF_ONE_SWEEP), "").astype(str).agg("/".join, axis=1)
    table["p_holm"] = table.groupby(["family", "dataset", "metric", sweep]).p.transform(lambda p: holm(p))
    return as_table(table, "comparisons")


def _families(variants: pd.DataFrame) -> pd.DataFrame:
    """Pairs of variants to test: family, dataset, the variant, and the other one's columns prefixed with other_."""
    chosen = variants[~variants.selector.isin(["", ALL])]
    distilled = chosen[chosen.keep < 1]
    rivals = distilled[distilled.selector != RANDOM]
    full = variants[variants.selector == ALL]
    families = [
        ("against_random", _join(rivals, distilled[distilled.selector == RANDOM], but=["selector"])),
        ("against_all", _join(distilled, full, but=["selector", "keep"])),
        (
            "against_label_only",
            _join(
                full,
                variants[variants.student == LABEL_ONLY],
                but=["sampler", "encoder", "selector", "student", "teacher"],
            ),
        ),
        ("samplers", _ordered(_join(full, full, but=["sampler"]), "sampler")),
        ("encoders", _ordered(_join(full, full, but=["encoder"]), "encoder")),
        ("students", _ordered(_join(full, full, but=["student", "teacher"]), "student")),
    ]
    return pd.concat([pairs.assign(family=family) for family, pairs in families], ignore_index=True)


def _join(variants: pd.DataFrame, others: pd.DataFrame, but: list[str]) -> pd.DataFrame:
    """Pairs that agree in every variant column except those in `but`."""
    shared = [name for name in VARIANT if name not in but]
    right = others.rename(columns={name: f"other_{name}" for name in but})
    pairs = variants.merge(right, on=shared)
    return pairs.assign(**{f"other_{name}": pairs[name] for name in VARIANT_OVER_SPLITS if name not in but})


def _ordered(pairs: pd.DataFrame, name: str) -> pd.DataFrame:
    """Each pair once."""
    return pairs[pairs[name] < pairs[f"other_{name}"]]


def _sizes(splits: pa.Table) -> tuple[float, float]:
    """Mean numbers of training and test images of a split."""
    roles = splits.to_pandas().role.value_counts()
    number = len(splits["split"].unique())
    return roles.get("train", 0) / number, roles.get("test", 0) / number
