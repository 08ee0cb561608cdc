"""The pictures a user gives, and where their patches are taken."""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from iqadistill.errors import InputError
from iqadistill.images.decoding import PICTURE_SUFFIXES, picture_size
from iqadistill.sampling.registry import SAMPLER_KINDS, create_sampler
from iqadistill.tables import as_table

_ANY_PICTURE = "picture"


def list_pictures(given: Iterable[str | Path]) -> list[Path]:
    """Every picture of files and folders, each once; folders are searched to their depth, in the order of names.

    Args:
        given: Files, of whatever name, and folders.

    Raises:
        InputError: One does not exist, or a folder holds no picture.
    """
    found: list[Path] = []
    for path in map(Path, given):
        if path.is_dir():
            inside = [file for file in path.rglob("*") if file.suffix.lower() in PICTURE_SUFFIXES and file.is_file()]
            inside = sorted(file for file in inside if not file.name.startswith("."))
            if not inside:
                raise InputError(f"{path}: holds no picture ({', '.join(PICTURE_SUFFIXES)}); give another folder.")
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise InputError(f"{path}: no such picture or folder; correct the path.")
    return list(dict.fromkeys(found))


def place_patches(path: Path, sampler: Mapping[str, Any], seed: int, count: int | None) -> tuple[pa.Table, pa.Table]:
    """Tables "images" and "patches" of one picture.

    Chance depends on the seed alone: pictures of one size get the same places, whatever their names.

    Args:
        path: The picture; its image_id.
        sampler: Settings, angles in degrees.
        seed: Of the sampler.
        count: Patches at most; None as the sampler says.

    Raises:
        InputError: The picture cannot be decoded, is too small, or is no panorama where the sampler is for panoramas.
    """
    if sampler.get("scanpaths"):
        raise InputError(
            f"{path}: the model saw recorded scanpaths, which no new picture has; use one of another sampler."
        )
    height, width = picture_size(path)
    _check_shape(path, width, height, sampler)
    facts = {"image_id": [_ANY_PICTURE], "path": str(path), "width": width, "height": height, "status": "ok"}
    images = as_table(pd.DataFrame(facts), "images")
    settings = {key: value for key, value in sampler.items() if key != "method"}
    if "fov" in settings:
        settings["fov"] = math.radians(settings["fov"])
    if count is not None:
        settings["count"] = count
    patches = create_sampler(sampler["method"], **settings, seed=seed)(images)
    return _named(images, path), _named(patches, path)


def _check_shape(path: Path, width: int, height: int, sampler: Mapping[str, Any]) -> None:
    shape = f"{path}: {width} x {height} pixels"
    if SAMPLER_KINDS[sampler["method"]] == "sphere" and width != 2 * height:
        raise InputError(
            f"{shape}, but the model scores 360-degree panoramas, twice as wide as high; use one trained on flat pictures."
        )
    side = sampler["size"]
    if sampler.get("longer_side"):
        side = round(side * max(width, height) / sampler["longer_side"])
    cropped = SAMPLER_KINDS[sampler["method"]] == "flat" or sampler.get("projection") == "crop"
    if cropped and min(width, height) < side:
        raise InputError(f"{shape}, but the model's patches need {side} x {side}; give a larger picture.")


def _named(table: pa.Table, path: Path) -> pa.Table:
    column = pa.array(np.full(len(table), str(path)), pa.string())
    return table.set_column(table.schema.get_field_index("image_id"), "image_id", column)
