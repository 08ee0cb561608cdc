"""The patch table of a dataset from the patch coordinates of each image."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from iqadistill.tables import as_table

_DRAWN = 2  # key of the random streams that draw test patches
Image = Mapping[str, Any]
Columns = dict[str, np.ndarray]


def image_stream(seed: int, image_id: str, *keys: int) -> np.random.Generator:
    """Random stream of one image: a function of seed and image_id only, independent of the other images.

    Args:
        seed: Seed of the streams of all images.
        image_id: The image.
        *keys: Numbers of a further stream of the image; without any it is the one that places its patches.
    """
    digest = hashlib.sha256(image_id.encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:8], "little"), *keys])


def usable_images(images: pa.Table) -> Iterator[Image]:
    """Rows of an images table whose status is ok."""
    return (image for image in images.to_pylist() if image["status"] == "ok")


def sample_images(
    images: pa.Table, sample: Callable[[Image, np.random.Generator], Columns], *, size: int, seed: int
) -> pa.Table:
    """Patch table of all usable images, grouped by image in the order of the images table.

    Every patch has weight 1 unless `sample` gives another: a sampler that favours some directions does so on purpose,
    and the weights do not undo it.

    Args:
        images: Table "images".
        sample: Function from a row of the images table and the image's random stream to the coordinates of its patches:
            x and y, or yaw, pitch and fov; and size and weight where they differ between patches.
        size: Side of a patch in pixels where `sample` gives no size.
        seed: Seed of the random streams of all images.

    Returns:
        Table "patches".
    """
    parts, image_ids = [], []
    for image in usable_images(images):
        columns = sample(image, image_stream(seed, image["image_id"]))
        count = len(next(iter(columns.values())))
        parts.append({**columns, "order": np.arange(count)})
        image_ids += [image["image_id"]] * count
    joined = {name: np.concatenate([part[name] for part in parts]) for name in (parts[0] if parts else ())}
    joined = {"size": np.full(len(image_ids), size), "weight": np.ones(len(image_ids)), **joined}
    image_id = pa.array(image_ids, pa.string())
    return as_table(pa.table({"patch_id": np.arange(len(image_ids)), "image_id": image_id, **joined}), "patches")


def scoring_patches(table: pa.Table, most: int, seed: int) -> pa.Table:
    """Rows of the patches that may score an image.

    Args:
        table: Table "patches" or "embeddings".
        most: Largest number of an image's patches; 0 for no limit.
        seed: Seed of the study.
    """
    return draw_patches(table, most, seed) if most else table


def draw_patches(table: pa.Table, count: int, seed: int) -> pa.Table:
    """At most `count` rows of every image of a table "patches" or "embeddings", in the table's order.

    Which patches are drawn depends on the seed, the image and the number of its patches only.

    Args:
        table: Table with the columns patch_id and image_id.
        count: Largest number of an image's patches.
        seed: Seed of the draw.
    """
    names = table["image_id"].to_pandas()
    rows = []
    for name, indices in names.groupby(names).indices.items():
        by_id = indices[np.argsort(table["patch_id"].to_numpy()[indices])]
        rows.append(image_stream(seed, str(name), _DRAWN).permutation(by_id)[:count])
    return table.take(np.sort(np.concatenate(rows))) if rows else table
