"""Commands on images with odd names and odd contents: no name breaks a message, and no image costs another's score."""

import csv
import errno
import json
import os
import struct
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image
from tiny_results import CROPS, write_image, write_mlps, write_network

from iqadistill.cli import choose, main, score
from iqadistill.encoders.backends.timm import TimmSettings
from iqadistill.errors import InputError
from iqadistill.figures.drawing.patch_map import plot_patch_map
from iqadistill.images.decoding import read_image
from iqadistill.scoring import load_result, score_images

ODD = [
    "a$x_{$b.png",
    "cost $5 and $6.png",
    r"back\slash.png",
    "per%cent {0} {name}.png",
    "co,mma; \"quotes\" 'x'.png",
    "two\nlines\t.png",
    "bell\x07\x1b[31m.png",
    "<b>&amp;.png",
    "图片 🙂 é.png",
    "right\u202eleft.png",
    "x" * 251 + ".png",
    "-leading.png",
    "^_^.png",
    " blank .png",
]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Weights of a deep student and of MLPs."""
    folder = tmp_path_factory.mktemp("results")
    return write_network(folder / "student"), write_mlps(folder / "mlps")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_odd(folder, names=ODD):
    for name in names:
        write_image(folder / "plain.png")
        (folder / "plain.png").rename(folder / name)


def run(*arguments):
    return main(["score", *map(str, arguments), "--device", "cpu"])


def test_every_name_is_scored_drawn_and_kept(capsys, folder, results):
    write_odd(folder / "in")
    assert run("in", "--model", results[0], "--parquet", "scores.parquet") == 0
    printed = capsys.readouterr()
    rows = printed.out.partition("patches\n")[2].splitlines()
    assert len(rows) == len(ODD) and len({len(row) for row in rows}) == 1
    assert "\x1b" not in printed.out and r"in/two\nlines\t.png" in printed.out
    assert {Path(path).name for path in pq.read_table("scores.parquet")["path"].to_pylist()} == set(ODD)


def test_map_whose_name_is_too_long_is_missed_and_its_score_is_not(capsys, folder, results):
    names = [
        "a$x_{$b.png",
        "图片 \n.png",
        "y" * 240 + ".png",
        "x" * 251 + ".png",
    ]  # 255 bytes leave no room for the suffix of a map
    write_odd(folder / "in", names)
    assert run("in", "--model", results[0], "--map", "maps") == 1
    printed = capsys.readouterr()
    (failure,) = printed.err.splitlines()[-1:]
    assert failure.startswith("error: maps/xxx") and "the name is longer than" in failure
    assert {file.name for file in (folder / "maps").iterdir()} == {f"{name}.png" for name in names[:3]}
    assert printed.out.count(".png") == 4


def test_names_are_drawn_as_they_are(folder, results):
    image = write_image(folder / "a.png")
    patches = next(score_images(load_result(results[0]), [image])).patches
    for title in ("cost $5 and $6.png", "a$x_{$b", r"\frac{", "$$", "%s {0}"):
        figure = plot_patch_map(read_image(image), patches, title, "$label$")
        figure.draw_without_rendering()
        (text,) = [
            text
            for text in figure.findobj(lambda artist: getattr(artist, "get_text", None))
            if text.get_text() == title
        ]
        assert not text.get_parse_math()


def test_name_that_is_not_utf_8_fails_alone(capsys, folder, results):
    good, bad = write_image(folder / "good.png"), os.fsdecode(b"name\xe9.png")
    write_image(folder / "plain.png").rename(folder / bad)
    assert run("good.png", bad, "--model", results[0], "--parquet", "s.parquet") == 1
    printed = capsys.readouterr()
    assert "good.png" in printed.out and r"name\udce9.png: the name is not valid UTF-8" in printed.err
    assert pq.read_table("s.parquet").num_rows == 1 and good.is_file()
    with pytest.warns(UserWarning, match=r"name\\udce9.png is left out"):
        assert run(".", "--model", results[0]) == 0


def bad_exif(path):
    """An image on its side with a resolution unit in words."""
    Image.effect_noise((128, 96), 80).convert("RGB").save(path)
    jpeg = path.read_bytes()
    entries = struct.pack("<HHIHH", 274, 3, 1, 6, 0) + struct.pack("<HHI", 296, 2, 4) + b"two\0"
    block = b"Exif\0\0II*\0\x08\0\0\0\x02\0" + entries + bytes(4)
    path.write_bytes(jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + jpeg[2:])


def test_no_image_costs_anothers_score(capsys, folder, results):
    write_image(folder / "in/a.png")
    bad_exif(folder / "in/b.jpg")
    (folder / "in/c.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(99))
    write_image(folder / "in/d.png", 30, 94)
    (folder / "in/._a.png").write_bytes(b"\0\5\x16\7" + bytes(200))
    write_image(folder / "in/e.png")
    for model in results:
        assert run("in", "--model", model, "--json") == 1
        given = json.loads(capsys.readouterr().out)
        assert [row["path"] for row in given["scores"]] == ["in/a.png", "in/b.jpg", "in/e.png"]
        assert [failure.partition(":")[0] for failure in given["failures"]] == ["in/c.png", "in/d.png"]


def test_fault_of_a_library_is_that_of_one_image(folder, results, monkeypatch):
    result, paths = load_result(results[1]), [write_image(folder / f"{name}.png") for name in "ab"]
    whole, calls = type(result.scorer).read, []

    def read(scorer, images, patches):
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory\nframes")
        return whole(scorer, images, patches)

    monkeypatch.setattr(type(result.scorer), "read", read)
    first, second = score_images(result, paths, workers=1)
    assert (
        isinstance(first, InputError) and "a.png: cannot be scored ([enforce" in str(first) and "\n" not in str(first)
    )
    assert second.path == paths[1]


def test_scores_appear_as_they_come(capsys, folder, results, monkeypatch):
    """An interruption, or a map that fails, does not take what was printed."""
    paths = [write_image(folder / f"{name}.png").name for name in "abc"]
    seen = []

    def write_map(file, image, result):
        seen.append(capsys.readouterr().out)
        if len(seen) == 2:
            raise OSError(28, "No space left on device")
        if len(seen) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(score, "_write_map", write_map)
    assert run(*paths, "--model", results[0], "--map", "maps", "--parquet", "s.parquet") == 130
    assert [out.count(".png") for out in seen] == [1, 1, 1] and seen[2].startswith("c.png")
    assert not (folder / "s.parquet").exists()


def test_parquet_file_that_cannot_be_written_is_an_error_after_the_scores(capsys, folder, results):
    write_image(folder / "a.png")
    (folder / "taken").write_text("")
    assert run("a.png", "--model", results[0], "--parquet", "taken/s.parquet") == 1
    printed = capsys.readouterr()
    assert "a.png" in printed.out and printed.err.startswith("error: taken/s.parquet: a file is in the way")


def test_small_crops_of_a_tiny_image(folder, results):
    weights = write_network(folder / "relative", sampler={**CROPS, "longer_side": 512, "small_images": "enlarge"})
    assert next(score_images(load_result(weights), [write_image(folder / "dot.png", 1, 1)])).patches[
        "size"
    ].tolist() == [1]


def test_images_of_odd_names_are_chosen(folder, monkeypatch):
    monkeypatch.setattr(
        choose,
        "encoder_settings",
        lambda name: TimmSettings(model="test_resnet", weights="none", pooling="stages", size=64),
    )
    write_odd(folder / "in")
    (folder / "in/._x.png").write_bytes(b"\0\5\x16\7")
    assert main(["choose", "in", "--count", str(len(ODD)), "--embeddings", "kept", "--device", "cpu"]) == 0
    with open("chosen.csv", newline="") as file:
        assert {row["image"] for row in csv.DictReader(file)} == set(ODD)


def test_full_disk_at_the_parquet_file_hides_no_other_failure(capsys, folder, results, monkeypatch):
    write_image(folder / "a.png")
    (folder / "bad.png").write_bytes(b"no image")

    def refuse(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("iqadistill.scoring.table.pq.write_table", refuse)
    assert run("a.png", "bad.png", "--model", results[0], "--parquet", "s.parquet") == 1
    printed = capsys.readouterr()
    assert "a.png" in printed.out
    assert "error: s.parquet: no space is left" in printed.err and "bad.png: cannot be decoded" in printed.err
