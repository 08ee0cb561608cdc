"""Images that are rare but whole are read rightly; what has no known white level, or no end, is refused."""

import io
import resource
import struct
import sys
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from iqadistill.errors import InputError
from iqadistill.images.decoding import check_image, image_size, read_image

GREY = np.arange(2400, dtype=np.uint16).reshape(40, 60)
RGB = np.stack([GREY // 10, 239 - GREY // 10, np.full_like(GREY, 90)], axis=-1).astype(np.uint8)


def save(tmp_path, image, name, **options):
    image.save(tmp_path / name, **options)
    return tmp_path / name


def write_png(path, width, height, *chunks, colour_type=2, bits=8, data=None):
    """A PNG with further chunks before its pixels, which are black unless given."""
    rows = data if data is not None else bytes(height * (1 + 3 * width))
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    packed = [struct.pack(">I", len(d)) + kind + d + struct.pack(">I", zlib.crc32(kind + d)) for kind, d in parts]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(packed))
    return path


def sideways(*entries):
    """A JPEG on its side (128 x 96 when upright 96 x 128) with further EXIF entries (tag, type, count, value)."""
    stream = io.BytesIO()
    Image.effect_noise((128, 96), 80).convert("RGB").save(stream, "JPEG")
    jpeg, entries = stream.getvalue(), [(274, 3, 1, struct.pack("<H", 6)), *entries]
    head, data = b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)), b""
    for tag, kind, count, value in entries:
        offset = 8 + 2 + 12 * len(entries) + 4 + len(data)
        inline = value.ljust(4, b"\0") if len(value) <= 4 else struct.pack("<I", offset)
        data += b"" if len(value) <= 4 else value
        head += struct.pack("<HHI", tag, kind, count) + inline
    block = b"Exif\0\0" + head + b"\0\0\0\0" + data
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + jpeg[2:]


@pytest.mark.parametrize(
    "entry",
    [
        (296, 2, 4, b"two\0"),
        (282, 2, 4, b"72\0\0"),
        (305, 12, 1, struct.pack("<d", 1.0)),
        (256, 9, 1, struct.pack("<i", -5)),
        (34665, 4, 1, struct.pack("<I", 2**31)),  # sub-directories beyond the end
        (34853, 2, 4, b"gps\0"),
        (271, 2, 9, b"\xff\xfe\x80\x81\x82\x83\x84\x85\0"),
        (282, 5, 1, struct.pack("<II", 1, 0)),
    ],
)
def test_wrong_exif_entries_do_not_hinder_the_orientation(tmp_path, entry):
    path = tmp_path / "a.jpg"
    path.write_bytes(sideways(entry))
    assert image_size(path) == read_image(path).shape[:2] == (128, 96)
    assert read_image(path, 0.25).shape[:2] == (32, 24)


@pytest.mark.parametrize(
    "entry", [(274, 2, 4, b"six\0"), (274, 5, 1, struct.pack("<II", 6, 1)), (274, 3, 1, b"\x63\0")]
)
def test_orientation_that_is_none_leaves_the_image_as_it_is(tmp_path, entry):
    path = tmp_path / "a.jpg"
    path.write_bytes(
        sideways(entry).replace(struct.pack("<HHIHH", 274, 3, 1, 6, 0), struct.pack("<HHIHH", 273, 3, 1, 6, 0))
    )
    assert image_size(path) == read_image(path).shape[:2] == (96, 128)


@pytest.mark.parametrize(
    "kind", [struct.error, TypeError, AttributeError, ZeroDivisionError, MemoryError, RecursionError]
)
def test_whatever_a_decoder_raises_names_the_file(tmp_path, monkeypatch, kind):
    path = save(tmp_path, Image.fromarray(RGB).convert("L"), "a.png")

    def fail(*_):
        raise kind("two\nlines")

    monkeypatch.setattr(Image.Image, "convert", fail)
    for read in (read_image, image_size):
        with pytest.raises(InputError, match=r"a\.png: cannot be decoded \(two lines\)"):
            read(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
            "it is a Git LFS pointer; .*git lfs pull",
        ),
        (b"<!DOCTYPE html><html>", "it is a web page; download the file itself"),
        (b"\x89PNG\r\n\x1a\n" + bytes(20), "not an image of a known format"),
        (b"", "it is empty"),
        (bytes(9), "it is empty or begins with zero bytes"),
        (b"\0\0\0\x18ftypheic" + bytes(50), "it is a HEIC image; save it as JPEG or PNG"),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(50), "it is a JPEG XL image; save it as JPEG or PNG"),
        (b"\xff\x0a\xfa\x1f" + bytes(50), "it is a JPEG XL image; save it as JPEG or PNG"),
    ],
)
def test_file_in_place_of_an_image_is_said(tmp_path, content, said):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(InputError, match=rf"a\.png: cannot be decoded \({said}"):
        read_image(tmp_path / "a.png")


def test_postscript_is_not_run(tmp_path, monkeypatch):
    (tmp_path / "gs").write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\nexit 1\n")
    (tmp_path / "gs").chmod(0o755)
    monkeypatch.setattr("PIL.EpsImagePlugin.gs_binary", str(tmp_path / "gs"))
    (tmp_path / "a.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n%%EOF\n")
    for read in (read_image, check_image, image_size):
        with pytest.raises(InputError, match=r"a\.jpg: cannot be decoded \(PostScript is a program, which is not run"):
            read(tmp_path / "a.jpg")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("kind", [b"tEXt", b"zTXt", b"iTXt"])
