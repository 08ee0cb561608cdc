import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from iqadistill.errors import InputError
from iqadistill.images.decoding import image_size, read_image

RGB = np.stack([*np.meshgrid(np.arange(0, 240, 10), np.arange(0, 160, 10)), np.full((16, 24), 90)], axis=-1).astype(
    np.uint8
)


def save(tmp_path, image, name, **options):
    """Save an image; returns its path."""
    image.save(tmp_path / name, **options)
    return tmp_path / name


def test_rgb_png_is_read_exactly(tmp_path):
    np.testing.assert_array_equal(read_image(save(tmp_path, Image.fromarray(RGB), "a.png")), RGB)


def write_16_bit_png(path, samples, colour_type):
    """Write a PNG of 16 bits per sample, which Pillow supports for grey only; samples are (H, W, C), uint16."""
    height, width = samples.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    )
    return path


@pytest.mark.parametrize(("mode", "suffix"), [("L", "png"), ("P", "png"), ("CMYK", "tif"), ("1", "png")])
def test_other_modes_become_rgb(tmp_path, mode, suffix):
    image = Image.fromarray(RGB).convert(mode)
    read = read_image(save(tmp_path, image, f"a.{suffix}"))
    np.testing.assert_array_equal(read, np.asarray(image.convert("RGB")))


def test_16_bit_grey_is_scaled_not_clipped(tmp_path):
    samples = np.array([[0, 257 * 100, 65535]], dtype=np.uint16)
    read = read_image(save(tmp_path, Image.fromarray(samples), "a.png"))
    np.testing.assert_array_equal(read[0, :, 0], [0, 100, 255])


