"""The registry agrees with the galleries and with the real label files; entries of users are checked."""

from pathlib import Path

import pandas as pd
import pytest
import yaml
from PIL import Image

from iqadistill.datasets import dataset_record, gallery_scenes, list_datasets, load_dataset
from iqadistill.datasets.galleries.distortions import DISTORTIONS, LEVELS
from iqadistill.datasets.registry import dataset_records
from iqadistill.errors import InputError

LABELS = Path(__file__).parents[4] / "shared/labels"
LABEL_SCORES = {
    "kadid10k": lambda: pd.read_csv(LABELS / "kadid10k/dmos.csv").dmos,
    "tid2013": lambda: pd.read_csv(LABELS / "tid2013/mos_with_names.txt", sep=r"\s+", header=None)[0],
    "livefb": lambda: pd.read_csv(LABELS / "livefb/labels_image.csv").mos,
}


def test_gallery_counts_match_the_scenes():
    for name, grey in (("gallery360", False), ("gallery2d", True)):
        record = dataset_record(name)
        assert record.references == len(gallery_scenes(grey=grey))
        assert record.distorted == record.references * len(DISTORTIONS) * len(LEVELS)


@pytest.mark.parametrize("name", LABEL_SCORES)
@pytest.mark.skipif(not LABELS.is_dir(), reason="the datasets' label files are not next to the project")
def test_score_range_and_count_match_the_label_file(name):
    scores, record = LABEL_SCORES[name](), dataset_record(name)
    assert scores.between(*record.score.range).all() and len(scores) == record.distorted


def test_unknown_dataset_is_refused():
    with pytest.raises(InputError, match="koniq10k"):
        dataset_record("koniq")


def test_former_dataset_name_suggests_the_new_one(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="'pristine_images'"):
        dataset_record("pictures")
    write_entries(tmp_path, monkeypatch, pictures=LAB)  # users may use the former name
    assert dataset_record("pictures").title == "Ours"


def test_dataset_without_label_file_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"dmos\.csv"):
        load_dataset("kadid10k", root=tmp_path)
    with pytest.raises(InputError, match=r"images\.csv"):
        load_dataset("gallery360", root=tmp_path)


def test_dmos_of_kadid10k_is_higher_better(tmp_path):
    for name in "ab":
        Image.new("RGB", (8, 8)).save(tmp_path / f"{name}.png")
    (tmp_path / "images.csv").write_text("image,dmos\na.png,1\nb.png,5\n")
    assert load_dataset("kadid10k", root=tmp_path)["quality"].to_pylist() == [0, 1]
    assert load_dataset("images", root=tmp_path)["quality"].to_pylist() == [1, 0]
    (tmp_path / "images.csv").write_text("image,mos\na.png,1\nb.png,5\n")
    with pytest.raises(InputError, match="'dmos'"):
        load_dataset("kadid10k", root=tmp_path)


def test_every_archive_record_is_complete():
    for name, record in dataset_records().items():
        if record.origin == "archive":
            assert record.access and record.page and record.holds and record.citation and record.labels == name
            assert record.score or name == "div2k"
            assert (record.reference == "named") == (record.references is not None and record.distorted is not None)


def write_entries(tmp_path, monkeypatch, **entries):
    monkeypatch.chdir(tmp_path)
    Path("datasets.yaml").write_text(yaml.safe_dump(entries))


LAB = {"title": "Ours", "kind": "flat", "origin": "folder", "score": {}}
ARCHIVE = {"name": "lab.zip", "urls": ["https://example.org/lab.zip"]}


def test_user_dataset_needs_no_code(tmp_path, monkeypatch):
    write_entries(tmp_path, monkeypatch, lab=LAB, packed=LAB | {"origin": "archive", "archives": [ARCHIVE]})
    assert {"lab", "packed", "kadid10k"} <= set(list_datasets())
    packed = dataset_record("packed")
    assert (packed.access, packed.holds) == ("open", ("images.csv",))
    for name in "ab":
        Image.new("RGB", (8, 8)).save(tmp_path / f"{name}.png")
    Path("images.csv").write_text("image,mos\na.png,1\nb.png,5\n")
    assert load_dataset("lab", root=tmp_path)["quality"].to_pylist() == [0, 1]


def test_edited_user_entry_is_read_again(tmp_path, monkeypatch):
    write_entries(tmp_path, monkeypatch, lab=LAB)
    assert dataset_record("lab").score.range is None
    write_entries(tmp_path, monkeypatch, lab=LAB | {"score": {"range": [0, 9]}})
    assert dataset_record("lab").score.range == (0, 9)


@pytest.mark.parametrize(
    ("entries", "parts"),
    [
        ({"kadid10k": LAB}, ["kadid10k"]),
        ({"lab": LAB | {"tilte": "x"}}, ["lab.tilte: ", "'title'"]),
        ({"lab": LAB | {"score": {"rang": [0, 1]}}}, ["lab.score.rang: ", "'range'"]),
        ({"lab": {"kind": "flat"}}, ["lab.title: "]),
        ({"lab": LAB | {"kind": "round"}}, ["lab.kind", "flat, sphere", "'round'"]),
        ({"lab": LAB | {"archives": [ARCHIVE]}}, ["lab", "archives", "origin"]),
        ({"lab": LAB | {"origin": "archive"}}, ["lab", "archives", "urls"]),
        ({"lab": LAB | {"origin": "archive", "archives": [ARCHIVE], "labels": "cviq"}}, ["lab", "holds"]),
        (
            {"lab": LAB | {"origin": "archive", "archives": [ARCHIVE | {"urls": ["ftp://x/y"]}]}},
            ["lab.archives.0.urls.0"],
        ),
        (
            {"lab": LAB | {"origin": "archive", "archives": [ARCHIVE | {"urls": ["file://lab.zip"]}]}},
            ["lab.archives.0.urls.0", "file:///FOLDER/FILE"],
        ),
        ({"lab": LAB | {"origin": "archive", "archives": [ARCHIVE | {"name": "../x.zip"}]}}, ["lab.archives.0.name"]),
        ({"lab": LAB | {"origin": "archive", "archives": [ARCHIVE | {"sha256": "abc"}]}}, ["lab.archives.0.sha256"]),
        ({"1 lab": LAB}, ["1 lab"]),
        ({"lab": None}, []),
        ({"lab": LAB | {"labels": "kadid"}}, ["lab.labels", "'kadid10k'"]),
        ({"lab": LAB | {"labels": "pictures"}}, ["lab.labels", "'pristine_images'"]),
    ],
)
def test_invalid_user_entry_is_refused(tmp_path, monkeypatch, entries, parts):
    write_entries(tmp_path, monkeypatch, **entries)
    with pytest.raises(InputError) as caught:
        list_datasets()
    assert all(part in str(caught.value) for part in ("datasets.yaml", *parts)), str(caught.value)
    assert "\n" not in str(caught.value)


def test_address_in_a_home_folder_is_expanded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/ada")
    entry = LAB | {"origin": "archive", "archives": [ARCHIVE | {"urls": ["file://~/lab.zip"]}]}
    (tmp_path / "datasets.yaml").write_text(yaml.safe_dump({"lab": entry}))
    assert dataset_record("lab").archives[0].urls == ("file:///home/ada/lab.zip",)


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_registry_of_another_kind_is_refused(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "datasets.yaml"
    file.mkdir() if kind == "folder" else file.symlink_to("none")
    with pytest.raises(InputError, match=r"datasets\.yaml: is a folder, or a link that leads nowhere"):
        dataset_record("kadid10k")
