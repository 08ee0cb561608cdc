"""Thumbnails of patches: what they look like from afar, at the cost of decoding the image and no network."""

import numpy as np
import pyarrow as pa
from torch.nn import functional

from iqadistill.patches.pixel_values import as_floats
from iqadistill.patches.reading import read_patches

SIDE = 8  # pixels of a thumbnail


def read_thumbnails(images: pa.Table, patches: pa.Table) -> np.ndarray:
    """Patches reduced to 8 x 8 pixels.

    Flat images are reduced before they are cut and panoramas before they are projected, so that their crops and
    viewports are never made in full size.

    Args:
        images: Table "images".
        patches: Table "patches", the patches of an image next to each other.

    Returns:
        Red, green and blue in [0, 1] of each patch (n, 192), in the order of `patches`.

    Raises:
        InputError: An image cannot be read.
    """
    if not patches["yaw"].null_count and patches["x"].null_count:  # viewports, which take any size
        column = patches.schema.get_field_index("size")
        small = pa.array(np.full(len(patches), SIDE), patches.schema.field(column).type)
        patches = patches.set_column(column, patches.schema.field(column), small)
    pieces = [
        functional.adaptive_avg_pool2d(as_floats(piece), SIDE) for piece in read_patches(images, patches, size=SIDE)
    ]
    return np.concatenate([piece.flatten(1).numpy() for piece in pieces]).astype(np.float64)
