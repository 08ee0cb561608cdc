"""A user's own images with images.csv: what is read, and which mistakes are refused."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from iqadistill.datasets import index_dataset, load_dataset
from iqadistill.errors import InputError
from iqadistill.provenance import file_digest
from iqadistill.tables import read_metadata, read_table, write_table


def write(folder, listing, names=("a.png", "b.png", "c.png"), size=(40, 30)):
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (number * 40, 0, 0)).save(folder / name)
    (folder / "images.csv").write_text(listing)
    return folder


GOOD = "image,mos\na.png,1\nb.png,3\nc.png,5\n"


def index(folder, **settings):
    images, facts = index_dataset("own", folder, source="images", **settings)
    return images.to_pandas(), facts


def refused(folder, *parts, **settings):
    """Assert that the folder is refused with a one-line error message that contains all parts."""
    with pytest.raises(InputError) as caught:
        index(folder, **settings)
    for part in parts:
        assert part in str(caught.value), str(caught.value)
    assert "\n" not in str(caught.value)


def test_quality_rises_with_mos_and_falls_with_dmos(tmp_path):
    images, facts = index(write(tmp_path, GOOD))
    assert images.quality.tolist() == [0, 0.5, 1]
    assert facts["score_column"] == "mos" and "simulated" not in facts["scores"]
    images, _ = index(write(tmp_path, GOOD.replace("mos", "dmos")))
    assert images.quality.tolist() == [1, 0.5, 0]


def test_declared_range_is_the_scale(tmp_path):
    images, _ = index(write(tmp_path, GOOD), score_range=(0, 10))
    assert images.quality.tolist() == [0.1, 0.3, 0.5]


def test_image_is_its_own_reference_by_default(tmp_path):
    images, _ = index(write(tmp_path, GOOD))
    assert images.reference_id.tolist() == images.image_id.tolist() == ["a", "b", "c"]
    listing = (
        "image,mos,reference,is_reference,distortion,level\n"
        "a.png,1,c.png,no,blur,2\nb.png,3,c.png,no,blur,1\nc.png,,c.png,yes,,\n"
    )
    images, _ = index(write(tmp_path, listing))
    assert images.reference_id.tolist() == ["c", "c", "c"] and images.level.tolist()[:2] == [2, 1]
    assert images.is_reference.tolist() == [False, False, True]


def test_image_id_includes_subfolders(tmp_path):
    images, _ = index(write(tmp_path, "image,mos\nx/a.png,1\ny/a.png,2\n", ("x/a.png", "y/a.png")))
    assert images.image_id.tolist() == ["x/a", "y/a"]
    assert images.path.tolist() == [f"{tmp_path.as_posix()}/x/a.png", f"{tmp_path.as_posix()}/y/a.png"]


def test_quarantined_image_keeps_its_row_and_reason(tmp_path):
    write(tmp_path, GOOD)
    (tmp_path / "b.png").write_bytes(b"not an image")
    images, _ = index(tmp_path, on_error="quarantine")
    assert images.status.tolist() == ["ok", "quarantined", "ok"]
    assert "b.png" in images.reason[1]
    refused(tmp_path, "b.png")


@pytest.mark.parametrize(
    ("listing", "parts"),
    [
        ("image,mos\na.png,1\na.png,2\n", ["row 3", "row 2"]),
        ("image,mos\na.png,1\nb.png,\n", ["row 3", "mos"]),
        ("image,mos\na.png,1\nb.png,nan\n", ["row 3", "mos"]),
        ("image,mos\na.png,1\nb.png,good\n", ["row 3", "mos", "'good'"]),
        ("image,mos\na.png,1\nnone.png,2\n", ["row 3", "none.png"]),
        ("file,mos\na.png,1\n", ["'image'", "'file'"]),
        ("image,quality\na.png,1\n", ["'quality'", "mos"]),
        ("image,mos,dmos\na.png,1,2\n", ["'mos'", "'dmos'"]),
        ("image,mos\na.png,2\nb.png,2\n", ["mos", "2"]),
        ("image,mos\na.png,2\nb.png,-1e308\nc.png,1e308\n", ["row 3", "-1e+308", "b.png"]),
        ("image,mos\n", ["images.csv"]),
        ("", []),
    ],
)
def test_invalid_images_csv_is_refused(tmp_path, listing, parts):
    refused(write(tmp_path, listing), "images.csv", *parts)


def test_score_outside_the_declared_range_is_refused(tmp_path):
    refused(write(tmp_path, GOOD), "row 4", "5", score_range=(0, 4))


def test_panorama_of_other_aspect_ratio_is_refused(tmp_path):
    refused(write(tmp_path, GOOD), "a.png", "40x30", kind="sphere")
    images, _ = index(write(tmp_path, GOOD, size=(64, 32)), kind="sphere")
    assert len(images) == 3


def test_missing_folder_is_refused(tmp_path):
    refused(tmp_path / "none", "images.csv")


def test_load_dataset_returns_index_with_metadata(tmp_path):
    table = load_dataset("images", root=write(tmp_path, GOOD))
    assert table.num_rows == 3 and b"scores" in table.schema.metadata


def test_load_dataset_finds_the_home_folder(tmp_path, monkeypatch):
    write(tmp_path, GOOD)
    monkeypatch.setenv("HOME", str(tmp_path.parent))
    assert len(load_dataset("images", f"~/{tmp_path.name}")) == 3


def test_index_does_not_depend_on_the_number_of_workers(tmp_path):
    write(tmp_path, GOOD)
    one, four = (index(tmp_path, workers=workers)[0] for workers in (1, 4))
    assert one.equals(four)
    assert np.array_equal(one.width, [40, 40, 40])


def content(folder, **settings):
    """Digest of the content of an indexed folder."""
    return index(folder, **settings)[1]["content"]


def test_content_digest_covers_ids_and_files(tmp_path):
    write(tmp_path, GOOD)
    lines = [f"{name}\0{file_digest(tmp_path / f'{name}.png')}\n" for name in "abc"]
    assert content(tmp_path) == hashlib.sha256("".join(lines).encode()).hexdigest()
    assert content(tmp_path) == content(tmp_path, workers=4) == content(write(tmp_path / "copy", GOOD))


@pytest.mark.parametrize("change", ["replaced", "renamed", "removed"])
def test_content_digest_changes_with_the_images(tmp_path, change):
    before = content(write(tmp_path, GOOD))
    if change == "replaced":
        Image.new("RGB", (40, 30), (9, 9, 9)).save(tmp_path / "b.png")
    elif change == "renamed":
        (tmp_path / "b.png").rename(tmp_path / "d.png")
        (tmp_path / "images.csv").write_text(GOOD.replace("b.png", "d.png"))
    else:
        (tmp_path / "images.csv").write_text(GOOD.replace("b.png,3\n", ""))
    after = content(tmp_path)
    assert after != before
    write_table(
        *index_dataset("own", tmp_path, source="images")[:1], tmp_path / "t.parquet", "images", {"content": after}
    )
    assert read_metadata(read_table(tmp_path / "t.parquet", "images"))["content"] == after


def test_content_digest_excludes_quarantined_images(tmp_path):
    write(tmp_path, GOOD)
    (tmp_path / "b.png").write_bytes(b"not an image")
    bad = content(tmp_path, on_error="quarantine")
    (tmp_path / "images.csv").write_text("image,mos\na.png,1\nc.png,5\n")
    assert bad == content(tmp_path)
