import numpy as np
import pandas as pd
import pytest

from iqadistill.errors import InputError
from iqadistill.tables import as_table
from iqadistill.training.competitors.may_have_seen import read_may_have_seen
from iqadistill.training.competitors.predictions_file import read_predictions

NAMES = ["a/one", "a/two", "b/three.v2", "four"]
PLAIN = "image,prediction\na/one.png,1\na/two.png,2\nb/three.v2.png,3\nfour.png,4\n"
TESTED = "image,prediction,split\na/one,1,0\na/two,2,1\n"  # the test image of each split


@pytest.fixture
def images():
    """Four scored images, a reference and an image without a score."""
    names = [*NAMES, "reference", "unscored"]
    frame = pd.DataFrame({"dataset": "own", "image_id": names, "path": [f"data/{name}.png" for name in names]})
    frame["quality"] = [0.1, 0.2, 0.3, 0.4, 1.0, np.nan]
    return as_table(frame.assign(status="ok", is_reference=frame.image_id == "reference"), "images")


@pytest.fixture
def splits():
    """Two splits: the first image for test, then the second; the last for validation."""
    roles = {0: ["test", "train", "train", "val"], 1: ["train", "test", "train", "val"]}
    rows = [(split, name, role) for split in roles for name, role in zip(NAMES, roles[split], strict=True)]
    return as_table(pd.DataFrame(rows, columns=["split", "image_id", "role"]), "splits")


@pytest.fixture
def read(tmp_path, images, splits):
    """Function that reads the text of a CSV."""

    def read(text, higher_better=True):
        file = tmp_path / "tool.csv"
        file.write_text(text)
        return read_predictions(file, images, splits, student="tool", higher_better=higher_better)

    return read


def test_one_model_for_all_splits_may_have_seen_the_images(read):
    table = read(PLAIN)
    assert read_may_have_seen(table) == {("own", "tool")}
    frame = table.to_pandas()
    assert sorted(zip(frame.split, frame.image_id, strict=True)) == sorted((s, n) for s in (0, 1) for n in NAMES)
    assert frame.groupby("image_id").prediction.unique().map(list).to_dict() == {
        name: [float(number)] for number, name in enumerate(NAMES, 1)
    }
    assert set(frame.sampler) == set(frame.encoder) == set(frame.selector) == {""} and set(frame.student) == {"tool"}
    assert frame.set_index("image_id").score["four"].iloc[0] == 0.4


def test_images_without_a_score_are_ignored(read):
    assert read(PLAIN + "reference.png,9\nunscored,8\n").equals(read(PLAIN))


def test_lower_better_predictions_change_their_sign(read):
    assert set(read(PLAIN, higher_better=False)["prediction"].to_pylist()) == {-1.0, -2.0, -3.0, -4.0}


def test_a_model_of_each_split_is_an_ordinary_student(read):
    table = read(TESTED)
    assert read_may_have_seen(table) == frozenset()
    assert table.select(["split", "image_id", "prediction"]).to_pylist() == [
        {"split": 0, "image_id": "a/one", "prediction": 1.0},
        {"split": 1, "image_id": "a/two", "prediction": 2.0},
    ]
    assert set(read("image,prediction,split\na/one,1,0\n")["split"].to_pylist()) == {0}
    with_training = read(TESTED + "a/two,3,0\nb/three.v2,4,0\n")
    assert len(with_training) == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"tool\.csv: not a valid CSV"),
        ("image,score\na,1\n", r"no column 'prediction'; expected image, prediction and, .* split"),
        ("image,prediction,splits\na,1,0\n", r"unknown column 'splits'; expected"),
        ("image,prediction\n", r"tool\.csv: lists no image"),
        ("image,prediction\na/one,1,0\n", r"tool\.csv row 2: has 3 cells for 2 columns, too many, the last '0'"),
        ("image,prediction\na/one\n", r"tool\.csv row 2: has 1 cells for 2 columns, too few"),
        (PLAIN.replace("two.png,2", "two.png,high"), r"line 3: prediction 'high' is not a number"),
        (PLAIN.replace("two.png,2", "two.png,"), r"line 3: prediction '' is not a number"),
        (PLAIN.replace("two.png,2", "two.png,nan"), r"line 3: prediction 'nan' is not a number"),
        (PLAIN + "five.png,5\n", r"line 6: image 'five\.png' is not in the dataset \(1 such lines\); .*'a/one'"),
        (PLAIN + "four,5\n", r"line 6: image 'four' has a prediction already"),
        (TESTED + "a/one,1,0\n", r"line 4: image 'a/one' has a prediction in split 0 already"),
        (TESTED.replace("2,1", "2,7"), r"line 3: the study has no split '7'; its splits are 0 to 1"),
        (TESTED.replace("2,1", "2,first"), r"line 3: split 'first' is not a number"),
        (PLAIN.replace("four.png,4\n", ""), r"no prediction for image 'four' and 0 others; predict every image"),
        (TESTED.replace("a/one,1,0", "four,1,0"), r"image 'a/one' \(for test in split 0\) and 0 others; predict every"),
        (TESTED + "a/two,3,0\n", r"image 'b/three\.v2' \(for train in split 0\).*every training image or none"),
    ],
)
def test_spoilt_files_are_refused_in_one_sentence(read, text, message):
    with pytest.raises(InputError, match=message):
        read(text)
