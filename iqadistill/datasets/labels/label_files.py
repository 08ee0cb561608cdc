"""Readers of label files: text, CSV, Excel and MATLAB, with file and row in every message."""

import math
import re
import struct
import zipfile
import zlib
from collections.abc import Collection, Container, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from iqadistill.csv_files import MOST_ROWS, number, read_cells, require_columns, trimmed
from iqadistill.datasets.labels.matlab_variable import load_variable
from iqadistill.errors import InputError
from iqadistill.file_kinds import HEAD, MATLAB, MATLAB_73, REMEDIES, ZIP, file_kind

if TYPE_CHECKING:
    from openpyxl.cell import Cell

LARGEST = 2**28
"""Largest size of a label file in bytes, unpacked; the largest official one has 4 MB."""
_COMPRESSED = 15  # type of a part of a MATLAB file
_REMEDY = "put the dataset's official label file there"
_REMEDIES = REMEDIES | {MATLAB_73: "open it in MATLAB and save it with the option -v7"}
_CHANGED = {"d": "a date or time", "b": "a truth value", "e": "an error"}  # types of cells in openpyxl
_ROUNDED = 10**15  # spreadsheet programs keep 15 digits


def read_lines(file: Path, columns: str, separator: str | None = None) -> Iterator[tuple[str, list[str]]]:
    """Rows of a text table without header.

    Args:
        file: The table.
        columns: Names of the columns, e.g. "reference image score"; every row must have as many. A name ending in *
            stands for any number of further columns.
        separator: Separator of cells; default: any run of blanks.

    Yields:
        File and row, for messages; the row's cells.

    Raises:
        InputError: The file is not text, or a row has another number of cells.
    """
    _check_size(file)
    _check_kind(file, "a text file")
    try:
        lines = file.read_text(encoding="utf-8-sig").split("\n")
    except (UnicodeDecodeError, OSError):
        raise InputError(f"{file}: not a text file; put the dataset's official label file there.") from None
    names = columns.split()
    for row, line in enumerate(lines, start=1):
        cells = line.split(separator)
        if not line.strip():
            continue
        fits = len(cells) >= len(names) - 1 if names[-1].endswith("*") else len(cells) == len(names)
        if not fits:
            raise InputError(f"{file} row {row}: has {len(cells)} columns, expected {columns}; correct the row.")
        yield f"{file} row {row}", cells


