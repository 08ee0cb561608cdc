"""Cells of Excel sheets and MATLAB files: read as they were written, or refused where a program has changed them."""

import datetime
import gzip
import zipfile

import numpy as np
import pytest
from openpyxl import Workbook
from openpyxl.worksheet.formula import ArrayFormula
from scipy.io import savemat

from iqadistill.datasets.labels.label_files import read_csv, read_lines, read_sheet, read_variable
from iqadistill.datasets.labels.official import read_official_labels
from iqadistill.errors import InputError


@pytest.fixture
def read(tmp_path):
    """A function that writes rows below a header to a workbook, changes the sheet, and reads it."""

    def read(*rows, change=lambda sheet: None, **options):
        book = Workbook()
        for row in (["image", "mos"], *rows):
            book.active.append(row)
        change(book.active)
        book.save(tmp_path / "labels.xlsx")
        return [cells for _, cells in read_sheet(tmp_path / "labels.xlsx", ["image", "mos"], **options)]

    return read


def formatted(place, form):
    def change(sheet):
        sheet[place].number_format = form

    return change


def test_text_and_numbers_are_read_as_they_are_shown(read):
    rows = [["1-2", 3], [1600, 0.1], ["007", "3.10"], ["TRUE", 1e-5], [" a\u200b.png\u00a0", -0.0], ["2020-01-02", 2.0]]
    expected = [
        ["1-2", "3"],
        ["1600", "0.1"],
        ["007", "3.10"],
        ["TRUE", "1e-05"],
        ["a\u200b.png", "0"],
        ["2020-01-02", "2"],
    ]
    assert read(*rows) == expected
    assert read([7, 1], change=formatted("A2", "0000")) == [["0007", "1"]]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ([datetime.datetime(2020, 1, 2), 3], "row 2: image holds a date or time (2020-01-02"),
        (["a.png", datetime.date(2020, 3, 10)], "row 2: mos holds a date or time (2020-03-10"),
        (["a.png", datetime.time(1, 2)], "row 2: mos holds a date or time (01:02"),
        (["a.png", datetime.timedelta(hours=30)], "row 2: mos holds a date or time"),
        ([True, 3], "row 2: image holds a truth value (True"),
        (["#N/A", 3], "row 2: image holds an error (#N/A)"),
        (["a.png", "#DIV/0!"], "row 2: mos holds an error (#DIV/0!)"),
        ([20190101123456789, 3], "row 2: image holds a number of more digits than"),
        (["a.png", None], "row 2: mos is empty; fill it (of merged cells"),
        (["a.png", "=1+1"], "row 2: holds the formula '=1+1' without its value"),
        (["a.png", ArrayFormula("B2:B2", "=SUM(1)")], "row 2: holds the formula '=SUM(1)' without its value"),
    ],
)
def test_cell_that_a_program_changed_is_refused(read, row, said):
    with pytest.raises(InputError) as caught:
        read(row)
    assert said in str(caught.value) and "labels.xlsx" in str(caught.value) and "\n" not in str(caught.value)


def test_number_that_is_shown_as_a_date_is_refused(read):
    with pytest.raises(InputError, match="mos holds a date or time"):
        read(["a.png", 3.1], change=formatted("B2", "d-mmm"))


def test_merged_name_is_refused_and_not_left_empty(read):
    with pytest.raises(InputError, match="row 3: image is empty; fill it"):
        read(["a.png", 1], [None, 2], change=lambda sheet: sheet.merge_cells("A2:A3"))
    assert read(["a.png", 1], ["b.png", None], [None, None], ["c.png", 2], optional=["mos"])[1] == ["b.png", ""]


def test_first_sheet_is_the_first_that_is_shown(read, tmp_path):
    def hide(sheet):
        hidden = sheet.parent.create_sheet("old", 0)
        hidden.append(["image", "mos"])
        hidden.append(["old.png", 1])
        hidden.sheet_state = "hidden"

    assert read(["a.png", 3], change=hide) == [["a.png", "3"]]


OTHERS = {
    b"<!DOCTYPE html><html><title>Sign in</title>": "is a web page, not",
    b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n": "is a Git LFS pointer, not",
    gzip.compress(b"labels", mtime=0): "is a gzip archive, not",
    b"%PDF-1.5": "is a PDF document, not",
}


@pytest.mark.parametrize("content", OTHERS)
@pytest.mark.parametrize("reader", [read_sheet, read_lines, read_variable, read_csv])
def test_other_files_are_said(tmp_path, content, reader):
    (tmp_path / "labels").write_bytes(content)
    columns = {read_sheet: ["image"], read_csv: ["image"], read_lines: "image mos", read_variable: "MOS"}[reader]
    said = (
        OTHERS[content].replace("is a", "not a valid CSV but a").replace(", not", "")
        if reader is read_csv
        else OTHERS[content]
    )
    with pytest.raises(InputError, match=f"labels: {said}"):
        list(reader(tmp_path / "labels", columns))


def test_old_and_new_formats_of_a_program_are_said(tmp_path):
    (tmp_path / "a.xlsx").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99))
    with pytest.raises(InputError, match=r"a\.xlsx: is an old Office document \(\.xls\), or one with a password, not"):
        list(read_sheet(tmp_path / "a.xlsx", ["image"]))
    (tmp_path / "a.mat").write_bytes(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512))
    with pytest.raises(InputError, match=r"a\.mat: is a MATLAB file of version 7\.3, not .* option -v7"):
        read_variable(tmp_path / "a.mat", "MOS")
    with zipfile.ZipFile(tmp_path / "b.xlsx", "w") as packed:
        packed.writestr("readme.txt", "x")
    with pytest.raises(InputError, match=r"b\.xlsx: not an Excel workbook"):
        list(read_sheet(tmp_path / "b.xlsx", ["image"]))


def test_cell_of_a_matlab_file_that_is_no_name_is_refused(tmp_path):
    cells = np.empty((1, 2), dtype=object)
    for name in (np.array([]), 100.0, " "):
        cells[0] = [name, 50.0]
        savemat(tmp_path / "CVIQ.mat", {"CVIQ": np.repeat(cells, 2, axis=0)})
        with pytest.raises(InputError, match=r"CVIQ\.mat row 1: image .* is not the name of an image"):
            read_official_labels("cviq", tmp_path)


def test_empty_name_and_negative_deviation_are_refused(tmp_path):
    (tmp_path / "labels_image.csv").write_text("name,mos\n,50\n")
    with pytest.raises(InputError, match=r"labels_image\.csv row 2: name is empty"):
        read_official_labels("livefb", tmp_path)
    (tmp_path / "dmos.csv").write_text("dist_img,ref_img,dmos,var\nI01_01_01.png,I01.png,4,-1\n")
    with pytest.raises(InputError, match=r"dmos\.csv row 2: the standard deviation -1 is below 0"):
        read_official_labels("kadid10k", tmp_path)
