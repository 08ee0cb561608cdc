"""Predictions of another tool, read from a CSV and checked."""

from pathlib import Path

import pandas as pd
import pyarrow as pa

from iqadistill.csv_files import number, read_cells
from iqadistill.datasets.spelling import folded, posix_path, without_suffix
from iqadistill.errors import InputError
from iqadistill.training.competitors.may_have_seen import as_metadata
from iqadistill.training.competitors.prediction import as_predictions
from iqadistill.training.image_tables import scored_images

COLUMNS = ("image", "prediction", "split")


def read_predictions(
    path: str | Path, images: pa.Table, splits: pa.Table, *, student: str, higher_better: bool
) -> pa.Table:
    """Predictions of another tool, from a CSV with the columns image, prediction and, where it has them, split.

    An image is named as in the column image_id of the images table, with or without the suffix of its file. A split
    holds the predictions of a model that was trained on its training images alone: those for all its test images, and
    those for all or none of its training images. Images without a score are ignored.

    Args:
        path: The CSV.
        images: Table "images" of the dataset.
        splits: Table "splits" of it.
        student: Name of the student.
        higher_better: Whether a higher prediction is a better image; the others change their sign.

    Returns:
        Table "predictions". Without the column split, every split gets the same predictions, and the metadata say that
        the student may have seen the images.

    Raises:
        InputError: The file is not such a CSV, a prediction is not a number, an image is unknown, missing or given
            twice, or the study has no such split.
    """
    rows = _read_csv(path)
    rows["image_id"] = _image_ids(path, rows, images)
    rows["prediction"] = _numbers(path, rows, "prediction") * (1 if higher_better else -1)
    with_splits = "split" in rows
    scored = scored_images(images)
    roles = splits.to_pandas().merge(scored, on="image_id")
    if with_splits:
        rows["split"] = _splits(path, rows, roles.split)
    key = ["image_id", "split"] if with_splits else ["image_id"]
    _refuse_repeats(path, rows, key)
    given = roles[roles.split.isin(rows.split)] if with_splits else roles
    merged = given.merge(rows[[*key, "prediction"]], on=key, how="left")
    _refuse_gaps(path, merged, with_splits)
    predictions = as_predictions(merged.dropna(subset="prediction"), student)
    seen = [] if with_splits else [(predictions["dataset"][0].as_py(), student)]
    return predictions.replace_schema_metadata(as_metadata(seen))


def _read_csv(path: str | Path) -> pd.DataFrame:
    """The columns of a CSV as text; the index is the number of the line."""
    rows = read_cells(path, COLUMNS)
    missing = [name for name in COLUMNS[:2] if name not in rows.columns]
    unknown = [name for name in rows.columns if name not in COLUMNS]
    if missing or unknown:
        raise InputError(
            f"{path}: {f'no column {missing[0]!r}' if missing else f'unknown column {unknown[0]!r}'}; expected image,"
            " prediction and, for a model of each split, split."
        )
    return rows


def _image_ids(path: str | Path, rows: pd.DataFrame, images: pa.Table) -> pd.Series:
    frame = images.select(["image_id", "path"]).to_pandas()
    names = dict(zip(frame.image_id + frame.path.map(lambda file: Path(file).suffix), frame.image_id, strict=True))
    names |= dict(zip(frame.image_id, frame.image_id, strict=True))
    found = rows.image.map(posix_path).map(names)
    if found.isna().any():
        line = found.index[found.isna()][0]
        raise InputError(
            f"{path}: line {line}: image {rows.image[line]!r} is not in the dataset ({found.isna().sum()} such lines);"
            f" write names like {_like(rows.image[line], frame.image_id)!r}."
        )
    return found


def _like(name: str, known: pd.Series) -> str:
    """The image that a misspelt name may mean, or any."""
    same = known[known.map(folded).isin({folded(name), folded(without_suffix(name))})]
    return same.iloc[0] if len(same) else known.iloc[0]


def _numbers(path: str | Path, rows: pd.DataFrame, column: str) -> pd.Series:
    numbers = pd.Series([number(cell) for cell in rows[column]], index=rows.index, dtype=float)
    wrong = numbers.isna()
    if wrong.any():
        line = numbers.index[wrong][0]
        raise InputError(f"{path}: line {line}: {column} {rows[column][line]!r} is not a number; correct it.")
    return numbers


def _splits(path: str | Path, rows: pd.DataFrame, known: pd.Series) -> pd.Series:
    numbers = _numbers(path, rows, "split")
    strange = ~numbers.isin(known)
    if strange.any():
        line = numbers.index[strange][0]
        raise InputError(
            f"{path}: line {line}: the study has no split {rows.split[line]!r}; its splits are {known.min()} to"
            f" {known.max()}."
        )
    return numbers.astype(int)


def _refuse_repeats(path: str | Path, rows: pd.DataFrame, key: list[str]) -> None:
    repeats = rows.duplicated(key)
    if repeats.any():
        line = rows.index[repeats][0]
        where = f" in split {rows.split[line]}" if "split" in key else ""
        raise InputError(
            f"{path}: line {line}: image {rows.image[line]!r} has a prediction{where} already; keep one of them."
        )


def _refuse_gaps(path: str | Path, rows: pd.DataFrame, with_splits: bool) -> None:
    """Check that a split has all test images, and all training images or none; without splits, every image."""
    missing = rows[rows.prediction.isna()]
    if with_splits:
        covered = rows[rows.prediction.notna() & (rows.role == "train")].split
        missing = missing[(missing.role == "test") | ((missing.role == "train") & missing.split.isin(covered))]
    if len(missing):
        first, others = missing.iloc[0], missing.image_id.nunique() - 1
        where = f" (for {first.role} in split {first.split})" if with_splits else ""
        wanted = "every test image, and every training image or none" if with_splits else "every image"
        raise InputError(
            f"{path}: no prediction for image {first.image_id!r}{where} and {others} others; predict {wanted}."
        )
