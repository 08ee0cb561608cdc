"""Images in a folder: what is found, in which order, and what is said to be left out."""

import os

import pytest
from PIL import Image

from iqadistill.datasets import index_dataset
from iqadistill.datasets.galleries.rendering import render_dataset
from iqadistill.errors import InputError
from iqadistill.images.listing import find_images, readable
from iqadistill.scoring.images import list_images

APPLE_DOUBLE = b"\0\5\x16\7\0\2\0\0Mac OS X        " + bytes(200)


def photograph(file, size=(64, 32)):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, "red").save(file, format="PNG")


def names(folder, **settings):
    return [file.relative_to(folder).as_posix() for file in find_images(folder, **settings).files]


def test_images_are_found_by_suffix_in_any_case_and_in_order(tmp_path):
    for name in ("b.JPG", "a/z.PnG", "a/y.webp", "c.tiff", "notes.txt", "Thumbs.db", "images.csv"):
        photograph(tmp_path / name)
    found = find_images(tmp_path)
    assert [file.name for file in found.files] == ["y.webp", "z.PnG", "b.JPG", "c.tiff"] and found.left_out == []
    assert names(tmp_path, below=False) == ["b.JPG", "c.tiff"]


@pytest.mark.parametrize(
    "name", ["._a.png", ".hidden.png", ".cache/a.png", "__MACOSX/a.png", "@eaDir/a.png/SYNO.png", "$RECYCLE.BIN/a.png"]
)
def test_files_of_operating_systems_are_left_out(tmp_path, name):
    photograph(tmp_path / "a.png")
    photograph(tmp_path / name)
    assert find_images(tmp_path) == ([tmp_path / "a.png"], [])


def test_what_looks_like_an_image_is_said_to_be_left_out(tmp_path):
    for name in ("a.png", "b.gif", "c.HEIC", "photograph", "d.jfif", "e.avif"):
        photograph(tmp_path / name)
    (tmp_path / "README").write_text("no image")
    (left_out,) = find_images(tmp_path).left_out
    assert left_out.startswith(f"{tmp_path}: b.gif, c.HEIC, d.jfif and 2 more are left out: not one of .jpg")
    assert names(tmp_path) == ["a.png"]


def test_links_are_followed_once_and_broken_ones_are_named(tmp_path):
    photograph(tmp_path / "in/a.png")
    (tmp_path / "in/round").symlink_to(tmp_path)
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere")
    (tmp_path / "self.png").symlink_to(tmp_path / "self.png")
    (tmp_path / "folder.png").mkdir()
    photograph(tmp_path / "folder.png/b.jpg")
    assert names(tmp_path) == ["folder.png/b.jpg", "in/a.png"]
    (left_out,) = find_images(tmp_path).left_out
    assert "gone.png and self.png are left out: the link leads nowhere" in left_out


def test_pipes_and_other_special_files_are_not_opened(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    os.mkfifo(tmp_path / "pipe")
    assert find_images(tmp_path) == ([], [])


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_folder_that_cannot_be_read_is_named(tmp_path):
    photograph(tmp_path / "a.png")
    (tmp_path / "closed").mkdir(mode=0)
    (left_out,) = find_images(tmp_path).left_out
    assert "closed is left out: the folder cannot be read" in left_out


def test_name_that_is_not_utf_8_is_left_out_and_named(tmp_path):
    photograph(tmp_path / "a.png")
    photograph(tmp_path / os.fsdecode(b"name\xe9.png"))
    found = find_images(tmp_path)
    assert [file.name for file in found.files] == ["a.png"]
    assert r"name\udce9.png is left out: the name is not valid UTF-8" in found.left_out[0]
    found.left_out[0].encode()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain é 图 🙂 $x_{$ %s {0}.png", "plain é 图 🙂 $x_{$ %s {0}.png"),
        ("two\nlines\t.png", r"two\nlines\t.png"),
        ("\x1b[31mred\x00.png", r"\x1b[31mred\x00.png"),
        ("left\u202eright.png", r"left\u202eright.png"),
    ],
)
def test_names_are_shown_in_one_line(name, shown):
    assert readable(name) == shown


def test_every_search_of_a_folder_leaves_out_the_same(tmp_path):
    source = tmp_path / "source"
    for number in range(2):
        photograph(source / f"p{number}.png")
        (source / f"._p{number}.png").write_bytes(APPLE_DOUBLE)
    photograph(source / "q.webp")
    photograph(source / "r.gif")
    with pytest.warns(UserWarning, match=r"r\.gif is left out"):
        images, _ = index_dataset("x", source, source="pristine_images")
    assert images["image_id"].to_pylist() == ["p0", "p1", "q"]
    with pytest.warns(UserWarning, match=r"r\.gif is left out"):
        assert [file.name for file in list_images([source])] == ["p0.png", "p1.png", "q.webp"]


def test_panoramas_are_listed_without_copies_by_macos(tmp_path):
    (tmp_path / "._a.png").write_bytes(APPLE_DOUBLE)
    photograph(tmp_path / "b.gif")
    with pytest.warns(UserWarning, match=r"b\.gif"), pytest.raises(InputError, match="holds no image"):
        render_dataset("panoramas", tmp_path / "out", seed=0, root=tmp_path)
