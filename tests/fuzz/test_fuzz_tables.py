"""Damaged images.csv: read with the right types, or refused in one sentence."""

import tempfile
import warnings
from pathlib import Path

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from iqadistill.datasets.images_csv import read_images_csv
from iqadistill.datasets.registry import ScoreRecord
from iqadistill.datasets.spelling import folded
from iqadistill.errors import InputError

NAMES = [
    "image",
    "score",
    "mos",
    "reference",
    "is_reference",
    "score_std",
    "level",
    "distortion",
    "region",
    "Image",
    "",
]
CELLS = [
    "a.png",
    "A.PNG",
    "d/b.jpg",
    "b",
    "../c",
    "1",
    "1.5",
    "1,5",
    "1_5",
    "1e400",
    "nan",
    "NA",
    "inf",
    "",
    " ",
    "true",
]
CELLS += [
    "a.",
    "02",
    "2",
    "2.0",
    "a%20b.png",
    "a.png.jpg",
    "'a.png'",
    "C:\\x\\a.png",
    "~/a.png",
    "file:///a",
    "#1.png",
    "-1",
]
CELLS += [
    "tile 0 0 .5 1",
    "tile 0 0 1",
    "e\u0301.png",
    "\u00e9.png",
    "\u200bb",
    "0x10",
    "9" * 400,
    '"',
    '"x\ny"',
    "a\0",
]
CELL = st.one_of(st.sampled_from(CELLS), st.text(max_size=6), st.integers().map(str), st.floats().map(str))


@st.composite
def table(draw):
    """Bytes of a table: columns of any name, rows of nearly the right length, then damage."""
    header = draw(st.permutations(NAMES))[: draw(st.integers(1, 6))]
    header = draw(st.sampled_from([header, ["image", "mos", "reference"], ["image", "mos", "level", "region"]]))
    lines = [header]
    for _ in range(draw(st.integers(0, 5))):
        length = max(0, len(header) + draw(st.sampled_from([0, 0, 0, 0, 1, -1])))
        lines.append(draw(st.lists(CELL, min_size=length, max_size=length)))
    separator, end = draw(st.sampled_from([",", ",", ",", ";", "\t", ", "])), draw(st.sampled_from("\n\r")) + ""
    data = end.join(separator.join(line) for line in lines).encode(
        draw(st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "utf-16"])), "surrogatepass"
    )
    place = draw(st.integers(0, len(data)))
    return draw(st.sampled_from([data, data, data[:place], data[:place] + draw(st.binary(max_size=4)) + data[place:]]))


@given(st.one_of(table(), table(), table(), st.binary(max_size=100)))
def test_damaged_images_csv_is_read_or_refused(data):
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of columns that are almost known
        file = Path(folder) / "images.csv"
        file.write_bytes(data)
        try:
            listing, _ = read_images_csv(file, ScoreRecord())
        except InputError as error:
            assert str(error).count("images.csv") >= 1 and "\n" not in str(error)
            return
    assert len({folded(name) for name in listing.image_id}) == len(listing) > 0
    assert listing.reference_id.map(folded).nunique() == listing.reference_id.nunique()
    assert not any(".." in name.split("/") or name[1:3] == ":/" or name.startswith("~/") for name in listing.image)
    assert not (listing.score_std.astype(float) < 0).any()
    assert pd.to_numeric(listing.score).abs().max() != float("inf")