def read_csv(file: Path, columns: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Named columns of a CSV file with header; yields what `read_lines` yields.

    Raises:
        InputError: The file is not a CSV file or lacks a column, or a cell is empty.
    """
    cells = read_cells(file, columns)
    require_columns(file, cells.columns, columns, _REMEDY)
    for row, values in zip(cells.index, cells[columns].itertuples(index=False, name=None), strict=True):
        _refuse_empty(f"{file} row {row}", columns, values)
        yield f"{file} row {row}", list(values)


def read_sheet(
    file: Path, columns: list[str], *, sheet: str | int = 0, header: int = 1, optional: Collection[str] = ()
) -> Iterator[tuple[str, list[str]]]:
    """Named columns of an Excel sheet, without rows that are empty in all of them; yields what `read_lines` yields.

    A cell that a spreadsheet program has changed, such as a date made of 1-2 or 3.10, is refused.

    Args:
        file: The workbook.
        columns: Names of the columns in the header.
        sheet: Name of the sheet, or its index among those that are not hidden.
        header: Row of the header, counted from 1.
        optional: Columns that may have empty cells.

    Raises:
        InputError: The file is not a workbook, or lacks the sheet or a column; a cell is empty, or holds no text or
            number.
    """
    _check_kind(file, "an Excel workbook (.xlsx)", ZIP)
    rows = _sheet_rows(file, sheet, header, values=True)
    names = [trimmed(str(cell.value)) for cell in next(rows, (0, []))[1]]
    require_columns(file, names, columns, _REMEDY)
    for column in columns:
        if names.count(column) > 1:
            raise InputError(f"{file}: has the column {column!r} twice; {_REMEDY}.")
    places = {column: names.index(column) for column in columns}
    wanted = {
        row: [_text(f"{file} row {row}: {name}", cells, place) for name, place in places.items()] for row, cells in rows
    }
    incomplete = {row for row, cells in wanted.items() if "" in cells}
    if incomplete:
        _refuse_formulas(file, sheet, header, places.values(), incomplete)
    for row, texts in wanted.items():
        if any(texts):
            _refuse_empty(f"{file} row {row}", columns, texts, optional)
            yield f"{file} row {row}", texts


def _sheet_rows(file: Path, sheet: str | int, header: int, values: bool) -> Iterator[tuple[int, Sequence["Cell"]]]:
    """Number and cells of each row of a sheet from the header on: values, or the formulas behind them."""
    from openpyxl import load_workbook  # only some datasets have workbooks

    try:
        with zipfile.ZipFile(file) as parts:
            size = sum(part.file_size for part in parts.infolist())
        if size > LARGEST:
            raise ValueError(f"it unpacks to {size} bytes")
        book = load_workbook(file, read_only=True, data_only=values)
        shown = [one for one in book.worksheets if one.sheet_state == "visible"]
        worksheet = shown[sheet] if isinstance(sheet, int) else book[sheet]
        worksheet.reset_dimensions()  # what a sheet says of its size may be wrong
        for row, cells in enumerate(worksheet.iter_rows(), start=1):
            if row > MOST_ROWS:
                raise ValueError(f"it has more than {MOST_ROWS} rows")
            if row >= header:
                yield row, cells
    except Exception as error:  # openpyxl raises whatever a damaged workbook leads it to
        name = sheet if isinstance(sheet, str) else "of labels"
        raise InputError(
            f"{file}: not an Excel workbook with a sheet {name} ({_one_line(error)}); get it again."
        ) from None


def _refuse_formulas(
    file: Path, sheet: str | int, header: int, places: Iterable[int], incomplete: Container[int]
) -> None:
    """Check that cells without a value hold no formula, which a program has not computed yet."""
    for row, cells in _sheet_rows(file, sheet, header, values=False):
        for place in places if row in incomplete else ():
            if place < len(cells) and cells[place].data_type == "f":
                formula = getattr(cells[place].value, "text", cells[place].value)  # of an array formula
                raise InputError(
                    f"{file} row {row}: holds the formula {formula!r} without its value; open the workbook in a "
                    "spreadsheet program and save it."
                )


def _text(where: str, cells: Sequence["Cell"], place: int) -> str:
    """A cell as the text that a spreadsheet program shows; a whole number without decimals, as Excel has no integers.

    Raises:
        InputError: It holds anything else than text or a number as it was written.
    """
    cell = cells[place] if place < len(cells) else None
    if cell is None or cell.value is None:
        return ""
    value = cell.value
    if cell.data_type in _CHANGED:
        raise InputError(f"{where} holds {_CHANGED[cell.data_type]} ({value}); {_REMEDY}, or restore the cell as text.")
    if isinstance(value, str):
        return trimmed(value)
    if float(value).is_integer():
        if abs(value) >= _ROUNDED:
            raise InputError(f"{where} holds a number of more digits than a spreadsheet program keeps; {_REMEDY}.")
        padded = re.fullmatch("0+", cell.number_format or "")  # 7 that is shown as 007
        return f"{int(value):0{len(padded[0]) if padded else 1}d}"
    return str(value)


def _refuse_empty(where: str, columns: Sequence[str], cells: Iterable[str], optional: Collection[str] = ()) -> None:
    for column, cell in zip(columns, cells, strict=True):
        if not cell and column not in optional:
            raise InputError(
                f"{where}: {column} is empty; fill it (of merged cells, only the first holds their value)."
            )


def read_variable(file: Path, name: str) -> np.ndarray:
    """A variable of a MATLAB file, without dimensions of length 1; cells of text become objects of type str.

    Raises:
        InputError: The file is not a MATLAB file or lacks the variable.
    """
    _check_size(file)
    _check_kind(file, "a MATLAB file", MATLAB)
    # SciPy's compiled reader crashes on some damaged files, which then ends a process of its own only. That one is
    # forked, for a spawned one would run the script of a Snakemake job once more.
    try:
        reader = ProcessPoolExecutor(1, mp_context=get_context("fork"))
    except OSError as error:
        raise InputError(
            f"{file}: cannot be read, for processes cannot share a lock on this machine ({error}); make /dev/shm "
            "writable, and run again."
        ) from None
    try:
        _check_matlab_size(file)
        with reader:
            names, variable = reader.submit(load_variable, file, name).result()
    except BrokenProcessPool:
        raise InputError(f"{file}: is damaged, reading it crashed; get it again.") from None
    except Exception as error:  # SciPy raises whatever a damaged file leads it to
        raise InputError(f"{file}: not a readable MATLAB file ({_one_line(error)}); get it again.") from None
    if variable is None:
        raise InputError(f"{file}: has no variable {name} but {names}; {_REMEDY}.")
    return np.atleast_1d(variable)


def _check_matlab_size(file: Path) -> None:
    """Check that the compressed parts of a MATLAB file unpack to a bounded size, before SciPy unpacks them.

    After a header of 128 bytes, a file of version 5 is a chain of parts: type, length, content.

    Raises:
        ValueError: They do not.
    """
    data = memoryview(file.read_bytes())
    order = "<" if bytes(data[126:128]) == b"IM" else ">"
    place, left = 128, LARGEST
    while place + 8 <= len(data):
        kind, length = struct.unpack_from(f"{order}II", data, place)
        if kind == _COMPRESSED:
            unpacker = zlib.decompressobj()
            rest: bytes | memoryview = data[place + 8 : place + 8 + length]
            while rest and not unpacker.eof:
                left -= len(unpacker.decompress(rest, 2**20))
                rest = unpacker.unconsumed_tail
                if left < 0:
                    raise ValueError(f"it unpacks to more than {LARGEST} bytes")
        place += 8 + length


def _check_size(file: Path) -> None:
    size = file.stat().st_size
    if size > LARGEST:
        raise InputError(f"{file}: has {size} bytes, too many for a label file; get it again.")


def _check_kind(file: Path, wanted: str, *kinds: str) -> None:
    """Name what a file is instead, where its first bytes tell."""
    with open(file, "rb") as stream:
        kind = file_kind(stream.read(HEAD))
    if kind is not None and kind not in kinds:
        raise InputError(f"{file}: is {kind}, not {wanted}; {_REMEDIES.get(kind, _REMEDY)}.")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _shown(cell: object) -> str:
    """What a cell holds, in one line: a MATLAB file may have arrays in it."""
    text = " ".join(repr(cell).split())
    return text if len(text) <= 100 else f"{text[:97]}..."


def as_number(where: str, column: str, cell: str | float) -> float:
    """The finite number in a cell.

    Raises:
        InputError: The cell holds anything else.
    """
    try:
        value = number(cell) if isinstance(cell, str) else None if np.iscomplexobj(cell) else float(cell)
    except (ValueError, TypeError, OverflowError):
        value = None
    if value is None or not math.isfinite(value):
        raise InputError(f"{where}: {column} {_shown(cell)} is not a number; get the label file again.")
    return value


def as_name(where: str, column: str, cell: object) -> str:
    """The name of an image in a cell, without blanks around it.

    Raises:
        InputError: The cell holds anything else than text.
    """
    name = trimmed(cell) if isinstance(cell, str) else ""
    if not name:
        raise InputError(f"{where}: {column} {_shown(cell)} is not the name of an image; get the label file again.")
    return name
