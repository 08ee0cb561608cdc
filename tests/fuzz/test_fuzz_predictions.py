"""Damaged predictions of another tool: read, or refused in one sentence."""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from iqadistill.errors import InputError
from iqadistill.tables import as_table
from iqadistill.training.competitors.predictions_file import read_predictions

NAMES = ["a/one", "two.v2", "three"]
IMAGES = as_table(
    pd.DataFrame(
        {"dataset": "own", "image_id": NAMES, "path": [f"data/{name}.png" for name in NAMES]}
        | {"quality": [0.1, 0.2, 0.3], "status": "ok", "is_reference": False}
    ),
    "images",
)
SPLITS = as_table(pd.DataFrame({"split": 0, "image_id": NAMES, "role": ["train", "val", "test"]}), "splits")
CELLS = ["a/one", "a/one.png", "A/ONE", "two.v2.png", "three", "./three.png", "a\\one.png", "", "1", "0", "-1.5", "1_0"]
CELL = st.one_of(st.sampled_from([*CELLS, "nan", "inf", "1e400", '"', "\n", "\0"]), st.text(max_size=5))


@st.composite
def predictions(draw):
    """Bytes of a table that is nearly right."""
    columns = draw(st.sampled_from([["image", "prediction"], ["Image", "prediction", "split"], ["image", ""]]))
    rows = [[name, "1.5", "0"][: len(columns)] for name in draw(st.permutations(NAMES))]
    for _ in range(draw(st.integers(0, 3))):
        row = draw(st.sampled_from(rows))
        row[draw(st.integers(0, len(row) - 1))] = draw(CELL)
    data = "\n".join(",".join(row) for row in [columns, *rows]).encode("utf-8", "surrogatepass")
    place = draw(st.integers(0, len(data)))
    return draw(st.sampled_from([data, data, data[:place], data[:place] + draw(st.binary(max_size=3)) + data[place:]]))


@given(st.one_of(predictions(), predictions(), st.binary(max_size=60)))
def test_damaged_predictions_are_read_or_refused(data):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tool.csv"
        file.write_bytes(data)
        try:
            table = read_predictions(file, IMAGES, SPLITS, student="tool", higher_better=True)
        except InputError as error:
            assert "tool.csv" in str(error) and "\n" not in str(error)
            return
    assert set(table["image_id"].to_pylist()) <= set(NAMES)
    assert np.isfinite(table["prediction"].to_numpy()).all()
