"""Crops of flat images."""

import numpy as np
import pyarrow as pa

from iqadistill.errors import InputError
from iqadistill.sampling.placing import Columns, Image, check_patch_fits, place_patches


def sample_crops(
    images: pa.Table, *, count: int, size: int, seed: int, method: str = "random", longer_side: int | None = None
) -> pa.Table:
    """Square crops of flat images; x and y are the upper left pixel.

    Photographs of one collection can differ tenfold in resolution, and a crop of so many pixels then shows very different
    shares of them. With `longer_side`, a crop shows what `size` pixels show once the picture is scaled to that longer side:
    its own size differs from image to image, and the encoder brings all of them to one.

    Args:
        images: Table images, flat.
        count: Patches an image; fewer where an image has no more places ("random": all are different) or where no fuller grid
            fits into `count` ("grid").
        size: Side of a crop in pixels, of the picture as it is or, with `longer_side`, as scaled.
        seed: Seed; the stream of an image depends on it and on the image's name alone. A grid needs no chance.
        method: "random" (uniform over the places, without repeats) or "grid" (even rows and columns from border to border).
        longer_side: Pixels to which a picture's longer side is thought to be scaled; None leaves pictures as they are.

    Returns:
        Table patches.

    Raises:
        InputError: The method is unknown or an image is smaller than a crop.
    """
    if method not in ("random", "grid"):
        raise InputError(f"sampler: method {method!r}, expected 'random' or 'grid'.")

    def draw(image: Image, stream: np.random.Generator) -> Columns:
        side = size if longer_side is None else round(size * max(image["width"], image["height"]) / longer_side)
        check_patch_fits(image, side)
        columns, rows = image["width"] - side + 1, image["height"] - side + 1
        if method == "grid":
            x, y = _grid(columns, rows, count)
        else:
            place = stream.choice(columns * rows, min(count, columns * rows), replace=False)
            y, x = np.divmod(place, columns)
        return {"x": x, "y": y, "size": np.full(len(x), side)}

    return place_patches(images, draw, size=size, seed=seed)


def _grid(columns: int, rows: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Corners of an even grid of at most `count` crops over columns x rows places, about as wide as high in spacing."""
    down = int(np.clip(round(np.sqrt(count * rows / columns)), 1, min(rows, count)))
    across = min(count // down, columns)
    x, y = np.meshgrid(_even(columns, across), _even(rows, down))
    return x.ravel(), y.ravel()


def _even(places: int, number: int) -> np.ndarray:
    """`number` of `places`, border to border; a single one lies in the middle."""
    if number == 1:
        return np.array([(places - 1) // 2])
    return np.rint(np.linspace(0, places - 1, number)).astype(np.int64)
