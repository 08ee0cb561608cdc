import numpy as np
import pytest
from PIL import Image

from iqadistill.decoding import read_image
from iqadistill.errors import InputError

RGB = np.stack([*np.meshgrid(np.arange(0, 240, 10), np.arange(0, 160, 10)), np.full((16, 24), 90)], axis=-1).astype(
    np.uint8
)


def save(tmp_path, picture, name, **options):
    picture.save(tmp_path / name, **options)
    return tmp_path / name


def test_rgb_png_is_read_exactly(tmp_path):
    np.testing.assert_array_equal(read_image(save(tmp_path, Image.fromarray(RGB), "a.png")), RGB)


@pytest.mark.parametrize(("mode", "suffix"), [("L", "png"), ("P", "png"), ("CMYK", "tif"), ("1", "png")])
def test_other_modes_become_rgb(tmp_path, mode, suffix):
    picture = Image.fromarray(RGB).convert(mode)
    read = read_image(save(tmp_path, picture, f"a.{suffix}"))
    np.testing.assert_array_equal(read, np.asarray(picture.convert("RGB")))


def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path):
    samples = np.array([[0, 257 * 100, 65535]], dtype=np.uint16)
    read = read_image(save(tmp_path, Image.fromarray(samples), "a.png"))
    np.testing.assert_array_equal(read[0, :, 0], [0, 100, 255])


def test_transparency_lies_over_black(tmp_path):
    rgba = np.dstack([RGB, np.zeros(RGB.shape[:2], np.uint8)])
    assert read_image(save(tmp_path, Image.fromarray(rgba), "a.png")).max() == 0


def test_exif_rotation_is_applied(tmp_path):
    picture = Image.fromarray(RGB)
    exif = picture.getexif()
    exif[0x0112] = 6
    assert read_image(save(tmp_path, picture, "a.jpg", exif=exif)).shape == (24, 16, 3)


def test_first_frame_of_an_animation_counts(tmp_path):
    frames = [Image.new("RGB", (8, 8), c) for c in ("red", "blue")]
    path = save(tmp_path, frames[0], "a.gif", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(read_image(path)[0, 0], [255, 0, 0])


@pytest.mark.parametrize("content", [b"", b"no picture", None])
def test_what_is_no_picture_is_refused_by_name(tmp_path, content):
    if content is None:
        save(tmp_path, Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)), "bad.png")
        content = (tmp_path / "bad.png").read_bytes()[:900]
    (tmp_path / "bad.png").write_bytes(content)
    with pytest.raises(InputError, match=r"bad\.png"):
        read_image(tmp_path / "bad.png")


def test_missing_picture_is_refused_by_name(tmp_path):
    with pytest.raises(InputError, match=r"none\.png"):
        read_image(tmp_path / "none.png")
