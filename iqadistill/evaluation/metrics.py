"""Metrics of predictions on every split."""

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from iqadistill.errors import InputError
from iqadistill.evaluation.correlation import krcc, plcc, rmse, srcc
from iqadistill.evaluation.logistic import Logistic, fit_logistic
from iqadistill.table_schemas import VARIANT_COLUMNS
from iqadistill.tables import as_table


@dataclass(frozen=True)
class HeldOut:
    """Test images of one variant on one dataset and split.

    Attributes:
        dataset: Name of the test dataset.
        variant: Values of the variant columns, the split included.
        images: Names of the images (n,).
        raw: Predictions (n,).
        mapped: Predictions (n,) after the logistic; None without one.
        scores: Scores (n,), as quality in [0, 1].
        logistic: Logistic fitted on the training images of the split; None without predictions for them.
    """

    dataset: str
    variant: dict[str, str | float | int]
    images: np.ndarray
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


def held_out(predictions: pa.Table, splits: Mapping[str, pa.Table], logistic: int) -> Iterator[HeldOut]:
    """Test images of every variant, dataset and split; the logistic is fitted on the training images of the split."""
    frame = with_roles(predictions.to_pandas(), splits)
    image_id, prediction, score = (frame[name].to_numpy() for name in ("image_id", "prediction", "score"))
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
            yield HeldOut(names[code], variant, image_id[images], prediction[images], mapped, score[images], curve)


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
