"""Retrieval of official files: resumed downloads, checksums, unpacking, and instructions for gated datasets."""

import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml

from iqadistill.datasets import retrieve_dataset
from iqadistill.datasets.fingerprint import folder_fingerprint
from iqadistill.datasets.registry import dataset_record
from iqadistill.datasets.retrieval import downloading, retrieval
from iqadistill.datasets.retrieval.checksums import read_locks
from iqadistill.datasets.retrieval.downloading import download
from iqadistill.datasets.retrieval.retrieval import dataset_status, is_unpacked
from iqadistill.errors import InputError
from iqadistill.provenance import file_digest

SIZE = 4 << 20
HALF = SIZE // 2


@pytest.fixture(autouse=True)
def working_folder(tmp_path, monkeypatch):
    """Run each test in an empty folder, without long waits between attempts."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(downloading, "PAUSE", 0.001)


@pytest.fixture
def payload(mirror):
    """A file of 4 MiB on the mirror."""
    file = mirror.folder / "payload.bin"
    file.write_bytes(np.random.default_rng(0).bytes(SIZE))
    return file


@pytest.fixture
def partial_download(mirror, payload):
    """Half of the payload, downloaded before the mirror failed; it is running again."""
    mirror.stop_after = HALF
    with pytest.raises(InputError, match=rf"target\.bin: .*payload\.bin.* {HALF} "):
        download([mirror.url("payload.bin")], Path("target.bin"))
    mirror.stop_after = None
    mirror.start()


def add_user_dataset(mirror, **archive):
    """Add the user dataset `lab`, whose archive lab.zip is on the mirror; returns the archive."""
    with zipfile.ZipFile(mirror.folder / "lab.zip", "w") as packed:
        packed.writestr("lab/images.csv", "image,mos\na.png,1\n")
        packed.writestr("lab/a.png", np.random.default_rng(1).bytes(SIZE))
    archive = {"name": "lab.zip", "urls": [mirror.url("lab.zip")], **archive}
    entry = {"title": "Lab", "kind": "flat", "origin": "archive", "score": {}, "archives": [archive]}
    Path("datasets.yaml").write_text(yaml.safe_dump({"lab": entry}))
    return mirror.folder / "lab.zip"


def test_dataset_is_downloaded_unpacked_and_its_checksum_recorded(mirror):
    packed = add_user_dataset(mirror)
    manifest = retrieve_dataset("lab", "data/lab")
    assert Path("data/lab/images.csv").is_file()
    assert dataset_status(dataset_record("lab"), Path("data/lab")) == "ready"
    locked = manifest["files"]["lab.zip"]
    assert (locked["sha256"], locked["bytes"]) == (file_digest(packed), packed.stat().st_size)
    assert locked["url"] == mirror.url("lab.zip") and read_locks("lab") == manifest["files"]
    asked = len(mirror.asked)
    assert retrieve_dataset("lab", "data/lab") == manifest and len(mirror.asked) == asked


def test_address_of_a_download_survives_a_kill_before_it_was_recorded(mirror, monkeypatch):
    add_user_dataset(mirror)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(retrieval, "check_file", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        retrieve_dataset("lab", "data/lab")
    assert retrieve_dataset("lab", "data/lab")["files"]["lab.zip"]["url"] == mirror.url("lab.zip")
    assert len(mirror.asked) == 1 and not list(Path("data/lab").glob("*.part*"))


def test_damaged_note_of_a_download_begins_it_again(mirror, payload, partial_download):
    Path("target.bin.part.json").write_text("{")
    download([mirror.url("payload.bin")], Path("target.bin"))
    assert file_digest("target.bin") == file_digest(payload)


def test_home_folder_is_found_and_no_folder_of_its_sign_is_made(mirror, tmp_path, monkeypatch):
    add_user_dataset(mirror)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    retrieve_dataset("lab", "~/lab")
    assert (tmp_path / "home/lab/a.png").is_file() and not (tmp_path / "~").exists()


def test_manifest_has_fingerprint_of_unpacked_folder(mirror):
    add_user_dataset(mirror)
    recorded = retrieve_dataset("lab", "data/lab")["fingerprint"]
    assert recorded == folder_fingerprint(Path("data/lab")) != ""
    Path("data/lab/lab.zip").unlink()  # may be deleted once it is unpacked
    assert retrieve_dataset("lab", "data/lab")["fingerprint"] == recorded
    Path("data/lab/a.png").write_bytes(b"replaced")
    assert folder_fingerprint(Path("data/lab")) != recorded


def test_download_is_resumed_after_server_failure(mirror, payload, partial_download):
    assert not Path("target.bin").exists()
    download([mirror.url("payload.bin")], Path("target.bin"))
    assert mirror.asked[-1] == ("payload.bin", f"bytes={HALF}-")
    assert file_digest("target.bin") == file_digest(payload)
    downloading.settle(Path("target.bin"))
    assert sorted(Path().glob("target*")) == [Path("target.bin")]


@pytest.mark.slow
def test_download_is_resumed_after_client_is_killed(mirror, payload):
    mirror.stall_after = HALF
    script = (
        "from pathlib import Path; from iqadistill.datasets.retrieval.downloading import download;"
        f"download(['{mirror.url('payload.bin')}'], Path('target.bin'))"
    )
    client, part = subprocess.Popen([sys.executable, "-c", script]), Path("target.bin.part")
    deadline = time.monotonic() + 60
    while not (part.exists() and part.stat().st_size == HALF):
        assert client.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    client.send_signal(signal.SIGKILL)
    client.wait()
    mirror.stall_after = None
    download([mirror.url("payload.bin")], Path("target.bin"))
    assert mirror.asked == [("payload.bin", None), ("payload.bin", f"bytes={HALF}-")]
    assert file_digest("target.bin") == file_digest(payload)


def test_download_restarts_if_server_ignores_ranges(mirror, payload, partial_download):
    mirror.ranges = False
    download([mirror.url("payload.bin")], Path("target.bin"))
    assert file_digest("target.bin") == file_digest(payload)


def test_download_restarts_if_file_changed_on_server(mirror, payload, partial_download):
    payload.write_bytes(payload.read_bytes()[::-1])
    os.utime(payload, (1e9, 1e9))
    download([mirror.url("payload.bin")], Path("target.bin"))
    assert file_digest("target.bin") == file_digest(payload)


def test_partial_file_of_other_url_is_not_continued(mirror, payload):
    Path("target.bin.part").write_bytes(b"other")
    download([mirror.url("payload.bin")], Path("target.bin"))
    assert mirror.asked == [("payload.bin", None)] and file_digest("target.bin") == file_digest(payload)


def test_next_url_is_tried_if_file_is_missing(mirror, payload):
    urls = [mirror.url("none.bin"), mirror.url("payload.bin")]
    assert download(urls, Path("target.bin")) == urls[1]
    with pytest.raises(InputError, match=r"other\.bin: .*none\.bin: HTTP 404"):
        download(urls[:1], Path("other.bin"))


def test_web_page_instead_of_file_is_refused(mirror, payload):
    mirror.content_type = "text/html; charset=utf-8"
    with pytest.raises(InputError, match=r"target\.bin"):
        download([mirror.url("payload.bin")], Path("target.bin"))


def test_download_from_file_url_is_resumed(payload):
    target, part, note = (Path(f"target.bin{end}") for end in ("", ".part", ".part.json"))
    download([payload.as_uri()], target)
    facts = payload.stat()
    part.write_bytes(payload.read_bytes()[:HALF])
    version = downloading.formatdate(facts.st_mtime, usegmt=True)
    note.write_text(f'{{"url": "{payload.as_uri()}", "version": "{version}", "total": {SIZE}}}')
    target.unlink()
    download([payload.as_uri()], target)
    assert file_digest(target) == file_digest(payload)


def test_full_disk_is_refused_before_download(mirror, payload, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(SIZE, SIZE, 10))
    with pytest.raises(InputError, match=rf"target\.bin: .*{SIZE}.* 10 "):
        download([mirror.url("payload.bin")], Path("target.bin"))


def test_archive_that_changed_since_first_download_is_refused(mirror):
    packed = add_user_dataset(mirror)
    retrieve_dataset("lab", "data/lab")
    shutil.rmtree("data")
    content = bytearray(packed.read_bytes())
    content[len(content) // 2] ^= 1
    packed.write_bytes(content)
    with pytest.raises(InputError, match=r"data/lab/lab\.zip: .*SHA-256"):
        retrieve_dataset("lab", "data/lab")
    assert not is_unpacked(dataset_record("lab"), Path("data/lab"))


@pytest.mark.parametrize("known", ["bytes", "sha256"])
def test_archive_unlike_the_registry_is_refused(mirror, known):
    add_user_dataset(mirror, **{known: {"bytes": 5, "sha256": "0" * 64}[known]})
    with pytest.raises(InputError, match=r"lab\.zip: .*( 5|000000000000…)"):
        retrieve_dataset("lab", "data/lab")
    assert read_locks("lab") == {}


def test_truncated_archive_is_refused(mirror):
    packed = add_user_dataset(mirror)
    retrieve_dataset("lab", "data/lab")
    for name in ("images.csv", "a.png"):
        Path("data/lab", name).unlink()
    content = packed.read_bytes()
    Path("data/lab/lab.zip").write_bytes(content[:-1])
    with pytest.raises(InputError, match=rf"data/lab/lab\.zip: .*{len(content) - 1}.*{len(content)}"):
        retrieve_dataset("lab", "data/lab")


@pytest.mark.parametrize("content", [b"<html>log in</html>", b"PK\3\4 cut", bytes(99)])
def test_checksum_of_a_file_that_cannot_be_used_is_forgotten(mirror, content):
    """Or the archive that the message asks for would be refused, as another one than that of the first download."""
    packed = add_user_dataset(mirror)
    whole = packed.read_bytes()
    packed.write_bytes(content)
    with pytest.raises(InputError, match=r"data/lab/lab\.zip: (is a web page|is damaged|holds only zero)"):
        retrieve_dataset("lab", "data/lab")
    assert read_locks("lab") == {}
    Path("data/lab/lab.zip").write_bytes(whole)
    assert retrieve_dataset("lab", "data/lab")["files"]["lab.zip"]["bytes"] == len(whole)


def test_manually_placed_archive_is_used(mirror):
    packed = add_user_dataset(mirror)
    Path("data/lab").mkdir(parents=True)
    shutil.copy(packed, "data/lab/lab.zip")
    assert dataset_status(dataset_record("lab"), Path("data/lab")) == "archive present"
    manifest = retrieve_dataset("lab", "data/lab")
    assert mirror.asked == [] and manifest["files"]["lab.zip"]["url"] is None
    assert Path("data/lab/a.png").is_file()


def test_unpacked_folder_is_accepted_without_its_archive():
    for name in ("images", "dmos.csv"):
        Path("data/kadid10k/kadid10k", name).mkdir(parents=True)
    manifest = retrieve_dataset("kadid10k", "data/kadid10k")
    assert (manifest["source"], manifest["files"]) == ("kadid10k", {})


def test_interrupted_unpacking_is_repeated(mirror):
    add_user_dataset(mirror)
    retrieve_dataset("lab", "data/lab")
    Path("data/lab/.unpacking").mkdir()
    Path("data/lab/a.png").unlink()
    assert dataset_status(dataset_record("lab"), Path("data/lab")) == "archive present"
    retrieve_dataset("lab", "data/lab")
    assert Path("data/lab/a.png").is_file() and not Path("data/lab/.unpacking").exists()


def test_status_shows_partial_download(mirror):
    add_user_dataset(mirror)
    mirror.stop_after = HALF
    with pytest.raises(InputError, match=r"lab\.zip"):
        retrieve_dataset("lab", "data/lab")
    assert dataset_status(dataset_record("lab"), Path("data/lab")) == "partial download"


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("livec", ["ChallengeDB/index.html", "ChallengeDB_release.zip", "data/livec", "Images"]),
        ("mvaqd", ["github.com/Jianghao2019/MVAQD", "data/mvaqd", "1.png", "password"]),
        ("cviq", ["browser", "github.com/sunwei925/CVIQDatabase", "data/cviq", "001.png"]),
    ],
)
def test_gated_dataset_gives_download_instructions(name, parts):
    with pytest.raises(InputError) as caught:
        retrieve_dataset(name, f"data/{name}")
    assert all(part in str(caught.value) for part in parts), str(caught.value)
    assert "\n" not in str(caught.value)


def test_gated_dataset_accepts_archive_of_any_name():
    Path("data/cviq").mkdir(parents=True)
    with zipfile.ZipFile("data/cviq/from the cloud.zip", "w") as packed:
        packed.writestr("CVIQ/001.png", b"")
    manifest = retrieve_dataset("cviq", "data/cviq")
    assert Path("data/cviq/CVIQ/001.png").is_file() and list(manifest["files"]) == ["from the cloud.zip"]


def test_url_is_a_folder_of_official_files_or_one_archive(mirror):
    def pack(name, *entries):
        with zipfile.ZipFile(mirror.folder / name, "w") as packed:
            for entry in entries:
                packed.writestr(entry, entry)

    pack("src_imgs.zip", "1600.png")
    pack("dst_imgs.zip", "dst_imgs/awgn/1600.AWGN.1.png")
    (mirror.folder / "csiq.DMOS.xlsx").write_bytes(b"sheet")
    retrieve_dataset("csiq", "data/csiq", url=mirror.url())
    # one archive has its folder, the other gets it
    assert Path("data/csiq/src_imgs/1600.png").is_file()
    assert Path("data/csiq/dst_imgs/awgn/1600.AWGN.1.png").is_file()
    pack("oiqa.zip", "distorted_images/img1.png")
    retrieve_dataset("oiqa", "data/oiqa", url=(mirror.folder / "oiqa.zip").as_uri())
    assert Path("data/oiqa/distorted_images/img1.png").is_file()
    with pytest.raises(InputError, match=r"mvaqd: .*url"):
        retrieve_dataset("mvaqd", "data/mvaqd", url=mirror.url())


def test_dataset_without_archive_is_refused():
    with pytest.raises(InputError, match=r"'images'.*archive"):
        retrieve_dataset("images", "data/images")