@pytest.mark.parametrize(("colour_type", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_16_bit_png_is_scaled_not_clipped(tmp_path, colour_type, channels):
    samples = np.full((2, 3, channels), 65535, dtype=np.uint16)
    samples[..., : channels - (channels in (2, 4))] = np.array([0, 257 * 100, 65535])[:, None]  # alpha stays opaque
    read = read_image(write_16_bit_png(tmp_path / "a.png", samples, colour_type))
    np.testing.assert_array_equal(read[0], np.repeat([[0], [100], [255]], 3, axis=1))


def test_cmyk_jpeg_keeps_its_colours(tmp_path):
    colour = np.broadcast_to(np.array([200, 100, 50], np.uint8), (16, 16, 3))
    path = save(tmp_path, Image.fromarray(colour).convert("CMYK"), "a.jpg", quality=95)
    assert abs(read_image(path).astype(int) - colour).max() <= 3


def test_transparent_palette_entry_becomes_black(tmp_path):
    image = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    image.putpalette([250, 0, 0, 0, 250, 0])
    read = read_image(save(tmp_path, image, "a.png", transparency=0))
    np.testing.assert_array_equal(read[0], [[0, 0, 0], [0, 250, 0]])


def test_half_transparent_pixel_is_blended_with_black(tmp_path):
    rgba = np.full((2, 2, 4), (200, 100, 0, 128), np.uint8)
    np.testing.assert_allclose(read_image(save(tmp_path, Image.fromarray(rgba), "a.png"))[0, 0], [100, 50, 0], atol=1)


def test_floating_point_samples_are_refused(tmp_path):
    path = save(tmp_path, Image.fromarray(np.ones((4, 4), np.float32)), "a.tif")
    for read in (read_image, image_size):
        with pytest.raises(InputError, match=r"a\.tif"):
            read(path)


def test_transparent_pixels_become_black(tmp_path):
    rgba = np.dstack([RGB, np.zeros(RGB.shape[:2], np.uint8)])
    assert read_image(save(tmp_path, Image.fromarray(rgba), "a.png")).max() == 0


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(tmp_path, orientation, suffix):
    image = Image.fromarray(RGB)
    exif = image.getexif()
    exif[0x0112] = orientation
    path = save(tmp_path, image, f"a.{suffix}", exif=exif)
    size = (24, 16) if orientation >= 5 else (16, 24)
    assert read_image(path).shape == (*size, 3)
    assert image_size(path) == image_size(path, checked=False) == size


def test_exif_rotation_has_the_right_direction(tmp_path):
    image = Image.fromarray(RGB)
    exif = image.getexif()
    exif[0x0112] = 6
    np.testing.assert_array_equal(read_image(save(tmp_path, image, "a.png", exif=exif)), np.rot90(RGB, -1))


@pytest.mark.parametrize("suffix", ["gif", "png", "webp"])
def test_first_frame_of_animation_is_read(tmp_path, suffix):
    frames = [Image.new("RGB", (8, 8), c) for c in ("red", "blue")]
    path = save(tmp_path, frames[0], f"a.{suffix}", save_all=True, append_images=frames[1:])
    assert abs(read_image(path)[0, 0].astype(int) - [255, 0, 0]).max() <= 2
    assert image_size(path) == (8, 8)


NOISE = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)


@pytest.mark.parametrize("share", [0.5, 0.97])
@pytest.mark.parametrize(
    ("suffix", "options"),
    [("jpg", {}), ("jpg", {"progressive": True}), ("png", {}), ("bmp", {}), ("tif", {}), ("gif", {}), ("webp", {})],
)
def test_truncated_image_is_refused(tmp_path, suffix, options, share):
    path = save(tmp_path, Image.fromarray(NOISE), f"cut.{suffix}", **options)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    for read in (read_image, image_size):
        with pytest.raises(InputError, match=rf"cut\.{suffix}: "):
            read(path)


def test_size_of_a_truncated_image_is_known_without_a_check(tmp_path):
    path = save(tmp_path, Image.fromarray(NOISE), "cut.jpg")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert image_size(path, checked=False) == (64, 64)


@pytest.mark.parametrize("content", [b"", b"not an image"])
def test_file_that_is_not_an_image_is_refused(tmp_path, content):
    (tmp_path / "bad.png").write_bytes(content)
    for read in (read_image, image_size):
        with pytest.raises(InputError, match=r"bad\.png"):
            read(tmp_path / "bad.png")


def test_missing_image_is_refused(tmp_path):
    for read in (read_image, image_size):
        with pytest.raises(InputError, match=r"none\.png"):
            read(tmp_path / "none.png")


SMOOTH = np.asarray(Image.fromarray(NOISE[:9, :13]).resize((411, 283), Image.Resampling.BICUBIC))
"""An image whose sides no power of 2 divides, without detail that a reduction would take away."""


@pytest.mark.parametrize("scale", [0.3, 0.15, 0.05])
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_reduced_image_is_the_whole_one_resized(tmp_path, suffix, scale):
    """Also of a JPEG file that is decoded at a fraction of its size: no shift, and no filter of its own to be seen."""
    path = save(tmp_path, Image.fromarray(SMOOTH), f"a.{suffix}", **({"quality": 95} if suffix == "jpg" else {}))
    size = (round(411 * scale), round(283 * scale))
    whole = Image.fromarray(read_image(path)).resize(size, Image.Resampling.BICUBIC)
    difference = read_image(path, scale).astype(int) - np.asarray(whole, int)
    assert abs(difference).max() <= (0 if suffix == "png" else 4) and abs(difference).mean() < 1


def test_reduced_jpeg_keeps_nothing_above_the_resolution_asked_for(tmp_path):
    """A chequered pattern of 3 pixels becomes grey, as where the whole image is decoded first: no aliasing."""
    rows, columns = np.indices((400, 600)) // 3
    pattern = np.repeat(((rows + columns) % 2 * 200)[..., None].astype(np.uint8), 3, axis=2)
    path = save(tmp_path, Image.fromarray(pattern), "a.jpg", quality=95)
    reduced = read_image(path, 0.1)[3:-3, 3:-3]
    whole = np.asarray(Image.fromarray(read_image(path)).resize((60, 40), Image.Resampling.BICUBIC))[3:-3, 3:-3]
    assert reduced.std() < 3 and abs(reduced.mean() - whole.mean()) < 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_reduced_image_is_upright(tmp_path, orientation):
    image = Image.fromarray(SMOOTH)
    exif = image.getexif()
    exif[0x0112] = orientation
    path = save(tmp_path, image, "a.jpg", exif=exif, quality=95)
    upright = Image.fromarray(read_image(path))
    size = tuple(round(length * 0.1) for length in upright.size)
    expected = np.asarray(upright.resize(size, Image.Resampling.BICUBIC), int)
    assert abs(read_image(path, 0.1).astype(int) - expected).mean() < 1


def test_reduced_jpeg_is_decoded_at_a_fraction_of_its_size(tmp_path, monkeypatch):
    decoded, resize = [], Image.Image.resize
    monkeypatch.setattr(
        Image.Image, "resize", lambda image, *a, **k: (decoded.append(image.size), resize(image, *a, **k))[1]
    )
    path = save(tmp_path, Image.fromarray(SMOOTH), "a.jpg")
    for scale, size in ((0.3, (411, 283)), (0.2, (206, 142)), (0.1, (103, 71)), (0.05, (52, 36))):
        read_image(path, scale)
        assert decoded.pop() == size, scale
