"""Crops of flat images."""

import numpy as np
import pyarrow as pa

from iqadistill.errors import InputError
from iqadistill.sampling.image_checks import check_patch_fits, scaled_side
from iqadistill.sampling.patch_table import Columns, Image, sample_images


def sample_crops(
    images: pa.Table,
    *,
    count: int,
    size: int,
    seed: int,
    method: str = "random",
    longer_side: int | None = None,
    small_images: str = "refuse",
) -> pa.Table:
    """Square crops of flat images; x and y are the upper left pixel.

    Photographs of one dataset can differ tenfold in resolution, and crops of equally many pixels then show very
    different shares of them. With `longer_side`, a crop shows what `size` pixels show once the image's longer side is
    resized to `longer_side`: the side of a crop differs from image to image, and the encoder resizes all crops to one
    size.

    Args:
        images: Table "images" of flat images.
        count: Number of patches of an image; fewer where an image has fewer positions ("random": all are
            different) or where no denser grid fits into `count` ("grid").
        size: Side of a crop in pixels, of the original image or, with `longer_side`, of the resized one.
        seed: Seed; the random stream of an image depends on it and on the image_id only. A grid uses none.
        method: "random" (uniform over all positions, without repeats) or "grid" (even rows and columns from border to
            border).
        longer_side: Length in pixels that `size` refers to for the longer side of every image; None for the original
            resolution.
        small_images: "refuse" refuses images smaller than a crop; "enlarge" takes crops as wide as their shorter side,
            which are enlarged to the size of the others when they are read.

    Returns:
        Table "patches".

    Raises:
        InputError: The method is unknown, or an image is smaller than a crop and not to be enlarged.
    """
    if method not in ("random", "grid"):
        raise InputError(f"sampler: method {method!r}, expected 'random' or 'grid'.")

    def sample(image: Image, stream: np.random.Generator) -> Columns:
        width, height = image["width"], image["height"]
        side = scaled_side(size, width, height, longer_side, small_images)
        check_patch_fits(width, height, image["image_id"], side)
        columns, rows = width - side + 1, height - side + 1
        if method == "grid":
            x, y = _grid(columns, rows, count)
        else:
            x, y = random_places(stream, columns, rows, min(count, columns * rows))
        return {"x": x, "y": y, "size": np.full(len(x), side)}

    return sample_images(images, sample, size=size, seed=seed)


def random_places(stream: np.random.Generator, columns: int, rows: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Corners x and y (count,) of crops at different places, uniform over columns x rows of them."""
    y, x = np.divmod(stream.choice(columns * rows, count, replace=False), columns)
    return x, y


def _grid(columns: int, rows: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Corners of an even grid of at most `count` crops on columns x rows positions, equally spaced both ways."""
    down = int(np.clip(round(np.sqrt(count * rows / columns)), 1, min(rows, count)))
    across = min(count // down, columns)
    x, y = np.meshgrid(_spread(columns, across), _spread(rows, down))
    return x.ravel(), y.ravel()


def _spread(positions: int, count: int) -> np.ndarray:
    """`count` of `positions`, evenly from border to border; a single one lies in the middle."""
    if count == 1:
        return np.array([(positions - 1) // 2])
    return np.rint(np.linspace(0, positions - 1, count)).astype(np.int64)
