"""Own pictures with images.csv: what is read, and the sentence for whatever is wrong."""

import numpy as np
import pytest
from PIL import Image

from iqadistill.datasets import index_dataset, load_dataset
from iqadistill.errors import InputError


def write(folder, listing, pictures=("a.png", "b.png", "c.png"), size=(40, 30)):
    for number, name in enumerate(pictures):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (number * 40, 0, 0)).save(folder / name)
    (folder / "images.csv").write_text(listing)
    return folder


GOOD = "image,mos\na.png,1\nb.png,3\nc.png,5\n"


def index(folder, **settings):
    images, facts = index_dataset("own", folder, source="images", **settings)
    return images.to_pandas(), facts


def refused(folder, *parts, **settings):
    with pytest.raises(InputError) as caught:
        index(folder, **settings)
    for part in parts:
        assert part in str(caught.value), str(caught.value)
    assert "\n" not in str(caught.value)


def test_mos_rises_with_quality_and_dmos_falls(tmp_path):
    images, facts = index(write(tmp_path, GOOD))
    assert images.quality.tolist() == [0, 0.5, 1]
    assert facts["score_column"] == "mos" and "simulated" not in facts["scores"]
    images, _ = index(write(tmp_path, GOOD.replace("mos", "dmos")))
    assert images.quality.tolist() == [1, 0.5, 0]


def test_declared_range_sets_the_scale(tmp_path):
    images, _ = index(write(tmp_path, GOOD), score_range=(0, 10))
    assert images.quality.tolist() == [0.1, 0.3, 0.5]


def test_every_picture_is_its_own_reference_unless_one_is_named(tmp_path):
    images, _ = index(write(tmp_path, GOOD))
    assert images.reference_id.tolist() == images.image_id.tolist() == ["a", "b", "c"]
    listing = (
        "image,mos,reference,is_reference,distortion,level\n"
        "a.png,1,c.png,no,blur,2\nb.png,3,c.png,no,blur,1\nc.png,,c.png,yes,,\n"
    )
    images, _ = index(write(tmp_path, listing))
    assert images.reference_id.tolist() == ["c", "c", "c"] and images.level.tolist()[:2] == [2, 1]
    assert images.is_reference.tolist() == [False, False, True]


def test_subfolders_belong_to_the_id(tmp_path):
    images, _ = index(write(tmp_path, "image,mos\nx/a.png,1\ny/a.png,2\n", ("x/a.png", "y/a.png")))
    assert images.image_id.tolist() == ["x/a", "y/a"]
    assert images.path.tolist() == [f"{tmp_path.as_posix()}/x/a.png", f"{tmp_path.as_posix()}/y/a.png"]


def test_quarantine_keeps_the_row_with_its_reason(tmp_path):
    write(tmp_path, GOOD)
    (tmp_path / "b.png").write_bytes(b"no picture")
    images, _ = index(tmp_path, on_error="quarantine")
    assert images.status.tolist() == ["ok", "quarantined", "ok"]
    assert "b.png" in images.reason[1]
    refused(tmp_path, "b.png", "cannot be decoded")


@pytest.mark.parametrize(
    ("listing", "parts"),
    [
        ("image,mos\na.png,1\na.png,2\n", ["row 3", "same id", "row 2"]),
        ("image,mos\na.png,1\nb.png,\n", ["row 3", "mos"]),
        ("image,mos\na.png,1\nb.png,nan\n", ["row 3", "mos"]),
        ("image,mos\na.png,1\nb.png,good\n", ["row 3", "'good'", "no number"]),
        ("image,mos\na.png,1\nnone.png,2\n", ["row 3", "none.png", "does not exist"]),
        ("picture,mos\na.png,1\n", ["no column 'image'"]),
        ("image,quality\na.png,1\n", ["no score", "mos"]),
        ("image,mos,dmos\na.png,1,2\n", ["exactly one"]),
        ("image,mos\na.png,2\nb.png,2\n", ["every mos is 2"]),
        ("image,mos\n", ["lists no image"]),
        ("", ["no readable CSV"]),
    ],
)
def test_wrong_listing_is_told_with_file_and_row(tmp_path, listing, parts):
    refused(write(tmp_path, listing), "images.csv", *parts)


def test_score_out_of_the_declared_range_is_told(tmp_path):
    refused(write(tmp_path, GOOD), "row 4", "5", score_range=(0, 4))


def test_picture_smaller_than_the_patch_is_told(tmp_path):
    refused(write(tmp_path, GOOD), "a.png", "40x30", "64", min_size=64)


def test_panorama_that_is_not_two_to_one_is_told(tmp_path):
    refused(write(tmp_path, GOOD), "a.png", "twice as wide", kind="sphere")
    images, _ = index(write(tmp_path, GOOD, size=(64, 32)), kind="sphere")
    assert len(images) == 3


def test_missing_folder_is_told(tmp_path):
    refused(tmp_path / "none", "images.csv", "does not exist")


def test_loaded_dataset_is_the_index_with_its_facts(tmp_path):
    table = load_dataset("images", root=write(tmp_path, GOOD))
    assert table.num_rows == 3 and b"scores" in table.schema.metadata


def test_index_does_not_depend_on_the_number_of_workers(tmp_path):
    write(tmp_path, GOOD)
    one, four = (index(tmp_path, workers=workers)[0] for workers in (1, 4))
    assert one.equals(four)
    assert np.array_equal(one.width, [40, 40, 40])
