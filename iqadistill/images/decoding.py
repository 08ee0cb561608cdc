"""Pictures from disk to upright 8-bit RGB."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from iqadistill.errors import InputError

# 16k equirectangular panoramas have 134 million pixels; twice that still fits in memory and a decompression bomb does not.
Image.MAX_IMAGE_PIXELS = 2**28

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
"""What counts as a picture in a folder; a file that is named is read whatever its suffix."""

LYING = (5, 6, 7, 8)  # EXIF orientations that swap width and height


def read_image(path: str | Path) -> np.ndarray:
    """Decode one picture.

    EXIF rotation is applied, transparency is laid over black, palettes, grey, CMYK and 16-bit samples become 8-bit RGB; of
    an animation the first frame counts.

    Args:
        path: Any file Pillow can read.

    Returns:
        Array (H, W, 3), uint8, RGB.

    Raises:
        InputError: The file is missing, truncated, or no picture of integer samples.
    """
    with _opened(path) as picture:
        return np.asarray(_to_rgb(ImageOps.exif_transpose(picture)))


def picture_size(path: str | Path) -> tuple[int, int]:
    """Decode one picture in full, only to see that it can be, without the cost of making it RGB.

    Args:
        path: Any file Pillow can read.

    Returns:
        Height and width in pixels as `read_image` gives them.

    Raises:
        InputError: As `read_image`.
    """
    with _opened(path) as picture:
        picture.load()
        width, height = picture.size
        lying = picture.getexif().get(ExifTags.Base.Orientation) in LYING
        return (width, height) if lying else (height, width)


@contextlib.contextmanager
def _opened(path: str | Path) -> Iterator[Image.Image]:
    try:
        with Image.open(path) as picture:
            if picture.mode == "F":
                raise ValueError("floating-point samples have no known white")
            yield picture
    except FileNotFoundError:
        raise InputError(f"{path}: no such picture; check its name in the labels and the dataset's root.") from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(
            f"{path}: cannot be decoded ({error}); replace the file or take it out of the dataset."
        ) from None


def _to_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):  # 16-bit (and 32-bit) grey: Pillow's own conversion clips instead of scaling
        samples = np.asarray(picture).astype(np.float64)
        return Image.fromarray(np.clip(samples / 257.0 + 0.5, 0, 255).astype(np.uint8)).convert("RGB")
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", picture.size, (0, 0, 0, 255)), picture).convert("RGB")
    return picture.convert("RGB")
