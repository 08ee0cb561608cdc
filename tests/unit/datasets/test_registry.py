"""The datasets known by name agree with the galleries and with the datasets' own label files."""

from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from iqadistill.datasets import dataset_record, gallery_scenes, load_dataset
from iqadistill.datasets.distortions import DISTORTIONS, LEVELS
from iqadistill.errors import InputError

LABELS = Path(__file__).parents[4] / "shared/labels"
LABEL_SCORES = {
    "kadid10k": lambda: pd.read_csv(LABELS / "kadid10k/dmos.csv").dmos,
    "tid2013": lambda: pd.read_csv(LABELS / "tid2013/mos_with_names.txt", sep=r"\s+", header=None)[0],
    "livefb": lambda: pd.read_csv(LABELS / "livefb/labels_image.csv").mos,
}


def test_gallery_counts_are_those_of_the_scenes():
    for name, grey in (("gallery360", False), ("gallery2d", True)):
        record = dataset_record(name)
        assert record.references == len(gallery_scenes(grey=grey))
        assert record.distorted == record.references * len(DISTORTIONS) * len(LEVELS)


@pytest.mark.parametrize("name", LABEL_SCORES)
@pytest.mark.skipif(not LABELS.is_dir(), reason="the datasets' label files are not beside the project")
def test_score_range_and_count_hold_for_the_label_file(name):
    scores, record = LABEL_SCORES[name](), dataset_record(name)
    assert scores.between(*record.score.range).all() and len(scores) == record.distorted


def test_unknown_dataset_is_told():
    with pytest.raises(InputError, match="koniq10k"):
        dataset_record("koniq")


def test_archive_dataset_without_listing_is_told(tmp_path):
    with pytest.raises(InputError, match=r"images\.csv: does not exist; write one"):
        load_dataset("kadid10k", root=tmp_path)
    with pytest.raises(InputError, match="render the dataset"):
        load_dataset("gallery360", root=tmp_path)


def test_score_called_dmos_of_kadid10k_is_higher_better(tmp_path):
    for name in "ab":
        Image.new("RGB", (8, 8)).save(tmp_path / f"{name}.png")
    (tmp_path / "images.csv").write_text("image,dmos\na.png,1\nb.png,5\n")
    assert load_dataset("kadid10k", root=tmp_path)["quality"].to_pylist() == [0, 1]
    assert load_dataset("images", root=tmp_path)["quality"].to_pylist() == [1, 0]
    (tmp_path / "images.csv").write_text("image,mos\na.png,1\nb.png,5\n")
    with pytest.raises(InputError, match="no column 'dmos'"):
        load_dataset("kadid10k", root=tmp_path)
