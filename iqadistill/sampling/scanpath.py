"""SP: viewports along scanpaths, of virtual viewers or of the user's own."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from iqadistill.errors import InputError
from iqadistill.panorama.sphere import angles_to_vectors, wrap_yaw
from iqadistill.sampling.placing import Columns, Image, check_panorama, place_patches, usable_images
from iqadistill.sampling.saliency import panorama_saliency
from iqadistill.sampling.viewers import virtual_scanpaths

MERGE_SHIFT = 0.1  # of the field of view: viewports shifted by less show the same patch
_COLUMNS = ["image", "viewer", "order", "yaw", "pitch"]


def sample_scanpath(
    images: pa.Table,
    *,
    count: int,
    size: int,
    seed: int,
    fov: float = math.pi / 2,
    scanpaths: str | Path | None = None,
    viewers: int = 15,
    fixations: int = 30,
) -> pa.Table:
    """SP: viewports where people look, their number varying by image (arXiv 2412.12667).

    Fixations of all viewers are put in viewing order (everybody's first, everybody's second, ...), one closer than a tenth
    of the field of view to an earlier one is merged into it, and the first `count` remain. By default the viewers are virtual (see
    `iqadistill.sampling.viewers`).

    Args:
        images: Table images, panoramas.
        count: Most patches an image can get.
        size: Side of a viewport in pixels.
        seed: Seed; the stream of an image depends on it and on the image's name alone.
        fov: Full horizontal angle of a viewport, radians.
        scanpaths: CSV with the columns image (image_id or file name under the dataset's root), viewer, order, yaw, pitch (radians);
            None for virtual viewers.
        viewers: Virtual viewers an image.
        fixations: Most fixations of a virtual viewer.

    Returns:
        Table patches.

    Raises:
        InputError: A panorama cannot be read or has an odd width; the CSV is missing, lacks a column, names an unknown image, has
            an angle out of range, or none for an image.
    """
    recorded = None if scanpaths is None else read_scanpaths(Path(scanpaths), images)

    def draw(image: Image, stream: np.random.Generator) -> Columns:
        check_panorama(image)
        if recorded is None:
            order, yaw, pitch = virtual_scanpaths(panorama_saliency(image["path"]), stream, viewers, fixations)
            in_turn = np.argsort(order, kind="stable")
            yaw, pitch = yaw[in_turn], pitch[in_turn]
        else:
            yaw, pitch = recorded[image["image_id"]]
        kept = _merge(yaw, pitch, MERGE_SHIFT * fov, count)
        return {"yaw": yaw[kept], "pitch": pitch[kept], "fov": np.full(len(kept), fov)}

    return place_patches(images, draw, size=size, seed=seed)


def read_scanpaths(path: Path, images: pa.Table) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Recorded fixations, yaw and pitch in viewing order, of every usable image.

    Raises:
        InputError: As `sample_scanpath`.
    """
    try:
        rows = pd.read_csv(path, dtype={"image": str, "viewer": str})
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as CSV ({error}); expected the columns {_COLUMNS}.") from None
    for column in _COLUMNS:
        if column not in rows:
            raise InputError(f"{path}: column {column!r} is missing; expected the columns {_COLUMNS}.")
    for column, limit in (("yaw", np.pi), ("pitch", np.pi / 2)):
        angles = pd.to_numeric(rows[column], errors="coerce")
        wrong = ~(angles.abs() <= limit + 1e-9)
        if wrong.any():
            row = int(np.argmax(wrong))
            raise InputError(
                f"{path}: row {row + 1} has {column} {rows[column][row]}, expected radians within [-{limit:.4f}, "
                f"{limit:.4f}]; convert the angles."
            )
    names = set(images["image_id"].to_pylist())
    given = rows["image"].astype(str)
    rows["image"] = given.where(given.isin(names), given.map(lambda name: Path(name).with_suffix("").as_posix()))
    unknown = ~rows["image"].isin(names)
    if unknown.any():
        row = int(np.argmax(unknown))
        raise InputError(
            f"{path}: row {row + 1} names image {given[row]!r}, which the dataset lacks; correct the name."
        )
    groups = dict(iter(rows.sort_values(["order", "viewer"], kind="stable").groupby("image")))
    for image in usable_images(images):
        if image["image_id"] not in groups:
            raise InputError(f"{path}: no fixation for image {image['image_id']!r}; add its scanpaths.")
    return {name: (wrap_yaw(group["yaw"].to_numpy()), group["pitch"].to_numpy()) for name, group in groups.items()}


def _merge(yaw: np.ndarray, pitch: np.ndarray, angle: float, count: int) -> np.ndarray:
    """Indices of the first `count` directions that are not within `angle` of an earlier one kept."""
    directions = angles_to_vectors(yaw, pitch)
    kept: list[int] = []
    for index, direction in enumerate(directions):
        if len(kept) == count:
            break
        if not kept or (directions[kept] @ direction).max() < np.cos(angle):
            kept.append(index)
    return np.array(kept)