def test_megabytes_of_text_do_not_matter(tmp_path, kind):
    text = b"history" * 2**19
    body = {
        b"tEXt": b"note\0" + text,
        b"zTXt": b"note\0\0" + zlib.compress(text),
        b"iTXt": b"note\0\1\0\0\0" + zlib.compress(text),
    }[kind]
    path = write_png(tmp_path / "a.png", 3, 2, (kind, body))
    assert read_image(path).max() == 0 and image_size(path) == (2, 3)


def test_large_colour_profile_does_not_matter(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() + bytes(3 * 2**20)
    path = save(tmp_path, Image.fromarray(RGB), "a.png", icc_profile=profile)
    np.testing.assert_array_equal(read_image(path), RGB)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_image_too_large_for_memory_is_refused_within_little_memory(tmp_path):
    unit = 1 if sys.platform == "darwin" else 1024
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    for width, height in ((30_000, 30_000), (17_000, 17_000), (2**31 - 1, 1)):
        path = write_png(tmp_path / "a.png", width, height, data=b"")
        for read in (read_image, image_size):
            with pytest.raises(InputError, match=r"a\.png: cannot be decoded \(.*more than 268435456"):
                read(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit - before < 100e6


@pytest.mark.parametrize(
    ("samples", "name"),
    [(GREY.astype(np.int32), "a.tif"), (GREY.astype(np.float32), "a.tif"), (GREY.astype(np.int16), "a.tif")],
)
def test_samples_without_a_known_white_level_are_refused(tmp_path, samples, name):
    if samples.dtype == np.int16:
        pixels = Image.fromarray(samples.astype(np.int32))
        path = save(tmp_path, pixels, name, tiffinfo={339: 2})
    else:
        path = save(tmp_path, Image.fromarray(samples), name)
    for read in (read_image, image_size):
        with pytest.raises(InputError, match=r"a\.tif.*no known white level"):
            read(path)


def test_12_bits_stored_as_16_are_noticed(tmp_path):
    dark = save(tmp_path, Image.fromarray(GREY), "dark.tif")
    assert check_image(dark).dark
    assert read_image(dark).max() == round(2399 / 257)
    bright = save(tmp_path, Image.fromarray(GREY * 27), "bright.tif")
    assert not check_image(bright).dark and read_image(bright)[-1, -1, 0] == round(2399 * 27 / 257)


def test_12_bits_a_sample_of_colour_are_noticed(tmp_path):
    row = np.repeat(GREY[-1:, :, None], 3, axis=2)
    data = b"\0" + row.astype(">u2").tobytes()
    assert check_image(write_png(tmp_path / "a.png", 60, 1, bits=16, data=data)).dark
    data = b"\0" + (row * 27).astype(">u2").tobytes()
    assert not check_image(write_png(tmp_path / "a.png", 60, 1, bits=16, data=data)).dark


def test_12_bit_tiff_has_a_known_white_level(tmp_path):
    """Two samples in three bytes, as scanners write them."""
    samples = np.array([0, 2048, 4095, 1024], dtype=np.uint16)
    packed = b"".join(bytes([a >> 4, (a & 15) << 4 | b >> 8, b & 255]) for a, b in samples.reshape(2, 2).tolist())
    entries = [
        (256, 4),
        (257, 1),
        (258, 12),
        (259, 1),
        (262, 1),
        (273, 8 + 2 + 9 * 12 + 4),
        (277, 1),
        (278, 1),
        (279, 6),
    ]
    head = b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries))
    head += b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries) + bytes(4)
    (tmp_path / "a.tif").write_bytes(head + packed)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif")[0, :, 0], [0, 128, 255, 64])
    assert not check_image(tmp_path / "a.tif").dark


def test_big_endian_and_plain_16_bit_grey_are_scaled(tmp_path):
    samples = np.array([[0, 25700, 65535]], dtype=np.uint16)
    big = save(tmp_path, Image.frombytes("I;16B", (3, 1), samples.astype(">u2").tobytes()), "a.tif")
    (tmp_path / "a.pgm").write_bytes(b"P5 3 1 65535\n" + samples.astype(">u2").tobytes())
    (tmp_path / "b.pgm").write_bytes(b"P5 3 1 1023\n" + np.array([0, 401, 1023], ">u2").tobytes())
    for path in (big, tmp_path / "a.pgm", tmp_path / "b.pgm"):
        np.testing.assert_array_equal(read_image(path)[0, :, 0], [0, 100, 255])
        assert not check_image(path).dark


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [
        ("YCbCr", "tif"),
        ("LAB", "tif"),
        ("CMYK", "tif"),
        ("LA", "png"),
        ("RGBA", "tif"),
        ("P", "gif"),
        ("RGB", "avif"),
    ],
)
def test_colour_is_kept_in_every_mode(tmp_path, mode, suffix):
    colour = Image.new("RGB", (16, 16), (200, 100, 50))
    if mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        image = ImageCms.profileToProfile(colour, srgb, lab, outputMode="LAB")
    else:
        image = colour.quantize() if mode == "P" else colour.convert(mode)
    path = save(tmp_path, image, f"a.{suffix}")
    expected = [124, 124, 124] if mode == "LA" else [200, 100, 50]
    assert abs(read_image(path)[8, 8].astype(int) - expected).max() <= 6
    assert image_size(path) == (16, 16)


def test_image_of_one_pixel_is_read_at_any_scale(tmp_path):
    path = save(tmp_path, Image.new("RGB", (1, 1), "red"), "a.png")
    np.testing.assert_array_equal(read_image(path, 0.01), [[[255, 0, 0]]])
