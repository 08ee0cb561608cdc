"""What a retrieval leaves in the folder of a dataset: without wrapping folders, and archives in an archive named."""

import zipfile

import pytest
from odd_archives import deflate64_zip, only_programs, raw_zip

from iqadistill.datasets.registry import DatasetRecord
from iqadistill.datasets.retrieval import retrieval
from iqadistill.errors import InputError


@pytest.fixture
def retrieve(tmp_path, monkeypatch):
    """A function that retrieves the dataset of an archive, with a record, from a folder."""
    monkeypatch.setattr(retrieval, "check_file", lambda *_: None)
    monkeypatch.setattr(retrieval, "read_locks", lambda _: {})

    def retrieve(**record):
        entry = {
            "title": "Lab",
            "kind": "flat",
            "origin": "archive",
            "access": "manual",
            "holds": ("images.csv",),
        } | record
        monkeypatch.setattr(retrieval, "dataset_record", lambda _: DatasetRecord(**entry))
        retrieval.retrieve_dataset("lab", tmp_path)
        return {file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*") if file.is_file()}

    return retrieve


@pytest.mark.parametrize("around", ["", "lab/", "lab/labset 2/", "images.csv.d/"])
def test_folders_around_images_csv_are_left_out(tmp_path, retrieve, around):
    names = {f"{around}images.csv": b"image,mos\n", f"{around}d/a.png": b"1", "__MACOSX/._lab": b"2"}
    raw_zip(tmp_path / "lab.zip", {name.encode(): content for name, content in names.items()})
    assert retrieve() == {"lab.zip", "images.csv", "d/a.png"}


def test_folder_around_several_archives_is_left_out_if_all_have_it(tmp_path, retrieve):
    raw_zip(tmp_path / "a.zip", {b"lab/images.csv": b"image,mos\n"})
    raw_zip(tmp_path / "b.zip", {b"lab/d/a.png": b"1"})
    assert retrieve() == {"a.zip", "b.zip", "images.csv", "d/a.png"}


def test_folders_of_official_labels_stay(tmp_path, retrieve):
    raw_zip(tmp_path / "lab.zip", {b"lab/dmos.csv": b"x", b"lab/images/a.png": b"1"})
    assert retrieve(labels="kadid10k", holds=("dmos.csv", "images")) == {"lab.zip", "lab/dmos.csv", "lab/images/a.png"}


def test_archives_in_an_archive_are_warned_of(tmp_path, monkeypatch):
    record = DatasetRecord(title="Lab", kind="flat", origin="archive", access="manual", holds=("images.csv",))
    monkeypatch.setattr(retrieval, "dataset_record", lambda _: record)
    monkeypatch.setattr(retrieval, "check_file", lambda *_: None)
    monkeypatch.setattr(retrieval, "read_locks", lambda _: {})
    raw_zip(tmp_path / "lab.zip", {b"images.csv": b"image,mos\n", b"sub/part.zip": b"PK"})
    with pytest.warns(UserWarning, match=r"lab\.zip: holds archives itself \(sub/part\.zip\)"):
        retrieval.retrieve_dataset("lab", tmp_path)


def test_archive_is_not_overwritten_by_one_of_its_name_in_it(tmp_path, retrieve):
    inner = raw_zip(tmp_path / "lab.zip", {b"images.csv": b"image,mos\n"}).read_bytes()
    outer = raw_zip(tmp_path / "lab.zip", {b"lab.zip": inner}).read_bytes()
    with pytest.raises(InputError, match=r"lab\.zip: holds a file of its own name; put that one in its place"):
        retrieve()
    assert (tmp_path / "lab.zip").read_bytes() == outer and not (tmp_path / retrieval.UNPACKING).exists()
    (tmp_path / "lab.zip").write_bytes(inner)
    assert retrieve() == {"lab.zip", "images.csv"}


@pytest.mark.filterwarnings("ignore:.*holds archives itself")
def test_archive_of_an_archive_only_is_told_and_read_once_that_is_unpacked(tmp_path, retrieve):
    raw_zip(tmp_path / "inner.zip", {b"images.csv": b"image,mos\n"})
    raw_zip(tmp_path / "lab.zip", {b"parts/inner.zip": (tmp_path / "inner.zip").read_bytes()})
    (tmp_path / "inner.zip").unlink()
    with pytest.raises(
        InputError, match=r"images\.csv is missing, perhaps in parts/inner\.zip, an archive in the archive"
    ):
        retrieve()
    with zipfile.ZipFile(tmp_path / "parts/inner.zip") as packed:
        packed.extractall(tmp_path)
    assert "images.csv" in retrieve()


def test_refused_archive_leaves_nothing_that_keeps_files_unpacked_by_hand_from_counting(tmp_path, monkeypatch):
    only_programs(monkeypatch)
    record = DatasetRecord(title="Lab", kind="flat", origin="archive", access="manual", holds=("images.csv",))
    monkeypatch.setattr(retrieval, "dataset_record", lambda _: record)
    monkeypatch.setattr(retrieval, "check_file", lambda *_: None)
    deflate64_zip(tmp_path / "lab.zip")
    with pytest.raises(InputError, match="Deflate64"):
        retrieval.retrieve_dataset("lab", tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["lab.zip"]
    (tmp_path / "images.csv").write_text("image,mos\n")
    assert retrieval.is_unpacked(record, tmp_path)
    (tmp_path / retrieval.MOVING).touch()  # killed while files were moved
    assert not retrieval.is_unpacked(record, tmp_path)
