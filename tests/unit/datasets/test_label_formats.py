"""Label formats are found by file name in labels/formats/; no list names them."""

import sys
from pathlib import Path

import pytest
from PIL import Image

from iqadistill.datasets import index_dataset
from iqadistill.datasets.labels import formats
from iqadistill.datasets.labels.official import read_official_labels
from iqadistill.datasets.labels.registry import format_module, format_names
from iqadistill.datasets.registry import dataset_records
from iqadistill.errors import InputError

FORMAT = '''
"""A format of one text file; images wider than high are for testing."""

from iqadistill.datasets.labels.label import Label
from iqadistill.datasets.labels.label_files import as_number, read_lines


def read_labels(folder):
    rows = read_lines(folder.need("scores.txt"), "image mos")
    return [Label(where, image, as_number(where, "mos", score)) for where, (image, score) in rows]


def official_roles(images):
    return (images["width"] > images["height"]).map({True: "test", False: "train"})
'''
ENTRY = """
newset:
  title: A new dataset
  kind: flat
  origin: folder
  labels: newformat
  reference: itself
  splits: [random, official]
  score: {column: mos, higher_better: true, range: [0, 10]}
"""


@pytest.fixture
def additional_format(tmp_path, monkeypatch):
    """Add a format file to the folder of formats and its dataset to datasets.yaml."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "more").mkdir()
    (tmp_path / "more/newformat.py").write_text(FORMAT)
    monkeypatch.setattr(formats, "__path__", [*formats.__path__, str(tmp_path / "more")])
    Path("datasets.yaml").write_text(ENTRY)
    yield
    sys.modules.pop(f"{formats.__name__}.newformat", None)


def test_registry_uses_exactly_the_existing_formats():
    used = {record.labels for record in dataset_records().values()} - {None}
    assert used == set(format_names())


def test_new_format_needs_one_file_only(additional_format, tmp_path):
    assert "newformat" in format_names()
    for name, size in (("a", (40, 30)), ("b", (30, 40))):
        Image.new("RGB", size).save(tmp_path / f"{name}.png")
    (tmp_path / "scores.txt").write_text("a.png 5\nb.png 10\n")
    images = index_dataset("new", tmp_path, source="newset")[0].to_pandas()
    assert images.quality.tolist() == [0.5, 1] and images.official_role.tolist() == ["test", "train"]


def test_format_lookup_imports_no_format(additional_format):
    loaded = {name for name in sys.modules if name.startswith(f"{formats.__name__}.")}
    module = format_module("newformat")
    assert module == f"{formats.__name__}.newformat"
    assert {name for name in sys.modules if name.startswith(f"{formats.__name__}.")} == loaded


def test_new_format_needs_a_score_column(additional_format, tmp_path):
    Path("datasets.yaml").write_text(ENTRY.replace("column: mos, ", ""))
    with pytest.raises(InputError, match=r"newset: score\.column"):
        index_dataset("new", tmp_path, source="newset")


def test_unknown_format_suggests_the_nearest(tmp_path):
    with pytest.raises(InputError, match=r"'kadid'.*'kadid10k'"):
        read_official_labels("kadid", tmp_path)


def test_pristine_images_are_unscored_references(tmp_path):
    for name in ("b.png", "x/a.png", ".hidden/c.png", "._b.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    (tmp_path / "notes.txt").touch()
    images, metadata = index_dataset("pristine", tmp_path, source="pristine_images")
    images = images.to_pandas()
    assert images.image_id.tolist() == ["b", "x/a"] and images.is_reference.all() and images.score.isna().all()
    assert metadata["scores"] == "none"
