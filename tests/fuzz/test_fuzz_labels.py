"""Damaged official label files of every format: read, or refused in one sentence; nothing in them is run."""

import datetime
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from openpyxl import Workbook
from scipy.io import savemat

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


def read_or_refused(name, folder):
    """Read labels, and check what is said or read; nothing but text and finite numbers comes out."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of openpyxl and SciPy
            listing = read_official_labels(name, folder)
    except InputError as error:
        assert str(folder) in str(error) and "\n" not in str(error)
        return
    assert len({folded(image) for image in listing.image_id}) == len(listing)
    assert listing.reference_id.map(folded).nunique() == listing.reference_id.nunique()
    assert all(isinstance(image, str) and image for image in listing.image)
    assert np.isfinite(listing.score.dropna()).all() and not (listing.score_std.dropna() < 0).any()


few = settings(
    max_examples=max(10, settings().max_examples // 5),  # of each format
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@given(data=st.data())
@few
@pytest.mark.parametrize("name", sorted(set(format_names()) & set(DATASETS) - {"div2k"}))
def test_damaged_labels_are_read_or_refused(archives, name, data):
    folder, files = archives(name)
    file = data.draw(st.sampled_from(sorted(files)))
    file.write_bytes(damaged(data.draw, files[file]))
    try:
        read_or_refused(name, folder)
    finally:
        file.write_bytes(files[file])


# what a workbook may hold in a cell
names = st.sampled_from(
    ["1600", "1600.png", "a.png", "", " ", "=1+1", "#N/A", "01", "../x.png", "C:\\x.png", "a\u200b"]
)
WORDS = st.one_of(names, st.sampled_from(["blur", "noise", "jpeg 2000", "3.5", "1,5", "-1"]))
NUMBERS = st.one_of(
    st.integers(-(2**60), 2**60), st.floats(allow_nan=False, allow_infinity=False, width=32), st.integers(0, 5)
)
OTHERS = st.sampled_from([None, None, True, datetime.datetime(2020, 1, 2), datetime.time(3, 4), datetime.timedelta(1)])
CELL = st.one_of(WORDS, NUMBERS, OTHERS)
ROWS = {
    "spaq": (["Image name", "MOS"], "Sheet", 0),
    "csiq": (["image", "dst_type", "dst_lev", "dmos_std", "dmos"], "all_by_image", 3),
}
FILES = {"spaq": "MOS and Image attribute scores.xlsx", "csiq": "csiq.DMOS.xlsx"}


@given(data=st.data())
@few
@pytest.mark.parametrize("name", sorted(ROWS))
def test_any_cells_of_a_workbook_are_read_or_refused(tmp_path, name, data):
    columns, sheet, above = ROWS[name]
    book = Workbook()
    book.active.title = sheet
    rows = data.draw(st.lists(st.lists(CELL, min_size=len(columns), max_size=len(columns)), max_size=4))
    for row in [*[[]] * above, columns, *rows]:
        book.active.append(row)
    form = data.draw(st.sampled_from(["General", "0000", "d-mmm", "0%", "@"]))
    for cell in (
        cell for row in book.active.iter_rows(min_row=above + 2) for cell in row if isinstance(cell.value, int | float)
    ):
        cell.number_format = form
    book.save(tmp_path / FILES[name])
    read_or_refused(name, tmp_path)


# what a MATLAB variable may be
CELLS = st.one_of(names, st.floats(width=32), st.just(np.array([])), st.just(np.ones(2)), st.just({"a": 1.0}))
SHAPES = st.one_of(
    hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4), st.sampled_from([(21, 1), (1, 21)])
)
TYPES = st.sampled_from([np.float64, np.float32, np.uint8, np.int16, np.bool_, np.complex128])
PLAIN = st.one_of(
    hnp.arrays(TYPES, SHAPES), hnp.arrays(np.dtype("U4"), SHAPES, elements=st.sampled_from(["", "1.5", "a", "é"]))
)


@st.composite
def cell_array(draw):
    shape = draw(st.sampled_from([(1, 2), (2, 2), (34, 2), (3, 1), (1, 3), (0, 0), (2, 2, 2)]))
    array = np.empty(shape, dtype=object)
    for place in np.ndindex(shape):
        array[place] = draw(CELLS)
    return array


VARIABLES = {
    "cviq": {"CVIQ.mat": ["CVIQ"]},
    "oiqa": {"360IQA_MOS.mat": ["MOS"]},
    "livec": {f"Data/All{part}_release.mat": [f"All{part}_release"] for part in ("Images", "MOS", "StdDev")},
    "live": {"dmos_realigned.mat": ["dmos_new", "dmos_std", "orgs"], "refnames_all.mat": ["refnames_all"]},
}


@given(data=st.data())
@few
@pytest.mark.parametrize("name", sorted(VARIABLES))
def test_any_variable_of_a_matlab_file_is_read_or_refused(tmp_path, name, data):
    for file, variables in VARIABLES[name].items():
        (tmp_path / file).parent.mkdir(exist_ok=True)
        values = {variable: data.draw(st.one_of(PLAIN, cell_array())) for variable in variables}
        savemat(tmp_path / file, values, do_compression=data.draw(st.booleans()))
    for number, folder in enumerate(("jp2k", "wn", "jpeg")):  # of LIVE
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / f"img{number}.bmp").touch()
    read_or_refused(name, tmp_path)


def test_file_of_a_dataset_may_not_run_code(tmp_path):
    """A pickle under the name of a label file is not loaded."""
    with tempfile.TemporaryDirectory() as folder:
        bomb = b"cos\nsystem\n(S'touch " + str(Path(folder) / "run").encode() + b"'\ntR."
        for name, file in (("cviq", "CVIQ.mat"), ("spaq", "MOS and Image attribute scores.xlsx")):
            (tmp_path / file).write_bytes(bomb)
            with pytest.raises(InputError, match="not a"):
                read_official_labels(name, tmp_path)
        assert not list(Path(folder).iterdir())
