"""Malicious, damaged and ordinary archives."""

import io
import stat
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from iqadistill.datasets.retrieval.archives import is_archive
from iqadistill.datasets.retrieval.unpacking import unpack
from iqadistill.errors import InputError

LIMIT = 1 << 20


def write_zip(path, entries):
    """Write a zip of name -> bytes, or ZipInfo -> bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in entries.items():
            packed.writestr(name, content)
    return path


def write_tar(path, entries, mode="w:gz"):
    """Write a tar of name -> bytes, or name -> (type, link target)."""
    with tarfile.open(path, mode) as packed:
        for name, content in entries.items():
            member = tarfile.TarInfo(name)
            if isinstance(content, tuple):
                member.type, member.linkname = content
                packed.addfile(member)
            else:
                member.size = len(content)
                packed.addfile(member, io.BytesIO(content))
    return path


def files(folder):
    """Relative paths of all files below a folder."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def refused(archive, tmp_path, *parts, limit=LIMIT):
    """Assert that the archive is refused by an error message with all parts, and writes nothing outside its folder."""
    before = files(tmp_path)
    (tmp_path / "out").mkdir(exist_ok=True)
    with pytest.raises(InputError) as caught:
        unpack(archive, tmp_path / "out", limit)
    assert all(part in str(caught.value) for part in (archive.name, *parts)), str(caught.value)
    assert all(name.startswith("out/") for name in files(tmp_path) - before)


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.tar.bz2", "a.tar.xz", "a.tgz"])
def test_folders_and_files_are_unpacked(tmp_path, name):
    entries = {"top/images/a.png": b"a", "top/dmos.csv": b"b"}
    mode = {".bz2": "w:bz2", ".xz": "w:xz", ".tar": "w"}.get(Path(name).suffix, "w:gz")
    archive = write_zip(tmp_path / name, entries) if name == "a.zip" else write_tar(tmp_path / name, entries, mode)
    (tmp_path / "out").mkdir()
    unpack(archive, tmp_path / "out", LIMIT)
    assert files(tmp_path / "out") == set(entries)
    assert (tmp_path / "out/top/images/a.png").read_bytes() == b"a"


@pytest.mark.parametrize("pack", [write_zip, write_tar])
@pytest.mark.parametrize("name", ["../evil", "/evil", "x/../../evil", "..\\evil", "C:\\evil"])
def test_entry_outside_the_folder_is_refused(tmp_path, pack, name):
    archive = pack(tmp_path / ("a.zip" if pack is write_zip else "a.tar.gz"), {"fine": b"", name: b"evil"})
    refused(archive, tmp_path, "evil")


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE], ids=str
)
def test_link_or_device_in_a_tar_is_refused(tmp_path, kind):
    refused(write_tar(tmp_path / "a.tar.gz", {"x": (kind, "../secret")}), tmp_path, "entry")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_link_or_device_in_a_zip_is_refused(tmp_path, kind):
    entry = zipfile.ZipInfo("x")
    entry.create_system, entry.external_attr = 3, (kind | 0o777) << 16
    refused(write_zip(tmp_path / "a.zip", {entry: b"/etc/passwd"}), tmp_path, "'x'")


@pytest.mark.parametrize("pack", [write_zip, write_tar])
def test_archive_bomb_is_refused_by_its_declared_size(tmp_path, pack):
    archive = pack(tmp_path / ("a.zip" if pack is write_zip else "a.tar.gz"), {"small": b"x", "big": bytes(2 * LIMIT)})
    refused(archive, tmp_path, str(LIMIT))
    assert not (tmp_path / "out/big").exists()


