"""The images that a user wants scored, and where their patches lie."""

import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from iqadistill.errors import InputError
from iqadistill.images.decoding import image_size
from iqadistill.images.listing import IMAGE_SUFFIXES, find_images, is_unicode, readable
from iqadistill.sampling.placement import best_placed
from iqadistill.sampling.settings import SamplerSettings
from iqadistill.tables import as_table

# The image_id that samplers see. The random stream of an image depends on it, so another value would move the patches.
_STREAM_NAME = "picture"

FAULTS = (MemoryError, RuntimeError)
"""Errors of PyTorch and NumPy about one image, such as that it does not fit into memory."""


def fault(path: Path, error: Exception) -> InputError:
    """What a library raised about one image, as an error that names it."""
    reason = " ".join(str(error).split()) or type(error).__name__
    return InputError(f"{readable(path)}: cannot be scored ({reason}).")


def list_images(given: Iterable[str | Path]) -> list[Path]:
    """All images among files and folders, each once; folders are searched recursively, in the order of names.

    A warning says what is left out of a folder although it looks like an image.

    Args:
        given: Files, of any name, and folders.

    Raises:
        InputError: A path does not exist, or a folder holds no image.
    """
    images: list[Path] = []
    for path in map(Path, given):
        if path.is_dir():
            inside, sentences = find_images(path)
            if not inside:
                raise InputError(
                    f"{readable(path)}: holds no image ({', '.join(IMAGE_SUFFIXES)}); give another folder."
                    + "".join(f" {sentence}" for sentence in sentences)
                )
            for sentence in sentences:
                warnings.warn(sentence, stacklevel=2)
            images += inside
        elif path.is_file():
            images.append(path)
        else:
            raise InputError(f"{readable(path)}: no such image or folder; correct the path.")
    return list(dict.fromkeys(images))


def place_patches(
    path: Path, sampler: SamplerSettings, seed: int, count: int | None = None
) -> tuple[pa.Table, pa.Table]:
    """Tables "images" and "patches" of one image.

    The random draws depend on the seed only: images of the same size get the same patches, whatever their names.

    Args:
        path: File of the image, which becomes its image_id.
        sampler: The sampler.
        seed: Seed of the sampler.
        count: Number of the sampler's patches, the best-placed ones, which the weights of the others go to; default:
            all.

    Raises:
        InputError: The file is not an image, is too small, or is not a panorama although the sampler is for
            panoramas; or the sampler reads the places of patches from a file.
    """
    if sampler.files():
        raise InputError(
            f"{path}: the model was trained on patches recorded in {sampler.files()[0]}, which no new image has; use a"
            " model of another sampler."
        )
    if not is_unicode(path):
        raise InputError(f"{readable(path)}: the name is not valid UTF-8, which no table can hold; rename it.")
    height, width = image_size(path, checked=False)  # a damaged file is found where its patches are cut
    if sampler.kind == "sphere" and width != 2 * height:
        raise InputError(
            f"{readable(path)}: {width} x {height} pixels, but the model scores 360-degree panoramas, twice as wide as"
            " high; use a model that was trained on flat images."
        )
    sampler.rule.check(width, height, readable(path))
    row = {"image_id": [_STREAM_NAME], "path": str(path), "width": width, "height": height, "status": "ok"}
    images = as_table(pd.DataFrame(row), "images")
    patches = sampler.sample(images, seed=seed)
    if count is not None:
        patches = best_placed(patches, images, count)
    return _named(images, path), _named(patches, path)


def _named(table: pa.Table, path: Path) -> pa.Table:
    column = pa.array(np.full(len(table), str(path)), pa.string())
    return table.set_column(table.schema.get_field_index("image_id"), "image_id", column)
