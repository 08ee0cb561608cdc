"""Archives from any packer: compressions, names in any encoding, and files that are not what their name says."""

import bz2
import errno
import gzip
import io
import lzma
import random
import shutil
import struct
import subprocess
import tarfile
import warnings
import zipfile
import zlib
from pathlib import Path

import pytest

from iqadistill.datasets.retrieval import entries, retrieval, unpackers, unpacking
from iqadistill.datasets.retrieval.archives import is_archive
from iqadistill.datasets.retrieval.unpacking import unpack
from iqadistill.errors import InputError

LIMIT = 8 << 20
SEVEN_ZIP = next(filter(None, map(shutil.which, ("7z", "7zz", "7za"))), None)
needs_7z = pytest.mark.skipif(SEVEN_ZIP is None, reason="7z is not installed")
needs_bsdtar = pytest.mark.skipif(shutil.which("bsdtar") is None, reason="bsdtar is not installed")
needs_unzip = pytest.mark.skipif(shutil.which("unzip") is None, reason="unzip is not installed")
CONTENT = {"a/1.png": random.Random(1).randbytes(3000), "a/2.png": b"abc" * 50, "images.csv": b"image,mos\n"}


def raw_zip(path, names, method=zipfile.ZIP_STORED, *, extra=b"", flags=0, pack=None, prefix=b"", comment=b""):
    """A zip written by hand of raw name -> content."""
    body, directory = bytearray(prefix), b""
    for name, content in names.items():
        packed = pack(content) if pack else content if method == zipfile.ZIP_STORED else zlib.compress(content)[2:-4]
        common = struct.pack(
            "<HHHHHLLLHH",
            20,
            flags,
            method,
            0,
            33,
            zlib.crc32(content),
            len(packed),
            len(content),
            len(name),
            len(extra),
        )
        directory += b"PK\1\2\x14\0" + common + struct.pack("<HHHLL", 0, 0, 0, 0, len(body)) + name + extra
        body += b"PK\3\4" + common + name + extra + packed
    end = struct.pack("<HHHHLLH", 0, 0, len(names), len(names), len(directory), len(body), len(comment))
    path.write_bytes(body + directory + b"PK\5\6" + end + comment)
    return path


def with_method(path, method):
    """The zip with another number for the method of compression, of all entries."""
    content = bytearray(path.read_bytes())
    for magic, offset in ((b"PK\3\4", 8), (b"PK\1\2", 10)):
        start = -1
        while (start := content.find(magic, start + 1)) >= 0:
            content[start + offset : start + offset + 2] = method.to_bytes(2, "little")
    path.write_bytes(content)
    return path


def deflate64_zip(path):
    """A zip as Windows Explorer makes it. Short matches have the same bits in Deflate and Deflate64."""
    return with_method(raw_zip(path, {name.encode(): data for name, data in CONTENT.items()}, 8), 9)


def tar_of(path, members, mode="w:gz", **options):
    """A tar of name -> bytes or TarInfo."""
    with tarfile.open(path, mode, **options) as packed:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            if isinstance(content, tarfile.TarInfo):
                packed.addfile(content)
                continue
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    return path


def unpacked(archive, limit=LIMIT, encoding=None):
    """Content of the unpacked files by path."""
    folder = archive.parent / "out"
    folder.mkdir()
    unpack(archive, folder, limit, encoding)
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def refusal(archive, limit=LIMIT, encoding=None):
    """The sentence that refuses an archive, before anything of it is written."""
    folder = archive.parent / "out"
    folder.mkdir(exist_ok=True)
    with pytest.raises(InputError) as caught:
        unpack(archive, folder, limit, encoding)
    message = str(caught.value)
    assert message.count(archive.name) >= 1 and "\n" not in message
    return message


def only_programs(monkeypatch, *names):
    """Let only these programs be found."""
    which = shutil.which
    monkeypatch.setattr(unpackers.shutil, "which", lambda name: which(name) if name in names else None)


@pytest.mark.parametrize(
    "program",
    [pytest.param("7z", marks=needs_7z), pytest.param("unzip", marks=needs_unzip)],
)
def test_deflate64_is_unpacked_by_an_installed_program(tmp_path, monkeypatch, program):
    only_programs(monkeypatch, program)
    assert unpacked(deflate64_zip(tmp_path / "a.zip")) == CONTENT


