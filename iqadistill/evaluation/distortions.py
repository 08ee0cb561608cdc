"""Rank correlation within each type of distortion."""

from collections.abc import Mapping

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from iqadistill.evaluation.correlation import srcc
from iqadistill.table_schemas import VARIANT_COLUMNS
from iqadistill.tables import as_table

ALL_TYPES = ""  # in place of a type: all test images of a split


def evaluate_distortions(
    metrics: pa.Table, predictions: pa.Table, images: Mapping[str, pa.Table], splits: Mapping[str, pa.Table]
) -> pa.Table:
    """SRCC of every variant within each distortion type of its dataset, on the test images of each split.

    Args:
        metrics: Table "metrics" of the same predictions.
        predictions: Table "predictions"; those for other datasets than the training dataset are left out.
        images: Table "images" of each training dataset by its name.
        splits: Table "splits" of each training dataset by its name.

    Returns:
        Table "distortions". `distortion` is empty in the rows of all test images of a split. Every type of a dataset
        has a row, if only with 0 images. SRCC is NaN where scores or predictions are constant, or for fewer than two
        images.
    """
    columns = ["dataset", *VARIANT_COLUMNS, "distortion", "images", "srcc"]
    pooled = metrics.to_pandas().rename(columns={"n": "images"}).assign(distortion=ALL_TYPES)
    rows = pooled.loc[pooled.dataset == pooled.train_dataset, columns].to_dict("records")
    for dataset in images:
        typed = images[dataset].select(["image_id", "distortion"]).to_pandas().dropna()
        roles = splits[dataset].to_pandas()
        tested = roles[roles.role == "test"].merge(typed, on="image_id")
        if tested.empty:
            continue
        own = pc.and_(pc.equal(predictions["dataset"], dataset), pc.equal(predictions["train_dataset"], dataset))
        frame = predictions.filter(own).to_pandas().merge(tested, on=["split", "image_id"])
        prediction, score, distortion = (frame[name].to_numpy() for name in ("prediction", "score", "distortion"))
        types = sorted(typed.distortion.unique())
        for values, of_variant in frame.groupby(VARIANT_COLUMNS, sort=False).indices.items():
            variant = dict(zip(VARIANT_COLUMNS, values, strict=True))
            for name in types:
                of_type = of_variant[distortion[of_variant] == name]
                value = srcc(prediction[of_type], score[of_type])
                rows.append({"dataset": dataset, **variant, "distortion": name, "images": len(of_type), "srcc": value})
    return as_table(pd.DataFrame(rows, columns=columns), "distortions")
