"""From one image's coordinates to the patch table of all images."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from iqadistill.errors import InputError
from iqadistill.tables import as_table

Image = Mapping[str, Any]
Columns = dict[str, np.ndarray]


def image_stream(seed: int, image_id: str) -> np.random.Generator:
    """Random stream of one image: a function of seed and name alone, whatever other images there are."""
    digest = hashlib.sha256(image_id.encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:8], "little")])


def usable_images(images: pa.Table) -> Iterator[Image]:
    """Rows of an images table whose status is ok."""
    return (image for image in images.to_pylist() if image["status"] == "ok")


def place_patches(
    images: pa.Table, draw: Callable[[Image, np.random.Generator], Columns], *, size: int, seed: int
) -> pa.Table:
    """Patch table of all usable images, grouped by image in the order of the images table.

    Every patch weighs 1: how the samples favour some directions is what a sampler is, and is not undone here.

    Args:
        images: Table images.
        draw: Coordinate columns of one image (x and y, or yaw, pitch and fov, and size where it differs from the others') from its
            row and its random stream.
        size: Side of a patch in pixels, where `draw` gives none.
        seed: Seed of all streams.
    """
    parts, names = [], []
    for image in usable_images(images):
        columns = draw(image, image_stream(seed, image["image_id"]))
        number = len(next(iter(columns.values())))
        parts.append({**columns, "order": np.arange(number)})
        names += [image["image_id"]] * number
    joined = {name: np.concatenate([part[name] for part in parts]) for name in (parts[0] if parts else ())}
    joined = {"size": np.full(len(names), size), "weight": np.ones(len(names)), **joined}
    image_id = pa.array(names, pa.string())
    return as_table(pa.table({"patch_id": np.arange(len(names)), "image_id": image_id, **joined}), "patches")


def check_panorama(image: Image) -> None:
    """Refuse an image that no viewport can be cut from.

    Raises:
        InputError: Its width is odd.
    """
    if image["width"] % 2:
        raise InputError(
            f"{image['image_id']}: a panorama {image['width']} pixels wide, expected an even width; crop or resize it."
        )


def check_patch_fits(image: Image, size: int) -> None:
    """Refuse an image smaller than the patch.

    Raises:
        InputError: Width or height is below `size`.
    """
    if min(image["width"], image["height"]) < size:
        raise InputError(
            f"{image['image_id']}: {image['width']} x {image['height']} pixels, expected at least {size} x {size} for "
            "its patches; lower the sampler's size or take the image out of images.csv."
        )