@pytest.mark.parametrize(
    "method, name, programs",
    [
        (1, "Shrink", "7z or unzip"),
        (6, "Implode", "7z or unzip"),
        (9, "Deflate64", "7z or unzip"),
        (93, "zstd", "7z or bsdtar"),
        (95, "xz", "7z or bsdtar"),
        (98, "PPMd", "7z or bsdtar"),
        (77, "another method", "needs 7z;"),
    ],
)
def test_compression_without_a_program_is_named_and_nothing_written(tmp_path, monkeypatch, method, name, programs):
    only_programs(monkeypatch)
    message = refusal(with_method(raw_zip(tmp_path / "a.zip", {b"x.png": b"x" * 99}, 8), method))
    assert name in message and programs in message and f"unpack it yourself into {tmp_path}" in message
    assert "delete" not in message and "damaged" not in message
    assert not any((tmp_path / "out").iterdir())


@needs_7z
@pytest.mark.parametrize("method", ["Deflate64", "LZMA", "PPMd", "BZip2", "xz"])
def test_zip_of_7z_is_read_whatever_its_compression(tmp_path, method):
    for name, content in CONTENT.items():
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(content)
    command = [SEVEN_ZIP, "a", f"-mm={method}", str(tmp_path / "a.zip"), "."]
    if subprocess.run(command, cwd=tmp_path / "in", capture_output=True).returncode:
        pytest.skip(f"this 7z cannot write {method}")
    assert unpacked(tmp_path / "a.zip") == CONTENT


@needs_bsdtar
@pytest.mark.skipif(shutil.which("zstd") is None, reason="zstd is not installed")
def test_zip_compressed_by_zstd_is_read_by_bsdtar(tmp_path, monkeypatch):
    def pack(content):
        return subprocess.run(["zstd", "-c"], input=content, capture_output=True, check=True).stdout

    archive = raw_zip(tmp_path / "a.zip", {name.encode(): data for name, data in CONTENT.items()}, 93, pack=pack)
    only_programs(monkeypatch, "bsdtar")
    assert unpacked(archive) == CONTENT


@needs_7z
@pytest.mark.parametrize("program", ["7z", pytest.param("bsdtar", marks=needs_bsdtar)])
@pytest.mark.parametrize("options", [["-psecret"], ["-psecret", "-mhe=on"]], ids=["contents", "names"])
def test_password_of_a_7z_is_told_as_one(tmp_path, monkeypatch, program, options):
    (tmp_path / "x.png").write_bytes(b"1" * 50)
    subprocess.run([SEVEN_ZIP, "a", *options, "a.7z", "x.png"], cwd=tmp_path, check=True, capture_output=True)
    only_programs(monkeypatch, program)
    assert "password" in refusal(tmp_path / "a.7z")


@needs_7z
def test_piped_files_keep_their_names_in_any_order_of_directory(tmp_path, monkeypatch):
    only_programs(monkeypatch, "7z")
    archive = deflate64_zip(tmp_path / "a.zip")
    content = archive.read_bytes()
    start = content.index(b"PK\1\2")
    listed = content[start : content.index(b"PK\5\6")].split(b"PK\1\2")[1:]
    archive.write_bytes(content[:start] + b"".join(b"PK\1\2" + one for one in listed[::-1]) + content[-22:])
    assert unpacked(archive) == CONTENT


@needs_7z
def test_damage_is_told_from_what_a_program_cannot_read(tmp_path, monkeypatch):
    only_programs(monkeypatch, "7z")
    archive = deflate64_zip(tmp_path / "a.zip")
    content = bytearray(archive.read_bytes())
    content[content.index(b"1.png") + 500] ^= 255
    archive.write_bytes(content)
    assert "damaged" in refusal(archive)
    shutil.rmtree(tmp_path / "out")
    with_method(archive, 77)
    message = refusal(archive)
    assert "cannot be unpacked by 7z" in message and "delete" not in message


@needs_7z
def test_missing_part_is_said_to_be_missing(tmp_path, monkeypatch):
    only_programs(monkeypatch, "7z")
    (tmp_path / "x.bin").write_bytes(random.Random(2).randbytes(9000))
    subprocess.run([SEVEN_ZIP, "a", "-v3k", "m.7z", "x.bin"], cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "m.7z.002").unlink()
    message = refusal(tmp_path / "m.7z.001")
    assert "a part is missing" in message and "delete" not in message


