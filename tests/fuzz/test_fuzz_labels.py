"""Damaged official label files of every format: read, or refused in one sentence; nothing in them is run."""

import sys
import tempfile
import warnings
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iqadistill.datasets.labels.official import read_official_labels
from iqadistill.datasets.labels.registry import format_names
from iqadistill.datasets.spelling import folded
from iqadistill.errors import InputError
from iqadistill.images.listing import IMAGE_SUFFIXES

sys.path.append(str(Path(__file__).parents[1] / "unit/datasets"))
from official_archives import DATASETS, write_archive

TEXTS = [
    b"",
    b",",
    b"\n",
    b"\r",
    b"\0",
    b"..",
    b"/",
    b"1e400",
    b"nan",
    b"1_5",
    b'"',
    b"\xff",
    b"\xef\xbb\xbf",
    b";",
    b" ",
]


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    """A function that makes the miniature of a format once, and returns its folder, label files and their content."""
    made = {}

    def make(name):
        if name not in made:
            folder = write_archive(tmp_path_factory.mktemp(name), name)
            files = [file for file in sorted(folder.rglob("*")) if file.is_file() and not file.name.startswith(".")]
            labels = [file for file in files if file.suffix.lower() not in IMAGE_SUFFIXES]
            made[name] = folder, {file: file.read_bytes() for file in labels}
        return made[name]

    return make


def damaged(draw, data):
    """Bytes of a file with some replaced, cut, doubled or put between."""
    data = bytearray(data)
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.one_of(st.integers(0, min(300, len(data))), st.integers(0, len(data))))
        kind = draw(st.sampled_from(["byte", "text", "cut", "double", "number", "drop"]))
        if kind == "byte":
            data[place : place + 1] = draw(st.binary(min_size=1, max_size=1))
        elif kind == "text":
            data[place:place] = draw(st.sampled_from(TEXTS))
        elif kind == "cut":
            del data[place:]
        elif kind == "double":
            data[place:place] = data[place : place + draw(st.integers(1, 60))]
        elif kind == "number":
            number = draw(st.sampled_from([0, 1, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF]))
            data[place : place + 4] = number.to_bytes(4, "little")
        else:
            del data[place : place + draw(st.integers(1, 12))]
    return bytes(data)


@given(data=st.data())
@settings(max_examples=max(10, settings().max_examples // 5))  # of each format
@pytest.mark.parametrize("name", sorted(set(format_names()) & set(DATASETS) - {"div2k"}))
def test_damaged_labels_are_read_or_refused(archives, name, data):
    folder, files = archives(name)
    file = data.draw(st.sampled_from(sorted(files)))
    file.write_bytes(damaged(data.draw, files[file]))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of openpyxl and SciPy
            listing = read_official_labels(name, folder)
    except InputError as error:
        assert str(folder) in str(error) and "\n" not in str(error)
    else:
        assert len({folded(image) for image in listing.image_id}) == len(listing)
        assert listing.reference_id.map(folded).nunique() == listing.reference_id.nunique()
    finally:
        file.write_bytes(files[file])


def test_file_of_a_dataset_may_not_run_code(tmp_path):
    """A pickle under the name of a label file is not loaded."""
    with tempfile.TemporaryDirectory() as folder:
        bomb = b"cos\nsystem\n(S'touch " + str(Path(folder) / "run").encode() + b"'\ntR."
        for name, file in (("cviq", "CVIQ.mat"), ("spaq", "MOS and Image attribute scores.xlsx")):
            (tmp_path / file).write_bytes(bomb)
            with pytest.raises(InputError, match="not a"):
                read_official_labels(name, tmp_path)
        assert not list(Path(folder).iterdir())
