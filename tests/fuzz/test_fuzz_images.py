"""Damaged image files: each is read as an image or refused in one sentence, by the index as by every later stage."""

import io
import struct
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from iqadistill.errors import InputError
from iqadistill.images.decoding import LARGEST, check_image, image_size, read_image, scaled

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def encoded(image_format, mode="RGB", **options):
    """Bytes of an image that lies on its side."""
    image = Image.fromarray(PIXELS).convert("L" if mode == "I;16" else "RGB").convert(mode)
    exif = image.getexif()
    exif[0x0112], exif[0x010E] = 6, "x"
    stream = io.BytesIO()
    image.save(stream, image_format, exif=exif, **options)
    return stream.getvalue()


WHOLE = [
    encoded("JPEG"),
    encoded("JPEG", progressive=True, quality=90),
    encoded("JPEG", "CMYK"),
    encoded("PNG"),
    encoded("PNG", "P"),
    encoded("PNG", "LA"),
    encoded("PNG", "I;16"),
    encoded("TIFF"),
    encoded("TIFF", compression="tiff_lzw"),
    encoded("TIFF", "L", compression="packbits"),
    encoded("WEBP"),
    encoded("WEBP", "RGBA", lossless=True),
    encoded("BMP"),
    encoded("GIF", "P"),
]


@st.composite
def damaged(draw):
    """Bytes of an image with some of them replaced, cut, doubled or filled."""
    data = bytearray(draw(st.sampled_from(WHOLE)))
    for _ in range(draw(st.integers(1, 4))):
        # most of what can go wrong is in the header
        place = draw(st.one_of(st.integers(0, min(400, len(data) - 1)), st.integers(0, len(data) - 1)))
        kind = draw(st.sampled_from(["byte", "number", "cut", "double", "fill", "drop"]))
        if kind == "byte":
            data[place] = draw(st.integers(0, 255))
        elif kind == "number":
            number = draw(st.sampled_from([0, 1, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFF]))
            order, size = draw(st.sampled_from("<>")), draw(st.sampled_from([2, 4]))
            data[place : place + size] = struct.pack(f"{order}I", number)[4 - size if order == ">" else 0 :][:size]
        elif kind == "cut":
            del data[max(1, place) :]
        elif kind == "double":
            data[place:place] = data[place : place + draw(st.integers(1, 64))]
        elif kind == "fill":
            length = draw(st.integers(1, 64))
            data[place : place + length] = draw(st.binary(min_size=length, max_size=length))
        else:
            del data[place : place + draw(st.integers(1, 16))]
        if not data:
            break
    return bytes(data)


@st.composite
def broken_exif(draw):
    """A JPEG that lies on its side, with entries of any type, count and value."""
    entries = [(274, 3, 1, struct.pack("<I", draw(st.integers(0, 9))))]
    for _ in range(draw(st.integers(0, 4))):
        tag = draw(
            st.one_of(st.sampled_from([256, 271, 274, 282, 296, 305, 34665, 34853, 40965]), st.integers(0, 65535))
        )
        entries.append(
            (
                tag,
                draw(st.integers(0, 14)),
                draw(st.integers(0, 2**32 - 1) | st.integers(0, 4)),
                draw(st.binary(min_size=4, max_size=4)),
            )
        )
    order = draw(st.permutations(entries))
    block = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(order))
    block += b"".join(struct.pack("<HHI", *entry[:3]) + entry[3] for entry in order) + draw(st.binary(max_size=60))
    plain = io.BytesIO()
    Image.fromarray(PIXELS).save(plain, "JPEG")
    plain = plain.getvalue()
    return plain[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + plain[2:]


def outcome(read):
    """What a reader returns, or its error, which must name the file in one line."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of what it repairs
            return read()
    except InputError as error:
        assert str(error).count("odd.img") == 1 and "\n" not in str(error)
        return None


def agree(data):
    """Assert that the index and later stages read the same image or all refuse it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "odd.img"
        path.write_bytes(data)
        checked, whole = outcome(lambda: check_image(path)), outcome(lambda: read_image(path))
        assert (checked is None) == (whole is None)
        reduced = outcome(lambda: read_image(path, 0.1))
        assert (reduced is None) == (whole is None)
        if whole is not None:
            assert whole.shape == (*checked[:2], 3) and whole.dtype == np.uint8
            assert reduced.shape == (*(scaled(length, 0.1) for length in whole.shape[:2]), 3)
            assert outcome(lambda: image_size(path, checked=False)) == checked[:2]
            assert checked.height * checked.width <= LARGEST
        return checked


@given(damaged())
@settings(max_examples=settings().max_examples * 3)
def test_damaged_image_is_read_everywhere_or_refused_everywhere(data):
    agree(data)


@given(broken_exif())
def test_pixels_are_read_whatever_the_exif_entries_are(data):
    assert agree(data) is not None


@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"II*\0", b"RIFF\0\0\0\0WEBP", b"BM", b"GIF89a"]),
)
def test_bytes_that_are_no_image_are_refused(data, magic):
    agree(magic + data)


@pytest.mark.parametrize("data", WHOLE)
def test_whole_images_agree(data):
    assert agree(data) is not None