@needs_7z
@needs_bsdtar
@pytest.mark.parametrize("program", ["7z", "bsdtar"])
def test_names_of_piped_files_are_decoded_as_those_of_others(tmp_path, monkeypatch, program):
    (tmp_path / "abcd1.png").write_bytes(b"1" * 500)
    subprocess.run([SEVEN_ZIP, "a", "-mm=PPMd", "a.zip", "abcd1.png"], cwd=tmp_path, check=True, capture_output=True)
    content = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(content.replace(b"abcd1", "图片1".encode("gbk")))
    only_programs(monkeypatch, program)
    assert unpacked(tmp_path / "a.zip", encoding="gbk") == {"图片1.png": b"1" * 500}


def test_aes_and_strong_encryption_are_protected_by_a_password(tmp_path):
    names = {b"x": b"secret" * 9}
    assert "password" in refusal(with_method(raw_zip(tmp_path / "a.zip", names, flags=1), 99))
    assert "password" in refusal(raw_zip(tmp_path / "b.zip", names, flags=65))


def test_prefix_comment_and_zip64_are_read(tmp_path):
    names = {name.encode(): content for name, content in CONTENT.items()}
    assert unpacked(raw_zip(tmp_path / "a.zip", names, prefix=b"MZ" + b"\0" * 900, comment=b"PK made here")) == CONTENT
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as packed, packed.open("a.png", "w", force_zip64=True) as file:
        file.write(b"1")
    shutil.rmtree(tmp_path / "out")
    assert unpacked(tmp_path / "b.zip") == {"a.png": b"1"}


def test_last_part_alone_asks_for_the_others(tmp_path):
    archive = raw_zip(tmp_path / "set.zip", {b"x": b"1"})
    content = bytearray(archive.read_bytes())
    content[-18:-16] = b"\2\0"
    archive.write_bytes(content)
    message = refusal(archive)
    assert "set.z01" in message and "delete" not in message


@pytest.mark.parametrize(
    "content, said",
    [
        (b"", "is empty"),
        (b"\n<!DOCTYPE html><title>Log in</title>", "web page"),
        (b"<HTML>404", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "Git LFS pointer"),
        (b"not an archive" * 100, "not a zip, tar, rar or 7z archive"),
        (gzip.compress(b"a table" * 300, mtime=0), "not a compressed tar"),
    ],
    ids=["empty", "page", "old page", "pointer", "text", "gz"],
)
@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz"])
def test_file_that_is_not_an_archive_is_said_to_be_what_it_is(tmp_path, content, said, name):
    (tmp_path / name).write_bytes(content)
    message = refusal(tmp_path / name)
    assert said in message and "damaged" not in message


def test_archive_is_read_as_what_it_is_not_as_its_name_says(tmp_path):
    for name, write in {"tar.zip": tar_of, "gz.tar": tar_of}.items():
        assert unpacked(write(tmp_path / name, CONTENT)) == CONTENT
        shutil.rmtree(tmp_path / "out")
    assert unpacked(raw_zip(tmp_path / "zip.tar.gz", {b"x": b"1"})) == {"x": b"1"}


@needs_7z
@pytest.mark.parametrize("program", ["7z", pytest.param("bsdtar", marks=needs_bsdtar)])
def test_7z_named_zip_is_read_by_a_program(tmp_path, monkeypatch, program):
    (tmp_path / "x.png").write_bytes(b"1")
    (tmp_path / "._x.png").write_bytes(b"2")
    subprocess.run([SEVEN_ZIP, "a", "a.7z", "x.png", "._x.png"], cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "a.7z").rename(tmp_path / "a.zip")
    only_programs(monkeypatch, program)
    assert unpacked(tmp_path / "a.zip") == {"x.png": b"1"}


@needs_bsdtar
@pytest.mark.skipif(shutil.which("zstd") is None, reason="zstd is not installed")
def test_tar_compressed_by_zstd_is_read_or_its_program_named(tmp_path, monkeypatch):
    assert is_archive("a.tar.zst") and is_archive("a.tzst") and is_archive("a.tbz")
    tar_of(tmp_path / "a.tar", {**CONTENT, "图片1.png": b"3"}, "w")
    subprocess.run(["zstd", "-q", tmp_path / "a.tar"], check=True)
    monkeypatch.setenv("LC_ALL", "C")
    assert unpacked(tmp_path / "a.tar.zst") == {**CONTENT, "图片1.png": b"3"}
    only_programs(monkeypatch)
    message = refusal(tmp_path / "a.tar.zst")
    assert "zstd" in message and "bsdtar" in message


