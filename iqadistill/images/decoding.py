"""Decoding of image files to upright 8-bit RGB."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from iqadistill.errors import InputError

# 16k equirectangular panoramas have 134 million pixels; twice that still fits in memory, a decompression bomb does not
Image.MAX_IMAGE_PIXELS = 2**28

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
"""Suffixes of images where a folder is searched; a file that is named explicitly may have any suffix."""

GAP = 2  # how many times larger than asked for a JPEG is decoded at least: what is left is low-pass filtered exactly
_ROTATED = (5, 6, 7, 8)  # EXIF orientations that swap width and height


def read_image(path: str | Path, scale: float = 1.0) -> np.ndarray:
    """Decode an image, and reduce it where that is asked for.

    EXIF rotation is applied, transparency is composited over black, and palettes, grey, CMYK and 16-bit samples become
    8-bit RGB; the first frame of an animation is used. A JPEG file that is reduced is decoded at the smallest of
    a half, a quarter and an eighth of its size that leaves it twice as large as asked for: in a fraction of the time.

    Args:
        path: Any file Pillow can read.
        scale: Factor, at most 1, by which the image is reduced, low-pass filtered (bicubic).

    Returns:
        Array (H, W, 3), uint8, RGB.

    Raises:
        InputError: The file is missing, truncated, or not an image with integer samples.
    """
    with _opened(path) as file:
        image = file if scale == 1 else _decoded_small(file, scale)
        upright = _to_rgb(ImageOps.exif_transpose(image))
        if scale != 1 and image is file:
            upright = upright.resize(_scaled_size(upright, scale), Image.Resampling.BICUBIC)
        return np.asarray(upright)


def scaled(length: int, scale: float) -> int:
    """Length in pixels of an image's side as `read_image` reduces it."""
    return round(length * scale)


def image_size(path: str | Path, *, checked: bool = True) -> tuple[int, int]:
    """Size of an image, which is decoded completely to check the file, without the cost of a conversion to RGB.

    Args:
        path: Any file Pillow can read.
        checked: Whether the file is decoded; if not, its header is read only, and a truncated file has a size.

    Returns:
        Height and width in pixels as `read_image` gives them.

    Raises:
        InputError: As `read_image`.
    """
    with _opened(path) as image:
        if checked or image.format == "TIFF":  # Pillow turns a TIFF file upright as it decodes it
            image.load()
        width, height = image.size
        rotated = image.getexif().get(ExifTags.Base.Orientation) in _ROTATED
        return (width, height) if rotated else (height, width)


@contextlib.contextmanager
def _opened(path: str | Path) -> Iterator[Image.Image]:
    try:
        with Image.open(path) as image:
            if image.mode == "F":
                raise ValueError("floating-point samples have no known white level")
            yield image
    except FileNotFoundError:
        raise InputError(f"{path}: no such image; check its name in the labels and the dataset's root.") from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(
            f"{path}: cannot be decoded ({error}); replace the file or remove it from the dataset."
        ) from None


def _scaled_size(image: Image.Image, scale: float) -> tuple[int, int]:
    return scaled(image.width, scale), scaled(image.height, scale)


def _decoded_small(file: Image.Image, scale: float) -> Image.Image:
    """A JPEG file decoded at a fraction of its size and then reduced by the rest of `scale`; other files as they are.

    The last row and column of the fraction may reach beyond the image, which the box leaves out.
    """
    whole, size = file.size, _scaled_size(file, scale)
    drafted = file.draft(None, (GAP * size[0], GAP * size[1]))
    if drafted is None or file.size == whole:
        return file
    return file.resize(size, Image.Resampling.BICUBIC, box=drafted[1])


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit (and 32-bit) grey: Pillow's conversion clips instead of scaling
        samples = np.asarray(image).astype(np.float64)
        return Image.fromarray(np.clip(samples / 257.0 + 0.5, 0, 255).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image).convert("RGB")
    return image.convert("RGB")