def test_archive_bomb_of_many_files_is_refused(tmp_path):
    entries = {f"{number}": bytes(LIMIT // 4) for number in range(8)}
    refused(write_zip(tmp_path / "a.zip", entries), tmp_path, str(LIMIT))
    assert files(tmp_path / "out") == set()


def test_wrong_declared_size_is_detected_while_writing(tmp_path, monkeypatch):
    monkeypatch.setattr("iqadistill.datasets.retrieval.unpacking.zip_entries", _entry_with_a_wrong_size)
    refused(write_zip(tmp_path / "a.zip", {"x": b""}), tmp_path, str(LIMIT))
    assert (tmp_path / "out/x").stat().st_size <= LIMIT


def _entry_with_a_wrong_size(archive, *_):
    from iqadistill.datasets.retrieval.entries import Entry

    yield Entry("x", 1, lambda: io.BytesIO(bytes(3 * LIMIT)))


def test_duplicate_entry_is_refused(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr("x", b"1")
        packed.writestr("x", b"2")
    refused(tmp_path / "a.zip", tmp_path, "'x'")


@pytest.mark.parametrize("pack", [write_zip, write_tar])
def test_truncated_or_altered_archive_is_refused_as_damaged(tmp_path, pack):
    content = bytes(range(256)) * 200
    archive = pack(tmp_path / ("a.zip" if pack is write_zip else "a.tar.gz"), {"x": content})
    intact = archive.read_bytes()
    archive.write_bytes(intact[: len(intact) // 2])
    refused(archive, tmp_path)
    (tmp_path / "out/x").unlink(missing_ok=True)
    archive.write_bytes(intact[:60] + bytes([intact[60] ^ 255]) + intact[61:])
    refused(archive, tmp_path)


def test_encrypted_archive_is_refused(tmp_path):
    archive = write_zip(tmp_path / "a.zip", {"x": b"secret"})
    content = bytearray(archive.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1  # set the encryption flag in the central directory
    archive.write_bytes(content)
    refused(archive, tmp_path, "password")


def test_macos_metadata_files_are_skipped(tmp_path):
    (tmp_path / "out").mkdir()
    unpack(write_zip(tmp_path / "a.zip", {"a.png": b"", "__MACOSX/._a.png": b""}), tmp_path / "out", LIMIT)
    assert files(tmp_path / "out") == {"a.png"}


def install_program(folder, name, body):
    """Install a Python script under the name of an unpacking program."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!{sys.executable}\nimport sys\n{body}")
    (folder / name).chmod(0o755)


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """An empty folder as the only entry of PATH."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path / "bin"


@pytest.mark.parametrize("name", ["a.rar", "a.7z", "a.part1.rar", "a.7z.001"])
def test_missing_unpacking_program_is_named(tmp_path, programs, name):
    (tmp_path / name).write_bytes(b"any")
    refused(tmp_path / name, tmp_path, "7z", str(tmp_path))


@pytest.mark.slow
def test_rar_is_unpacked_with_bsdtar(tmp_path, programs):
    (tmp_path / "a.rar").write_bytes(b"rar")
    stream = write_tar(tmp_path / "stream", {"images/i01.bmp": b"bmp"}, "w")
    show = "sys.stdout.buffer.write(open({!r}, 'rb').read())"
    install_program(programs, "bsdtar", f"assert sys.argv[-1] == '@{tmp_path}/a.rar'\n{show.format(str(stream))}")
    (tmp_path / "out").mkdir()
    unpack(tmp_path / "a.rar", tmp_path / "out", LIMIT)
    assert files(tmp_path / "out") == {"images/i01.bmp"}
    install_program(programs, "bsdtar", show.format(str(write_tar(tmp_path / "evil", {"../evil": b""}, "w"))))
    refused(tmp_path / "a.rar", tmp_path, "'../evil'")
    install_program(programs, "bsdtar", "sys.exit('Unrecognized archive format')")
    refused(tmp_path / "a.rar", tmp_path, "Unrecognized archive format")


@pytest.mark.slow
def test_parts_of_a_rar_go_to_unrar_before_a_7z_that_may_not_read_them(tmp_path, programs):
    (tmp_path / "a.part1.rar").write_bytes(b"Rar!")
    install_program(programs, "7z", "sys.exit('Unsupported method')")
    refused(tmp_path / "a.part1.rar", tmp_path, "Unsupported method")
    install_program(programs, "unrar", "open(sys.argv[-1] + 'a.png', 'w') if sys.argv[1] == 'x' else print('a.png')")
    unpack(tmp_path / "a.part1.rar", tmp_path / "out", LIMIT)
    assert files(tmp_path / "out") == {"a.png"}


@pytest.mark.slow
def test_7z_listing_is_checked_before_unpacking(tmp_path, programs):
    (tmp_path / "a.7z").write_bytes(b"7z")
    body = """
if sys.argv[1] == "l":
    print("Path = {name}\\nSize = {size}")
else:
    folder = next(word[2:] for word in sys.argv if word.startswith("-o"))
    open(folder + "/x", "wb").write(bytes({written}))
"""
    install_program(programs, "7z", body.format(name="../evil", size=1, written=1))
    refused(tmp_path / "a.7z", tmp_path, "'../evil'")
    install_program(programs, "7z", body.format(name="x", size=2 * LIMIT, written=1))
    refused(tmp_path / "a.7z", tmp_path, str(LIMIT))
    assert files(tmp_path / "out") == set()
    install_program(programs, "7z", body.format(name="x", size=1, written=2 * LIMIT))
    refused(tmp_path / "a.7z", tmp_path, str(LIMIT))
    install_program(programs, "7z", body.format(name="x", size=1, written=1))
    unpack(tmp_path / "a.7z", tmp_path / "out", LIMIT)
    assert files(tmp_path / "out") == {"x"}


def test_archives_are_recognised_by_name():
    assert all(
        map(is_archive, ("a.zip", "A.ZIP", "a.tar.gz", "a.rar", "a.part01.rar", "a.7z", "a.7z.001", "a.zip.001"))
    )
    assert not any(
        map(is_archive, ("a.z01", "a.r00", "a.part02.rar", "a.part10.rar", "a.7z.002", "a.mat", "a.zip.part"))
    )