@pytest.mark.parametrize(
    "encoding, name", [("gbk", "图片1.png"), ("gbk", "测试.png"), ("cp932", "表示ソ.png"), ("cp1252", "Übung.png")]
)
def test_names_in_a_stated_encoding_are_read_and_others_warned_of(tmp_path, encoding, name):
    raw = name.encode(encoding)
    archive = raw_zip(tmp_path / "a.zip", {raw: b"1"})
    assert unpacked(archive, encoding=encoding) == {name: b"1"}
    shutil.rmtree(tmp_path / "out")
    taken = "UTF-8" if name == "图片1.png" else "cp437"  # its bytes in GBK are valid UTF-8 by chance
    with pytest.warns(UserWarning, match=rf"a\.zip: 1 name is not ASCII.*{taken}.*`names`.*gbk"):
        assert set(unpacked(archive)) == {raw.decode(taken).replace("\\", "/")}


def test_utf8_names_without_flag_and_unicode_path_field_need_no_warning(tmp_path):
    raw = "图片1.png".encode("gbk")
    field = b"\1" + zlib.crc32(raw).to_bytes(4, "little") + "图片1.png".encode()
    extra = struct.pack("<HH", 0x5455, 1) + b"\0" + struct.pack("<HH", 0x7075, len(field)) + field
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert unpacked(raw_zip(tmp_path / "a.zip", {raw: b"1"}, extra=extra)) == {"图片1.png": b"1"}
        shutil.rmtree(tmp_path / "out")
        assert unpacked(raw_zip(tmp_path / "b.zip", {"图片2.png".encode(): b"1"})) == {"图片2.png": b"1"}


def test_unicode_path_field_of_another_name_is_ignored(tmp_path):
    field = b"\1" + zlib.crc32(b"other").to_bytes(4, "little") + b"../evil"
    extra = struct.pack("<HH", 0x7075, len(field)) + field
    assert unpacked(raw_zip(tmp_path / "a.zip", {b"x.png": b"1"}, extra=extra)) == {"x.png": b"1"}
    field = b"\1" + zlib.crc32(b"x.png").to_bytes(4, "little") + b"../evil"
    extra = struct.pack("<HH", 0x7075, len(field)) + field
    assert "leads out" in refusal(raw_zip(tmp_path / "b.zip", {b"x.png": b"1"}, extra=extra))


def test_names_that_are_flagged_as_utf8_but_are_not_are_no_traceback(tmp_path):
    assert "stated as UTF-8" in refusal(raw_zip(tmp_path / "a.zip", {b"\xff\xfe.png": b"1"}, flags=1 << 11))


def test_tar_names_in_gbk(tmp_path):
    archive = tar_of(tmp_path / "a.tar", {"图片.png": b"1"}, "w", format=tarfile.GNU_FORMAT, encoding="gbk")
    assert unpacked(archive, encoding="gbk") == {"图片.png": b"1"}
    shutil.rmtree(tmp_path / "out")
    assert "not valid ascii" in refusal(archive, encoding="ascii")


@pytest.mark.parametrize("pack", ["zip", "tar"])
@pytest.mark.parametrize(
    "names, said",
    [
        (["a", "a/b"], "file"),
        (["a/b", "a"], "both a file and a folder"),
        (["x" * 300], "255"),
        (["", "."], "no name"),
        (["x", "./x"], "twice"),
        (["/etc/x"], "leads out"),
        (["a/../../x"], "leads out"),
        (["d/" * 3000 + "x"], "cannot be written"),
    ],
    ids=["file first", "folder first", "long", "nameless", "twice", "absolute", "dots", "deep"],
)
def test_names_that_cannot_be_written_are_one_sentence(tmp_path, pack, names, said):
    contents = dict.fromkeys(names, b"1")
    archive = tmp_path / f"x.{pack}"
    if pack == "zip":
        raw_zip(archive, {name.encode(): content for name, content in contents.items()})
    else:
        tar_of(archive, contents, "w")
    message = refusal(archive)
    assert said in message and "damaged" not in message


def test_names_that_differ_in_case_accents_and_odd_ends_are_kept(tmp_path):
    names = {"A.png": b"1", "a.png": b"2", "e\u0301.png": b"3", "\u00e9.png": b"4", "dot.": b"5", " blank ": b"6"}
    assert unpacked(tar_of(tmp_path / "a.tar.gz", names)) == names


