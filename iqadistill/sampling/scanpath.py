"""SP: viewports along scanpaths of virtual viewers or along recorded ones."""

import math
from pathlib import Path

import numpy as np
import pyarrow as pa

from iqadistill.csv_files import number, read_cells, require_columns
from iqadistill.datasets.spelling import without_suffix
from iqadistill.errors import InputError, nearest
from iqadistill.panorama.sphere import FieldOfView, angles_to_vectors, field_of_view, wrap_yaw
from iqadistill.sampling.equirectangular import check_projection, place_crops
from iqadistill.sampling.image_checks import check_panorama, check_patch_fits
from iqadistill.sampling.patch_table import Columns, Image, sample_images, usable_images
from iqadistill.sampling.saliency import panorama_saliency
from iqadistill.sampling.virtual_viewers import virtual_scanpaths

MERGE_SHIFT = 0.1  # fraction of the field of view: viewports shifted by no more than this count as one patch
ROUNDING = 1e-12  # directions exactly MERGE_SHIFT apart are merged, however their cosine is rounded
_COLUMNS = ["image", "viewer", "order", "yaw", "pitch"]


def sample_scanpath(
    images: pa.Table,
    *,
    count: int,
    size: int,
    seed: int,
    fov: FieldOfView = math.pi / 2,
    projection: str = "viewport",
    scanpaths: str | Path | None = None,
    viewers: int = 15,
    fixations: int = 30,
) -> pa.Table:
    """SP: viewports where people look, their number varying by image (arXiv 2412.12667).

    Fixations of all viewers are put in viewing order (the first ones of all viewers, then the second ones, ...), one
    within a tenth of the field of view of an earlier one is merged into it, and the first `count` remain. By default
    the viewers are virtual (see `iqadistill.sampling.virtual_viewers`).

    Args:
        images: Table "images" of panoramas.
        count: Largest number of patches of an image.
        size: Side of a viewport in pixels.
        seed: Seed; the random stream of an image depends on it and on the image_id only.
        fov: Full horizontal angle of a viewport in radians, or "native": each panorama is shown 1:1.
        projection: "viewport" or "crop", as in `sample_erp`; crops count as the angle that their width spans at the
            equator when fixations are merged.
        scanpaths: CSV with the columns image (image_id or file name under the dataset's root), viewer, order, yaw,
            pitch (radians); None for virtual viewers.
        viewers: Number of virtual viewers of an image.
        fixations: Largest number of fixations of a virtual viewer.

    Returns:
        Table "patches".

    Raises:
        InputError: A panorama cannot be read, has an odd width or is smaller than a crop; the projection is unknown;
            the CSV is missing, lacks a column, names an unknown image, has an angle out of range, or has no fixation
            for an image.
    """
    check_projection(projection)
    recorded = None if scanpaths is None else read_scanpaths(Path(scanpaths), images)

    def sample(image: Image, stream: np.random.Generator) -> Columns:
        width, height, name = image["width"], image["height"], image["image_id"]
        if projection == "crop":
            check_patch_fits(width, height, name, size)
            angle = 2 * math.pi * size / width
        else:
            check_panorama(width, name)
            angle = field_of_view(fov, size, width)
        if recorded is None:
            order, yaw, pitch = virtual_scanpaths(panorama_saliency(image["path"]), stream, viewers, fixations)
            viewing_order = np.argsort(order, kind="stable")
            yaw, pitch = yaw[viewing_order], pitch[viewing_order]
        else:
            yaw, pitch = recorded[name]
        kept = _merge(yaw, pitch, MERGE_SHIFT * angle, count)
        if projection == "crop":
            return place_crops(yaw[kept], pitch[kept], width, height, size)
        return {"yaw": yaw[kept], "pitch": pitch[kept], "fov": np.full(len(kept), angle)}

    return sample_images(images, sample, size=size, seed=seed)


def read_scanpaths(path: Path, images: pa.Table) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Recorded fixations, yaw and pitch in viewing order, of every usable image.

    Raises:
        InputError: As `sample_scanpath`.
    """
    rows = read_cells(path, _COLUMNS)
    require_columns(path, rows.columns, _COLUMNS, f"expected the columns {_COLUMNS}")
    for column, limit in (("order", math.inf), ("yaw", np.pi), ("pitch", np.pi / 2)):
        values = [number(cell) for cell in rows[column]]
        for row, cell, value in zip(rows.index, rows[column], values, strict=True):
            if value is None or abs(value) > limit + 1e-9:
                within = "" if column == "order" else f" in radians within [-{limit:.4f}, {limit:.4f}]"
                raise InputError(f"{path} row {row}: {column} is {cell!r}, expected a number{within}; convert it.")
        rows[column] = np.array(values, dtype=float)
    names = set(images["image_id"].to_pylist())
    found = {name: name if name in names else without_suffix(name) for name in rows["image"].unique()}
    for row, name in rows["image"].items():
        if found[name] not in names:
            raise InputError(
                f"{path} row {row}: names image {name!r}, which is not in the dataset; correct the name "
                f"({nearest(name, names)})."
            )
    rows["image"] = rows["image"].map(found)
    groups = dict(iter(rows.sort_values(["order", "viewer"], kind="stable").groupby("image")))
    for image in usable_images(images):
        if image["image_id"] not in groups:
            raise InputError(f"{path}: no fixation for image {image['image_id']!r}; add its scanpaths.")
    return {name: (wrap_yaw(group["yaw"].to_numpy()), group["pitch"].to_numpy()) for name, group in groups.items()}


def _merge(yaw: np.ndarray, pitch: np.ndarray, angle: float, count: int) -> np.ndarray:
    """Indices of the first `count` directions that are not within `angle` of one kept earlier."""
    directions = angles_to_vectors(yaw, pitch)
    kept: list[int] = []
    for index, direction in enumerate(directions):
        if len(kept) == count:
            break
        if not kept or (directions[kept] @ direction).max() < np.cos(angle) - ROUNDING:
            kept.append(index)
    return np.array(kept)
