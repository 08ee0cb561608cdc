"""From predictions to metrics, and from metrics to their medians and intervals."""

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from iqadistill.errors import InputError
from iqadistill.evaluation.bootstrap import bootstrap_interval
from iqadistill.evaluation.correlation import krcc, plcc, rmse, srcc
from iqadistill.evaluation.logistic import Logistic, fit_logistic
from iqadistill.tables import METRICS, VARIANT_COLUMNS, VARIANT_OVER_SPLITS, as_table


@dataclass(frozen=True)
class HeldOut:
    """The test images of one variant on one dataset and split."""

    dataset: str
    variant: dict
    raw: np.ndarray
    mapped: np.ndarray
    scores: np.ndarray
    logistic: Logistic


def evaluate_predictions(predictions: pa.Table, splits: Mapping[str, pa.Table], *, logistic: int = 4) -> pa.Table:
    """Metrics of every variant on every dataset it was tested on.

    On the dataset a variant was trained on, the split's test images count; on another, all images. PLCC and RMSE are read
    after a logistic fitted on the variant's predictions for its split's training images, never on test images; `plcc_raw`
    without. Scores and RMSE are in units of quality, [0, 1].

    Args:
        predictions: Table "predictions".
        splits: Table "splits" of each training dataset, by its name.
        logistic: Parameters of the logistic, 4 or 5.

    Returns:
        Table "metrics"; a correlation is NaN where predictions or scores are constant.

    Raises:
        InputError: A split or image is unknown to the splits, or a variant lacks predictions for its training images.
    """
    rows, lines = [], 0
    for test in held_out(predictions, splits, logistic):
        lines += test.logistic.form == "line"
        rows.append(
            {
                "dataset": test.dataset,
                **test.variant,
                "srcc": srcc(test.raw, test.scores),
                "plcc": plcc(test.mapped, test.scores),
                "plcc_raw": plcc(test.raw, test.scores),
                "krcc": krcc(test.raw, test.scores),
                "rmse": rmse(test.mapped, test.scores),
                "n": len(test.scores),
            }
        )
    if lines:
        warnings.warn(
            f"{lines} of {len(rows)} logistic fits were not possible; a line with slope >= 0 stands in.", stacklevel=2
        )
    return as_table(pd.DataFrame(rows), "metrics")


def summarise(
    metrics: pa.Table,
    predictions: pa.Table,
    splits: Mapping[str, pa.Table],
    *,
    logistic: int = 4,
    draws: int = 1000,
    seed: int = 0,
) -> pa.Table:
    """Median, spread and bootstrap interval of each metric over the splits.

    Args:
        metrics: What `evaluate_predictions` made of the same predictions.
        predictions: Table "predictions".
        splits: Table "splits" of each training dataset, by its name.
        logistic: Parameters of the logistic, as for the metrics.
        draws: Bootstrap draws over splits and images.
        seed: Of the draws.

    Returns:
        Table "summary", a row for each dataset, variant and metric.
    """
    key = ["dataset", *VARIANT_OVER_SPLITS]
    groups: dict[tuple, list[HeldOut]] = {}
    for test in held_out(predictions, splits, logistic):
        groups.setdefault((test.dataset, *(test.variant[name] for name in VARIANT_OVER_SPLITS)), []).append(test)
    rows = []
    for values, own in metrics.to_pandas().groupby(key, sort=False):
        tests = groups[values]
        scores = [test.scores for test in tests]
        elsewhere = own.dataset.iloc[0] != own.train_dataset.iloc[0]
        for metric in METRICS:
            chosen = [test.mapped if metric in ("plcc", "rmse") else test.raw for test in tests]
            interval = bootstrap_interval(
                chosen, scores, metric.removesuffix("_raw"), draws=draws, seed=seed, one_test_set=elsewhere
            )
            rows.append(
                {
                    **dict(zip(key, values, strict=True)),
                    "metric": metric,
                    "median": own[metric].median(skipna=False),
                    "std": own[metric].std(skipna=False),
                    "low": interval.low,
                    "high": interval.high,
                    "splits": len(tests),
                }
            )
    return as_table(pd.DataFrame(rows), "summary")


def held_out(predictions: pa.Table, splits: Mapping[str, pa.Table], logistic: int) -> Iterator[HeldOut]:
    """The test images of every variant, dataset and split, mapped by the logistic of its training images."""
    frame = _with_roles(predictions.to_pandas(), splits)
    prediction, score = frame.prediction.to_numpy(), frame.score.to_numpy()
    test, train = ((frame.role == role).to_numpy() for role in ("test", "train"))
    dataset, names = pd.factorize(frame.dataset)
    for values, rows in frame.groupby(VARIANT_COLUMNS, sort=False).indices.items():
        variant = dict(zip(VARIANT_COLUMNS, values, strict=True))
        known = rows[train[rows]]
        if not len(known):
            raise InputError(
                f"predictions: {variant} has none for its training images in {variant['train_dataset']}; "
                "the logistic needs them."
            )
        curve = fit_logistic(prediction[known], score[known], logistic)
        tested = rows[test[rows]]
        for code in pd.unique(dataset[tested]):
            own = tested[dataset[tested] == code]
            yield HeldOut(names[code], variant, prediction[own], curve(prediction[own]), score[own], curve)


def _with_roles(frame: pd.DataFrame, splits: Mapping[str, pa.Table]) -> pd.DataFrame:
    """Predictions with the role of each image; every image of a dataset not trained on is for test."""
    missing = sorted(set(frame.train_dataset) - set(splits))
    if missing:
        raise InputError(f"splits: none are given for the training dataset {missing[0]!r}; give its table.")
    roles = [table.to_pandas().assign(train_dataset=name) for name, table in splits.items()]
    frame = frame.merge(pd.concat(roles), how="left", on=["train_dataset", "split", "image_id"])
    frame["role"] = frame.role.where(frame.dataset == frame.train_dataset, "test")
    if frame.role.isna().any():
        lost = frame[frame.role.isna()].iloc[0]
        raise InputError(
            f"splits of {lost.dataset}: image {lost.image_id!r} has no role in split {lost.split}; "
            "predict and split the same images."
        )
    return frame