def test_names_that_are_one_file_on_this_disk_are_said_to_be(tmp_path, monkeypatch):
    exists = Path.exists
    monkeypatch.setattr(Path, "exists", lambda path: exists(path) or exists(path.with_name(path.name.upper())))
    archive = raw_zip(tmp_path / "a.zip", {b"A.PNG": b"1", b"a.png": b"2"})
    message = refusal(archive)
    assert "'A.PNG'" in message and "'a.png'" in message and "letter case" in message


@pytest.mark.parametrize("name", ["._1.png", "a/._1.png", "__MACOSX/a.png", ".DS_Store", "b/Thumbs.db", "DESKTOP.INI"])
def test_files_of_operating_systems_are_left_out(tmp_path, name):
    assert unpacked(raw_zip(tmp_path / "a.zip", {b"1.png": b"1", name.encode(): b"2"})) == {"1.png": b"1"}
    shutil.rmtree(tmp_path / "out")
    assert unpacked(tar_of(tmp_path / "a.tar", {"1.png": b"1", name: b"2"}, "w")) == {"1.png": b"1"}


@needs_7z
def test_files_that_are_left_out_do_not_shift_those_of_a_pipe(tmp_path, monkeypatch):
    only_programs(monkeypatch, "7z")
    archive = with_method(raw_zip(tmp_path / "a.zip", {b"1.png": b"1", b"._1.png": b"xx", b"2.png": b"22"}, 8), 9)
    assert unpacked(archive) == {"1.png": b"1", "2.png": b"22"}


def test_hard_link_to_a_file_before_it_is_a_copy(tmp_path):
    link = tarfile.TarInfo("b.png")
    link.type, link.linkname = tarfile.LNKTYPE, "a.png"
    archive = tar_of(tmp_path / "a.tar.gz", {"a.png": b"1", "b.png": link})
    assert unpacked(archive) == {"a.png": b"1", "b.png": b"1"}
    link.linkname = "../../secret"
    assert "leads out" in refusal(tar_of(tmp_path / "b.tar.gz", {"b.png": link}))
    link.linkname = "later.png"
    assert "link" in refusal(tar_of(tmp_path / "c.tar.gz", {"b.png": link}))


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_tar_formats_with_long_names_are_read(tmp_path, form):
    name = "/".join(["folder" * 5] * 4) + "/图.png" if form != tarfile.USTAR_FORMAT else "f" * 90 + "/" + "x" * 90
    assert unpacked(tar_of(tmp_path / "a.tar", {name: b"1"}, "w", format=form, encoding="utf-8")) == {name: b"1"}


def test_sparse_tar_with_a_label_is_read(tmp_path):
    with open(tmp_path / "holes.bin", "wb") as file:
        file.seek(1 << 20)
        file.write(b"end")
    command = ["tar", "-S", "--label", "Set", "-cf", "a.tar", "holes.bin"]
    if not shutil.which("tar") or subprocess.run(command, cwd=tmp_path, capture_output=True).returncode:
        pytest.skip("tar is not GNU tar")
    assert unpacked(tmp_path / "a.tar") == {"holes.bin": bytes(1 << 20) + b"end"}


def test_truncated_and_altered_tar_is_damaged_wherever_it_ends(tmp_path):
    whole = tar_of(tmp_path / "a.tar", {"1.png": b"1" * 600, "2.png": b"2" * 600, "3.png": b"3"}, "w").read_bytes()
    for size in (100, 700, 1536, 1700, 2600, 3072):
        (tmp_path / "out").mkdir()
        (tmp_path / "a.tar").write_bytes(whole[:size])
        message = refusal(tmp_path / "a.tar")
        assert "damaged" in message or size == 100
        shutil.rmtree(tmp_path / "out")
    packed = gzip.compress(whole, 0)  # stored, so that only the check sum at the end can tell
    (tmp_path / "b.tar.gz").write_bytes(packed.replace(b"1" * 600, b"1" * 599 + b"0"))
    assert "damaged" in refusal(tmp_path / "b.tar.gz")


def test_endless_headers_and_negative_sizes_are_refused(tmp_path):
    for kind, size in ((tarfile.XHDTYPE, 1 << 40), (tarfile.GNUTYPE_LONGNAME, -(1 << 40)), (tarfile.REGTYPE, -1024)):
        member = tarfile.TarInfo("x")
        member.type, member.size = kind, size
        header = member.tobuf(tarfile.GNU_FORMAT)
        (tmp_path / "a.tar").write_bytes(header + bytes(4096))
        assert "damaged" in refusal(tmp_path / "a.tar")
        shutil.rmtree(tmp_path / "out")


