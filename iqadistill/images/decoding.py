"""Decoding of image files to upright 8-bit RGB."""

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image, PngImagePlugin, UnidentifiedImageError

from iqadistill.errors import InputError
from iqadistill.file_kinds import HEAD, HEIC, JPEG_XL, REMEDIES, file_kind
from iqadistill.images.listing import readable

# 16k equirectangular panoramas have 134 million pixels; twice that still fits in memory, a decompression bomb does not
Image.MAX_IMAGE_PIXELS = LARGEST = 2**28
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # what Pillow warns of is refused here
# Editors store histories of several megabytes as text, which decides nothing about the pixels; without a limit, a few
# bytes could unpack to gigabytes.
PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY = 2**26, 2**28

_REMEDIES = REMEDIES | dict.fromkeys((HEIC, JPEG_XL), "save it as JPEG or PNG")
GAP = 2  # how many times larger than asked for a JPEG is decoded at least: what is left is low-pass filtered exactly
DARK = 16  # of 255: no sample is above it where 12 bits were stored as 16
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ROTATED = (5, 6, 7, 8)  # orientations that swap width and height


class CheckedFile(NamedTuple):
    """What is known about an image file that was decoded.

    Attributes:
        height: Height in pixels, upright.
        width: Width in pixels.
        dark: Whether its samples have 16 bits but use the lowest 12 at most, so that it is almost black: most likely
            the samples of a camera of 10 or 12 bits that were stored without scaling.
    """

    height: int
    width: int
    dark: bool


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
        InputError: The file is missing, truncated, larger than 268 million pixels, or not an image with integer samples
            of at most 16 bits.
    """
    with _opened(path) as file:
        bits = _bits(file)
        image = file if scale == 1 else _decoded_small(file, scale)
        upright = _turned(_to_rgb(image, bits), _orientation(file))
        if scale != 1 and image is file:
            upright = upright.resize(_scaled_size(upright, scale), Image.Resampling.BICUBIC)
        return np.asarray(upright)


def scaled(length: int, scale: float) -> int:
    """Length in pixels of an image's side as `read_image` reduces it."""
    return max(1, round(length * scale))


def check_image(path: str | Path) -> CheckedFile:
    """Decode an image completely, as `read_image` does, but without the cost of converting all of it to RGB.

    Args:
        path: Any file Pillow can read.

    Raises:
        InputError: As `read_image`.
    """
    with _opened(path) as file:
        bits = _bits(file)
        file.load()
        height, width = _upright_size(file)
        part = file if bits == 16 else file.crop((0, 0, 1, 1))  # the conversion depends on the kind of image only
        brightest = int(np.asarray(_to_rgb(part, bits)).max())
        return CheckedFile(height, width, bits == 16 and brightest <= DARK)


def image_size(path: str | Path, *, checked: bool = True) -> tuple[int, int]:
    """Size of an image.

    Args:
        path: Any file Pillow can read.
        checked: Whether the file is decoded, see `check_image`; if not, its header is read only, and a truncated file
            has a size.

    Returns:
        Height and width in pixels as `read_image` gives them.

    Raises:
        InputError: As `read_image`.
    """
    if checked:
        return check_image(path)[:2]
    with _opened(path) as file:
        if file.format == "TIFF":  # Pillow turns a TIFF file upright as it decodes it
            file.load()
        return _upright_size(file)


@contextlib.contextmanager
def _opened(path: str | Path) -> Iterator[Image.Image]:
    try:
        if not Path(path).exists():
            raise FileNotFoundError
        if not Path(path).is_file():
            raise ValueError("a folder, or a pipe that never ends")
        with Image.open(path) as image:
            if image.width * image.height > LARGEST:
                raise ValueError(f"{image.width} x {image.height} pixels are more than {LARGEST}")
            if image.format == "EPS":
                raise ValueError("PostScript is a program, which is not run; save it as PNG")
            if image.mode == "F":
                raise ValueError("floating-point samples have no known white level")
            if image.mode == "I" and image.format != "PPM":  # whose samples Pillow scales to 16 bits
                raise ValueError("signed or 32-bit integer samples have no known white level; save it with 8 or 16")
            yield image
    except FileNotFoundError:
        raise InputError(
            f"{readable(path)}: no such image; check its name in the labels and the dataset's root."
        ) from None
    except Exception as error:  # decoders raise whatever a damaged file leads them to
        raise InputError(
            f"{readable(path)}: cannot be decoded ({_reason(error, path)}); replace the file or remove it from the "
            "dataset."
        ) from None


def _reason(error: Exception, path: str | Path) -> str:
    """What a decoder says, in one line and without the name of the file."""
    if isinstance(error, UnidentifiedImageError):
        with open(path, "rb") as file:
            head = file.read(HEAD)
        kind = file_kind(head)
        if not head.strip(b"\0"):
            return "it is empty or begins with zero bytes, as an interrupted copy leaves it"
        return f"it is {kind}; {_REMEDIES[kind]}" if kind in _REMEDIES else "not an image of a known format"
    if isinstance(error, Image.DecompressionBombError):
        return f"its pixels are more than {LARGEST}"
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return readable(" ".join(said.split())) or type(error).__name__


def _orientation(image: Image.Image) -> int:
    """EXIF orientation of an image that was decoded; 1, upright, where its entries cannot be read."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # the pixels are whole, so nothing else in the entries matters
        return 1
    return orientation if isinstance(orientation, int) else 1


def _turned(image: Image.Image, orientation: int) -> Image.Image:
    method = _UPRIGHT.get(orientation)
    return image if method is None else image.transpose(method)


def _upright_size(image: Image.Image) -> tuple[int, int]:
    """Height and width."""
    width, height = image.size
    return (width, height) if _orientation(image) in _ROTATED else (height, width)


def _bits(image: Image.Image) -> int:
    """Bits of a sample in the file: 8 (or fewer), 12 or 16; only known before the image is decoded."""
    if image.format not in ("PNG", "TIFF"):  # of the others only 16-bit grey is not scaled to 8 bits
        return 16 if image.mode.startswith("I") else 8
    tiles = getattr(image, "tile", ())
    arguments = tiles[0].args if tiles else ""
    stored = str(arguments if isinstance(arguments, str) else next(iter(arguments or ()), ""))
    return 12 if ";12" in stored else 16 if ";16" in stored else 8


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


def _to_rgb(image: Image.Image, bits: int) -> Image.Image:
    image.load()
    if image.mode.startswith("I"):  # Pillow's conversion clips instead of scaling
        samples = np.asarray(image).astype(np.float64) / ((2**bits - 1) / 255)
        return Image.fromarray(np.clip(samples + 0.5, 0, 255).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")  # which would copy it
