"""What a file is by its first bytes, whoever reads it."""

import gzip

import pytest

from iqadistill.csv_files import read_cells
from iqadistill.datasets.labels.label_files import read_lines, read_sheet, read_variable
from iqadistill.datasets.retrieval.archives import archive_kind
from iqadistill.errors import InputError
from iqadistill.file_kinds import LFS_POINTER, WEB_PAGE, file_kind
from iqadistill.images.decoding import read_image
from iqadistill.models.weights_file import read_state_dict

STAND_INS = {
    b"\xef\xbb\xbf\n <!DOCTYPE HTML PUBLIC>\n<html><title>Sign in</title>": WEB_PAGE,
    b"<!-- saved from --><body>": WEB_PAGE,
    b"<?xml version='1.0'?><!DOCTYPE html><html xmlns='x'>": WEB_PAGE,
    b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n": LFS_POINTER,
}
READERS = {
    "table": lambda file: read_cells(file, ["image"]),
    "text": lambda file: list(read_lines(file, "image mos")),
    "sheet": lambda file: list(read_sheet(file, ["image"])),
    "variable": lambda file: read_variable(file, "mos"),
    "archive": archive_kind,
    "weights": read_state_dict,
    "image": read_image,
}


@pytest.mark.parametrize("content", STAND_INS)
@pytest.mark.parametrize("reader", READERS)
def test_every_reader_names_what_stands_in_place_of_a_file(tmp_path, content, reader):
    file = tmp_path / "file.bin"
    file.write_bytes(content)
    with pytest.raises(InputError) as caught:
        READERS[reader](file)
    message = str(caught.value)
    assert STAND_INS[content] in message and str(file) in message and "\n" not in message
    assert ("git lfs pull" in message) == (STAND_INS[content] == LFS_POINTER)


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"<?xml version='1.0'?><Error>", "an XML file, perhaps the error message of a server"),
        (b'{\n "error": 404}', "a JSON file"),
        (b"[ ]", "a JSON file"),
        (gzip.compress(b"x", mtime=0), "a gzip archive"),
        (b"BZh9", "a bzip2 archive"),
        *(
            (text, None)
            for text in (b"", b"image,mos\n", b"PKID,mos\n", b"BZhang", b"<a>,b", b"{a}", b"[a],b", b"PAR1,PAR2")
        ),
    ],
)
def test_text_that_only_begins_alike_is_no_known_kind(start, kind):
    assert file_kind(start) == kind