def test_many_headers_in_a_row_are_refused(tmp_path):
    member = tarfile.TarInfo("x")
    member.type = tarfile.XHDTYPE
    (tmp_path / "a.tar").write_bytes(member.tobuf(tarfile.GNU_FORMAT) * 5000)
    assert "damaged" in refusal(tmp_path / "a.tar")


def test_many_empty_files_count_as_blocks(tmp_path):
    names = {str(number): b"" for number in range(300)}
    assert "unpacks to more" in refusal(raw_zip(tmp_path / "a.zip", {k.encode(): v for k, v in names.items()}), 1 << 20)
    assert "unpacks to more" in refusal(tar_of(tmp_path / "a.tar.gz", names), 1 << 20)
    assert entries.BLOCK * 300 > 1 << 20


def test_overlapping_entries_count_each(tmp_path):
    archive = raw_zip(tmp_path / "a.zip", {b"0": bytes(1 << 16)}, 8)
    content = archive.read_bytes()
    start, end = content.index(b"PK\1\2"), content.index(b"PK\5\6")
    listed = content[start:end]
    many = b"".join(listed[:-1] + bytes([65 + number]) for number in range(50))
    record = b"PK\5\6" + struct.pack("<HHHHLLH", 0, 0, 50, 50, len(many), start, 0)
    archive.write_bytes(content[:start] + many + record)
    assert "unpacks to more" in refusal(archive, 1 << 20)


@pytest.mark.parametrize(
    "number, said", [(errno.ENOSPC, "no space is left"), (errno.EDQUOT, "quota"), (errno.EILSEQ, "cannot be")]
)
@pytest.mark.parametrize("pack", ["zip", "tar"])
def test_disk_that_refuses_is_one_sentence(tmp_path, monkeypatch, number, said, pack):
    archive = (
        raw_zip(tmp_path / "a.zip", {b"x": b"1"}) if pack == "zip" else tar_of(tmp_path / "a.tar", {"x": b"1"}, "w")
    )

    class Full(io.BytesIO):
        def write(self, _):
            raise OSError(number, "refused")

    monkeypatch.setattr(unpacking, "open", lambda *_: Full(), raising=False)
    message = refusal(archive)
    assert said in message and "damaged" not in message and "delete it" not in message


@pytest.mark.parametrize(
    "printed, said",
    [
        ("System ERROR: errno=28 : No space left on device", "no space is left"),
        ("ERROR: CRC Failed : x", "damaged"),
        ("Unsupported Method : x", "cannot be unpacked by 7z"),
    ],
)
def test_reason_of_a_program_is_understood(tmp_path, monkeypatch, printed, said):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/7z").write_text(f"#!/bin/sh\necho '{printed}' >&2\nexit 2\n")
    (tmp_path / "bin/7z").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "a.7z").write_bytes(b"7z\xbc\xaf\x27\x1c")
    message = refusal(tmp_path / "a.7z")
    assert said in message and ("delete" in message) == (said == "damaged")


def test_refused_archive_leaves_nothing_that_keeps_files_unpacked_by_hand_from_counting(tmp_path, monkeypatch):
    from iqadistill.datasets.registry import DatasetRecord

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


def test_archives_in_an_archive_are_warned_of(tmp_path, monkeypatch):
    from iqadistill.datasets.registry import DatasetRecord

    record = DatasetRecord(title="Lab", kind="flat", origin="archive", access="manual", holds=("images.csv",))
    monkeypatch.setattr(retrieval, "dataset_record", lambda _: record)
    monkeypatch.setattr(retrieval, "check_file", lambda *_: None)
    monkeypatch.setattr(retrieval, "read_locks", lambda _: {})
    raw_zip(tmp_path / "lab.zip", {b"images.csv": b"image,mos\n", b"sub/part.zip": b"PK"})
    with pytest.warns(UserWarning, match=r"lab\.zip: holds archives itself \(sub/part\.zip\)"):
        retrieval.retrieve_dataset("lab", tmp_path)


