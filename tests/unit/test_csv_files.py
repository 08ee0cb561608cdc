"""Cells of CSV files as any exporter writes them: kept as they are spelt, or refused with file and row."""

import codecs
import gzip

import pytest

from iqadistill import csv_files
from iqadistill.csv_files import number, read_cells
from iqadistill.errors import InputError

KNOWN = ("image", "score", "is_reference")


@pytest.fixture
def read(tmp_path):
    """A function that reads a CSV of this text or these bytes into (line, *cells) tuples."""

    def read(content, known=KNOWN):
        file = tmp_path / "list.csv"
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return list(read_cells(file, known).itertuples(name=None))

    return read


@pytest.mark.parametrize(
    "text",
    [
        "image,score\na.png,1.5,\nb.png,2.5,\n",
        "image,score\na.png,1.5,\nb.png,2.5\n",
        "image,score\na.png,1.5\nb.png,2.5,,\n",
        "image,score,\na.png,1.5,\nb.png,2.5,\n",
        "image,score,,\na.png,1.5\nb.png,2.5,,,\n",
        "image,score\r\na.png,1.5\r\nb.png,2.5\r\n",
        "image,score\ra.png,1.5\rb.png,2.5",
        "\ufeffimage,score\na.png,1.5\nb.png,2.5",
        "image, score\n a.png , 1.5\n\u200bb.png\u00a0,2.5\ufeff\n",
        "Image,SCORE\na.png,1.5\nb.png,2.5\n",
        '"image","score"\n"a.png","1.5"\n"b.png", "2.5"\n',
        "image,score\n\u3000a.png\u2003,\u202f1.5\nb.png\u2060,2.5\n",
    ],
)
def test_two_rows_however_they_are_written(read, text):
    assert read(text) == [(2, "a.png", "1.5"), (3, "b.png", "2.5")]


def test_cells_are_never_changed(read):
    cells = ["001", "TRUE", "NA", "nan", "None", "null", "1.0", "1_5", "0x10", "1e5", "#N/A", "2020-01-01", "<NA>", "-"]
    text = "image,score\n" + "".join(f"{cell},{cell}\n" for cell in cells)
    assert read(text) == [(line, cell, cell) for line, cell in enumerate(cells, 2)]


def test_rows_are_named_by_the_line_they_begin_on(read):
    text = 'image,score\n\na.png,1\n"b\nc.png",2\n,\n  \n\n"d.png",3\n'
    assert read(text) == [(3, "a.png", "1"), (4, "b\nc.png", "2"), (9, "d.png", "3")]


def test_numbers_of_rows_without_a_name_are_left_out(read):
    assert read(",image,score\n0,a.png,1\n1,b.png,2\n") == [(2, "a.png", "1"), (3, "b.png", "2")]


def test_number_sign_may_name_a_column_or_begin_a_name(read):
    assert read("#,image,score\n1,#1.png,2\n") == [(2, "1", "#1.png", "2")]
    assert read("name,PK,PAR1,score\nx,1,2,3\n") == [(2, "x", "1", "2", "3")]


