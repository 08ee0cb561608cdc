"""Label-only control: a predictor that knows the distortion label of an image and none of its pixels."""

import pandas as pd
import pyarrow as pa

from iqadistill.tables import as_table

STUDENT = "label_only"


def predict_label_only(images: pa.Table, splits: pa.Table) -> pa.Table:
    """Predict the quality of an image as the mean quality of the training images with its distortion and level.

    Without such training images, the prediction is the mean over its distortion, and failing that over all training
    images.

    Args:
        images: Table "images" of one dataset.
        splits: Table "splits" of the same dataset.

    Returns:
        Table "predictions" with student "label_only", empty sampler, encoder and selector, and keep 1; it has no rows
        if the dataset has no distortion labels.
    """
    frame = images.select(["dataset", "image_id", "quality", "distortion", "level"]).to_pandas()
    frame["distortion"] = frame.distortion.fillna("")
    frame["level"] = frame.level.fillna(-1).astype(int)
    rows = splits.to_pandas().merge(frame, on="image_id")
    if not (rows.distortion != "").any():
        return as_table(pd.DataFrame(), "predictions")
    rows["known"] = rows.quality.where(rows.role == "train")
    # images outside the training set are NaN, which means skip; the mean is NaN if no image is left
    rows["prediction"] = rows.groupby(["split", "distortion", "level"]).known.transform("mean")
    for names in (["split", "distortion"], ["split"]):
        rows["prediction"] = rows.prediction.fillna(rows.groupby(names).known.transform("mean"))
    return as_table(
        pd.DataFrame(
            {
                "dataset": rows.dataset,
                "image_id": rows.image_id,
                "train_dataset": rows.dataset,
                "sampler": "",
                "encoder": "",
                "selector": "",
                "keep": 1.0,
                "teacher": "",
                "student": STUDENT,
                "split": rows.split,
                "score": rows.quality,
                "prediction": rows.prediction,
                "num_patches": 0,
            }
        ),
        "predictions",
    )