EMPTY = {
    "zeros.zip": lambda path: path.write_bytes(bytes(3000)),
    "zeros.tar": lambda path: path.write_bytes(bytes(3000)),
    "none.zip": lambda path: raw_zip(path, {}),
    "none.tar.gz": lambda path: tar_of(path, {}),
    "folders.zip": lambda path: raw_zip(path, {b"a/": b""}),
    "system.zip": lambda path: raw_zip(path, {b"__MACOSX/._a.png": b"1", b"Thumbs.db": b"2"}),
}


@pytest.mark.parametrize("name", EMPTY)
def test_archive_without_files_is_refused(tmp_path, name):
    EMPTY[name](tmp_path / name)
    message = refusal(tmp_path / name)
    assert ("holds only zero bytes" if name.startswith("zeros") else "holds no files") in message


@needs_7z
@pytest.mark.parametrize("program", ["7z", pytest.param("bsdtar", marks=needs_bsdtar)])
def test_7z_without_files_is_refused(tmp_path, monkeypatch, program):
    (tmp_path / "a").mkdir()
    subprocess.run([SEVEN_ZIP, "a", "a.7z", "a"], cwd=tmp_path, check=True, capture_output=True)
    only_programs(monkeypatch, program)
    assert "holds no files" in refusal(tmp_path / "a.7z")


@pytest.mark.parametrize(
    "padding",
    [bytes(70_000), b"\xff" * 200_000, b"\n" * 66_000, bytes(3), b"<html>log in</html>" * 9999],
    ids=["zeros", "ones", "lines", "few", "text"],
)
@pytest.mark.parametrize("comment", [b"", b"made here"])
@pytest.mark.parametrize("prefix", [b"", b"MZ" + bytes(900), bytes(4000)], ids=["", "program", "blank"])
def test_zip_with_bytes_before_and_behind_it_is_read(tmp_path, padding, comment, prefix):
    names = {name.encode(): content for name, content in CONTENT.items()}
    archive = raw_zip(tmp_path / "a.zip", names, 8, prefix=prefix, comment=comment)
    with open(archive, "ab") as file:
        file.write(padding)
    assert unpacked(archive) == CONTENT


@pytest.mark.parametrize("keep", [0.3, 0.9])
@pytest.mark.parametrize("padding", [0, 100_000])
def test_truncated_zip_is_damaged_with_and_without_padding(tmp_path, keep, padding):
    """An archive that the zip holds uncompressed is never taken for the zip itself."""
    inner = raw_zip(tmp_path / "inner.zip", {b"evil.png": b"1"}).read_bytes()
    whole = raw_zip(
        tmp_path / "a.zip", {b"x.bin": b"1" * 5000, b"inner.zip": inner, b"y.bin": b"2" * 5000}
    ).read_bytes()
    (tmp_path / "a.zip").write_bytes(whole[: int(keep * len(whole))] + bytes(padding))
    assert "damaged" in refusal(tmp_path / "a.zip")
    assert not any((tmp_path / "out").iterdir())


@pytest.mark.parametrize("pack", ["zip", "tar"])
def test_colon_in_a_name_is_no_drive(tmp_path, pack):
    names = {"a:b.png": b"1", "x/12:30.png": b"2"}
    if pack == "zip":
        archive = raw_zip(tmp_path / "a.zip", {name.encode(): content for name, content in names.items()})
    else:
        archive = tar_of(tmp_path / "a.tar", names, "w")
    assert unpacked(archive) == names
    message = refusal(raw_zip(tmp_path / "b.zip", {b"C:/set/a.png": b"1"}))
    assert "leads out" in message and f"unpack it yourself into {tmp_path}" in message and "delete" not in message


@pytest.fixture
def retrieve(tmp_path, monkeypatch):
    """A function that retrieves the dataset of an archive, with a record, from a folder."""
    from iqadistill.datasets.registry import DatasetRecord

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


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_other_bytes_behind_a_compressed_tar_are_ignored(tmp_path, compress):
    tar = tar_of(tmp_path / "a.tar", CONTENT, "w").read_bytes()
    (tmp_path / "a.tar.gz").write_bytes(compress(tar) + b"<html>" * 20)
    assert unpacked(tmp_path / "a.tar.gz") == CONTENT


def test_zip64_with_padding_is_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed, packed.open("a.png", "w", force_zip64=True) as file:
        file.write(b"1")
    (tmp_path / "a.zip").write_bytes((tmp_path / "a.zip").read_bytes() + bytes(3 << 20))
    assert unpacked(tmp_path / "a.zip") == {"a.png": b"1"}
