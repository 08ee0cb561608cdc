"""Metrics of predictions on every split, and their medians and intervals over the splits."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from iqadistill.errors import InputError
from iqadistill.evaluation.bootstrap import Interval, bootstrap_interval
from iqadistill.evaluation.correlation import krcc, plcc, rmse, srcc
from iqadistill.evaluation.logistic import Logistic, fit_logistic
from iqadistill.evaluation.random_splits import over_random_splits
from iqadistill.tables import METRICS, VARIANT_COLUMNS, VARIANT_OVER_SPLITS, as_table


@dataclass(frozen=True)
class HeldOut:
    """Test images of one variant on one dataset and split.

    Attributes:
        dataset: Name of the test dataset.
        variant: Values of the variant columns, the split included.
        raw: Predictions (n,).
        mapped: Predictions (n,) after the logistic; None without one.
        scores: Scores (n,), as quality in [0, 1].
        logistic: Logistic fitted on the training images of the split; None without predictions for them.
    """

    dataset: str
    variant: dict[str, str | float | int]
    raw: np.ndarray
    mapped: np.ndarray | None
    scores: np.ndarray
    logistic: Logistic | None


def evaluate_predictions(predictions: pa.Table, splits: Mapping[str, pa.Table], *, logistic: int = 4) -> pa.Table:
    """Metrics of every variant on every dataset and split that it was tested on.

    A variant is tested on the test images of its split, and on all images of other datasets. PLCC and RMSE are computed
    after a logistic that is fitted on the predictions for the training images of the split, never on test images;
    `plcc_raw` is the PLCC without it. Scores and RMSE are in units of quality, [0, 1].

    Args:
        predictions: Table "predictions".
        splits: Table "splits" of each training dataset by its name.
        logistic: Number of parameters of the logistic, 4 or 5.

    Returns:
        Table "metrics"; a correlation is NaN if predictions or scores are constant, PLCC and RMSE also if there are no
        predictions for the training images, as those of another tool may be. `mapping` is the form of the mapping:
        logistic4, logistic5, or line where that stands in; see `fit_logistic`.

    Raises:
        InputError: The splits of a training dataset or the role of an image are missing.
    """
    rows = []
    for test in held_out(predictions, splits, logistic):
        rows.append(
            {
                "dataset": test.dataset,
                **test.variant,
                **metric_values(test),
                "n": len(test.scores),
                "mapping": test.logistic.form if test.logistic else None,
            }
        )
    lines = sum(row["mapping"] == "line" for row in rows)
    if lines:
        warnings.warn(f"{lines} of {len(rows)} logistic fits failed; a rising line is used instead.", stacklevel=2)
    return as_table(pd.DataFrame(rows), "metrics")


def metric_values(test: HeldOut) -> dict[str, float]:
    """Every metric on the test images of one variant and split; PLCC and RMSE are NaN without a logistic."""
    return {
        "srcc": srcc(test.raw, test.scores),
        "plcc": plcc(test.mapped, test.scores) if test.mapped is not None else np.nan,
        "plcc_raw": plcc(test.raw, test.scores),
        "krcc": krcc(test.raw, test.scores),
        "rmse": rmse(test.mapped, test.scores) if test.mapped is not None else np.nan,
    }


def metric_interval(
    tests: Sequence[HeldOut], metric: str, *, draws: int, seed: int, one_test_set: bool = False
) -> Interval:
    """Bootstrap interval of a metric's median over the tests of one variant; NaN where a test has no logistic.

    Args:
        tests: The variant's test images in each split.
        metric: Name in `METRICS`.
        draws: Number of bootstrap draws over splits and images.
        seed: Seed of the draws.
        one_test_set: Whether all splits were tested on the same images.
    """
    predicted = [test.mapped if metric in ("plcc", "rmse") else test.raw for test in tests]
    known = [values for values in predicted if values is not None]
    if len(known) < len(tests):
        return Interval(np.nan, np.nan, np.nan)
    scores, name = [test.scores for test in tests], metric.removesuffix("_raw")
    return bootstrap_interval(known, scores, name, draws=draws, seed=seed, one_test_set=one_test_set)


def summarise(
    metrics: pa.Table,
    predictions: pa.Table,
    splits: Mapping[str, pa.Table],
    *,
    official: Mapping[str, int] | None = None,
    logistic: int = 4,
    draws: int = 1000,
    seed: int = 0,
) -> pa.Table:
    """Median, standard deviation and bootstrap interval of each metric over the random splits.

    Args:
        metrics: Table "metrics" that `evaluate_predictions` returns for the same predictions.
        predictions: Table "predictions".
        splits: Table "splits" of each training dataset by its name.
        official: Number of the official split of each training dataset that has one; see `over_random_splits`.
        logistic: Number of parameters of the logistic, as for the metrics.
        draws: Number of bootstrap draws over splits and images.
        seed: Seed of the draws.

    Returns:
        Table "summary", one row for each dataset, variant and metric.
    """
    key = ["dataset", *VARIANT_OVER_SPLITS]
    frame = over_random_splits(metrics.to_pandas(), official or {})
    pooled = set(zip(frame.train_dataset, frame.split, strict=True))
    groups: dict[tuple, list[HeldOut]] = {}
    for test in held_out(predictions, splits, logistic):
        if (test.variant["train_dataset"], test.variant["split"]) not in pooled:
            continue
        groups.setdefault((test.dataset, *(test.variant[name] for name in VARIANT_OVER_SPLITS)), []).append(test)
    rows = []
    for values, over_splits in frame.groupby(key, sort=False):
        tests = groups[values]
        cross_dataset = over_splits.dataset.iloc[0] != over_splits.train_dataset.iloc[0]
        for metric in METRICS:
            interval = metric_interval(tests, metric, draws=draws, seed=seed, one_test_set=cross_dataset)
            rows.append(
                {
                    **dict(zip(key, values, strict=True)),
                    "metric": metric,
                    "median": over_splits[metric].median(skipna=False),
                    "std": over_splits[metric].std(skipna=False),
                    "low": interval.low,
                    "high": interval.high,
                    "splits": len(tests),
                }
            )
    return as_table(pd.DataFrame(rows), "summary")


def held_out(predictions: pa.Table, splits: Mapping[str, pa.Table], logistic: int) -> Iterator[HeldOut]:
    """Test images of every variant, dataset and split; the logistic is fitted on the training images of the split."""
    frame = with_roles(predictions.to_pandas(), splits)
    prediction, score = frame.prediction.to_numpy(), frame.score.to_numpy()
    test, train = ((frame.role == role).to_numpy() for role in ("test", "train"))
    dataset, names = pd.factorize(frame.dataset)
    for values, rows in frame.groupby(VARIANT_COLUMNS, sort=False).indices.items():
        variant = dict(zip(VARIANT_COLUMNS, values, strict=True))
        training = rows[train[rows]]
        curve = fit_logistic(prediction[training], score[training], logistic) if len(training) else None
        tested = rows[test[rows]]
        for code in pd.unique(dataset[tested]):
            images = tested[dataset[tested] == code]
            mapped = curve(prediction[images]) if curve else None
            yield HeldOut(names[code], variant, prediction[images], mapped, score[images], curve)


def with_roles(frame: pd.DataFrame, splits: Mapping[str, pa.Table]) -> pd.DataFrame:
    """Predictions with the role of each image; all images of a dataset other than the training dataset are for test."""
    missing = sorted(set(frame.train_dataset) - set(splits))
    if missing:
        raise InputError(f"splits: no table for the training dataset {missing[0]!r}; give it.")
    roles = [table.to_pandas().assign(train_dataset=name) for name, table in splits.items()]
    frame = frame.merge(pd.concat(roles), how="left", on=["train_dataset", "split", "image_id"])
    frame["role"] = frame.role.where(frame.dataset == frame.train_dataset, "test")
    if frame.role.isna().any():
        first = frame[frame.role.isna()].iloc[0]
        raise InputError(
            f"splits of {first.dataset}: image {first.image_id!r} has no role in split {first.split}; "
            "split and predict the same images."
        )
    return frame
