"""Patches as pixels, image by image, decoded and cut ahead of their use."""

from collections.abc import Iterator
from itertools import groupby

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from iqadistill.decoding import read_image
from iqadistill.encoders.ahead import map_ahead
from iqadistill.errors import InputError
from iqadistill.panorama import extract_crops, extract_viewports


def read_patches(
    images: pa.Table, patches: pa.Table, *, device: str | torch.device = "cpu", workers: int = 2
) -> Iterator[Tensor]:
    """Cut the patches of a patch table, one image after another, each image decoded once.

    Args:
        images: Table images; only the named ones are read.
        patches: Table patches, the patches of an image next to each other.
        device: Where patches are cut.
        workers: Images decoded and cut ahead, each by a thread; each holds a float copy of its panorama.

    Returns:
        Iterator of patches (n, 3, size, size) of one image, float32 in [0, 1], in the table's order.

    Raises:
        InputError: A picture cannot be read, is not in the images table, or has patches of several sizes.
    """
    paths = dict(zip(images["image_id"].to_pylist(), images["path"].to_pylist(), strict=True))
    runs = list(_image_runs(patches))
    for name, _ in runs:
        if name not in paths:
            raise InputError(f"patches of {name!r}: the images table has no such image; sample the patches again.")

    def read(run: tuple[str, pa.Table]) -> Tensor:
        name, rows = run
        picture = torch.from_numpy(np.array(read_image(paths[name])))  # a copy: Pillow's own array is read-only
        return _cut(picture.permute(2, 0, 1).to(device), rows)

    return map_ahead(read, runs, workers)


def _image_runs(patches: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    start = 0
    for name, run in groupby(patches["image_id"].to_pylist()):
        number = len(list(run))
        yield name, patches.slice(start, number)
        start += number


def _cut(picture: Tensor, rows: pa.Table) -> Tensor:
    sizes = rows["size"].unique().to_pylist()
    if len(sizes) > 1:
        raise InputError(f"patches of {rows['image_id'][0]}: sizes {sizes}, expected one; sample the patches again.")
    if rows["x"].null_count:
        angles = (rows[name].to_numpy() for name in ("yaw", "pitch", "fov"))
        patches = extract_viewports(picture, *angles, sizes[0])
    else:
        on_sphere = rows["yaw"].null_count == 0
        patches = extract_crops(picture, rows["x"].to_pylist(), rows["y"].to_pylist(), sizes[0], wrap=on_sphere)
    return patches.float() / 255