def test_header_in_other_words_is_the_known_one(tmp_path):
    (tmp_path / "list.csv").write_text("IMAGE,Is Reference,is-good\na.png,1,2\n")
    assert list(read_cells(tmp_path / "list.csv", KNOWN).columns) == ["image", "is_reference", "is-good"]


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("", "it is empty"),
        ("\n\n", "it is empty"),
        ("image,score\n", "lists no image"),
        ("image,score\n,\n ,\n", "lists no image"),
        (",,\na,1,2\n", "row 1: .*header is empty"),
        ("image,score\na.png,1,5\n", "row 2: has 3 cells for 2 columns, too many, the last '5'"),
        ("image,score,\na.png,1,5\n", "row 2: has 3 cells for 2 columns, too many, the last '5'"),
        ("image,score\nb.png,2\n\na.png\n", "row 4: has 1 cells for 2 columns, too few"),
        ("image,,score\na.png,x,5\n", "row 2: holds 'x' in column 2, which has no name"),
        ("image;score\na.png;1,5\n", "separated by semicolons"),
        ("image\tscore\na.png\t1\n", "separated by tabs"),
        ("sep=,\nimage,score\na,1\n", "row 1: holds 'sep='"),
        ("sep=;\nimage;score\na;1\n", "separated by semicolons"),
        ("image,score,image\na,1,b\n", "column 'image' twice"),
        ("image,score,Image\na,1,b\n", "column 'image' twice, as 'image' and 'Image'"),
        ("image,note,Note\na,1,b\n", "column 'Note' twice"),
        ("image,score\na,1".encode("utf-16"), "UTF-16"),
        (codecs.BOM_UTF16_BE + "image".encode("utf-16-be"), "UTF-16"),
        ("image,score\na,1".encode("utf-16-le"), "row 1: .*NUL"),
        ("image,score\nö,1\n".encode("latin-1"), "not UTF-8"),
        (b"image,score\na\0,1\n", "row 2: .*NUL"),
        (b"PK\3\4 and so on", "Excel workbook"),
        (b"<!DOCTYPE html>\n<html><head><title>404, not found</title>", "but a web page; download the file itself"),
        (b"\n <HTML lang=en>", "but a web page"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code>", "but an XML file, perhaps the error message"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
            "but a Git LFS pointer; .*git lfs pull",
        ),
        (gzip.compress(b"image,score\na,1\n", mtime=0), "but a gzip archive; unpack it"),
        (b"PK\5\6" + bytes(18), "but a zip archive"),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99),
            r"but an old Office document \(\.xls\), or one with a password",
        ),
        (b"%PDF-1.7\n", "but a PDF document"),
        (b'[{"image": "a.png", "score": 1}]', "but a JSON file"),
        (b"\x89PNG\r\n\x1a\n", "but a PNG image"),
        ("image,score\na,1".encode("utf-32"), "UTF-32"),
        ("# scores of 2020\nimage,score\na,1\n", "row 1: holds '# scores of 2020' instead of the header, .* row 2"),
        ("Scores,of,2020\n\nimage,score\na,1\n", "row 1: holds 'Scores' instead of the header, .* row 3"),
        ("# image,score\na,1\n", "row 1: its header begins with #; remove the #"),
        ("# a note\nname,value\na,1\n", "row 1: begins with #"),
        (
            "image,score\n# a note\na,1\n",
            "row 2: has 1 cells for 2 columns, too few; remove the line if it is a comment",
        ),
        ('image,score\na,1\n"b,2\nc,3\n', "row 3: not a valid CSV"),
        ('image,score\n"a"b,1\n', "row 2: not a valid CSV"),
        ("image,score\n" + "a" * 200_000 + ",1\n", "row 2: has more than 100000 characters"),
    ],
)
def test_unclear_files_are_refused_in_one_sentence(read, content, match):
    with pytest.raises(InputError, match=rf"list\.csv.*{match}") as caught:
        read(content)
    assert "\n" not in str(caught.value)


def test_missing_file_and_too_many_rows_are_refused(tmp_path, read, monkeypatch):
    with pytest.raises(InputError, match="no such file"):
        read_cells(tmp_path / "none.csv")
    monkeypatch.setattr(csv_files, "MOST_ROWS", 3)
    read("image,score\n" + "a,1\n" * 3)
    with pytest.raises(InputError, match="more than 3 lines"):
        read("image,score\n" + "a,1\n" * 4)


@pytest.mark.parametrize(
    ("text", "value"), [("1", 1), ("-1.5", -1.5), ("+.5", 0.5), ("5.", 5), ("1e-3", 0.001), ("0.0", 0), ("007", 7)]
)
def test_numbers_are_read(text, value):
    assert number(text) == value


@pytest.mark.parametrize(
    "text",
    [
        *["1.5%", "1 234", "1.5 ", "1e", ".", "e5", "--1", "−1", "1.5f", "TRUE", "1/2", "=1+1", "5\n"],
        "",
        "1_5",
        "\uff11\uff15",
        "\u0661",
        "1e400",
        "-1e400",
        "1e-400",
        "inf",
        "nan",
        "0x10",
        "1,5",
        "1.234,5",
        "1,234",
    ],
)
def test_what_only_looks_like_a_number_is_none(text):
    assert number(text) is None
