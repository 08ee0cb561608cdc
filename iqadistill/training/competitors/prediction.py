"""Predictions of published methods that score whole images."""

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from iqadistill.errors import InputError
from iqadistill.models.settings import ImageStudentSettings
from iqadistill.tables import as_table
from iqadistill.training.image_tables import scored_images


def predict_images(
    settings: ImageStudentSettings,
    images: pa.Table,
    splits: pa.Table,
    pristine: pa.Table | None,
    *,
    student: str,
    workers: int,
) -> pa.Table:
    """Predictions of every scored image by a method that is trained, if at all, on the training images of each split.

    Args:
        settings: Settings of the method.
        images: Table "images" of a dataset.
        splits: Table "splits" of it.
        pristine: Table "images" of the dataset whose references the method needs; None if it needs none.
        student: Name of the student.
        workers: Number of threads.

    Returns:
        Table "predictions".

    Raises:
        InputError: There is no pristine image, an image cannot be read, or it does not suit the method.
    """
    scored = scored_images(images).join(images.select(["path"]).to_pandas())
    numbers = sorted(splits["split"].unique().to_pylist())
    roles = splits.to_pandas().pivot(index="split", columns="image_id", values="role")
    training = roles.reindex(index=numbers, columns=scored.image_id).eq("train").to_numpy()
    references = _reference_paths(pristine) if pristine is not None else []
    predicted = settings.predict(scored.path.tolist(), scored.quality.to_numpy(), training, references, workers)
    of_splits = [
        scored.assign(split=split, prediction=prediction) for split, prediction in zip(numbers, predicted, strict=True)
    ]
    return as_predictions(pd.concat(of_splits), student)


def as_predictions(rows: pd.DataFrame, student: str) -> pa.Table:
    """Table "predictions" of a student without patches: sampler, encoder and selector are empty.

    Args:
        rows: Columns dataset, image_id, quality, split and prediction.
        student: Name of the student.
    """
    columns = rows[["dataset", "image_id", "split", "prediction"]].assign(
        train_dataset=rows.dataset,
        sampler="",
        encoder="",
        selector="",
        keep=1.0,
        teacher="",
        student=student,
        score=rows.quality,
        num_patches=0,
    )
    return as_table(columns.reset_index(drop=True), "predictions")


def _reference_paths(images: pa.Table) -> list[str]:
    """Paths of the usable references of a dataset."""
    usable = images.filter(pc.and_(images["is_reference"], pc.equal(images["status"], "ok")))
    if not len(usable):
        raise InputError(
            f"dataset {images['dataset'][0]}: has no pristine images; name a dataset with references as pristine."
        )
    return usable["path"].to_pylist()
