"""Label files as cells: text, CSV, Excel and MATLAB, with the file and row of whatever is wrong."""

import math
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from iqadistill.datasets.images_csv import read_cells
from iqadistill.errors import InputError


def read_lines(file: Path, columns: str, separator: str | None = None) -> Iterator[tuple[str, list[str]]]:
    """Rows of a text table without header.

    Args:
        file: The table.
        columns: Their names, e.g. "reference image score"; every row must have as many. A name ending in * stands for any
            number of further columns.
        separator: Between cells; default: any run of blanks.

    Yields:
        Where the row stands, for messages; its cells.

    Raises:
        InputError: The file is no text, or a row has another number of cells.
    """
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise InputError(f"{file}: is no text; put the dataset's own label file there.") from None
    names = columns.split()
    for number, line in enumerate(lines, start=1):
        cells = line.split(separator)
        if not line.strip():
            continue
        fits = len(cells) >= len(names) - 1 if names[-1].endswith("*") else len(cells) == len(names)
        if not fits:
            raise InputError(f"{file} row {number}: has {len(cells)} columns, expected {columns}; correct the row.")
        yield f"{file} row {number}", cells


def read_table(file: Path, columns: list[str]) -> Iterator[tuple[str, list[str]]]:
    """The named columns of a CSV with header, as `read_lines`.

    Raises:
        InputError: The file is no CSV or lacks a column.
    """
    cells = read_cells(file)
    _require(file, list(cells.columns), columns)
    for row, values in zip(cells.index, cells[columns].itertuples(index=False, name=None), strict=True):
        yield f"{file} row {row + 2}", list(values)


def read_sheet(
    file: Path, columns: list[str], *, sheet: str | int = 0, header: int = 1
) -> Iterator[tuple[str, list[str]]]:
    """The named columns of an Excel sheet, as `read_lines`; rows that are empty there are left out.

    Args:
        file: The workbook.
        columns: Names in the header.
        sheet: Its name or place.
        header: Row of the header, from 1.

    Raises:
        InputError: The file is no workbook, or lacks the sheet or a column.
    """
    try:
        cells = pd.read_excel(file, sheet_name=sheet, header=header - 1, dtype=object, engine="openpyxl")
    except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{file}: is no Excel workbook with sheet {sheet!r} ({error}); get it again.") from None
    cells = cells.rename(columns=lambda name: str(name).strip())
    _require(file, list(cells.columns), columns)
    cells = cells[columns].dropna(how="all")
    for row, values in zip(cells.index, cells.itertuples(index=False, name=None), strict=True):
        yield f"{file} row {row + header + 1}", ["" if pd.isna(value) else str(value).strip() for value in values]


def read_matrix(file: Path, name: str) -> np.ndarray:
    """A variable of a MATLAB file, dimensions of length 1 dropped; cells of text become objects of type str.

    Raises:
        InputError: The file is no MATLAB file or lacks the variable.
    """
    try:
        variables = loadmat(file, squeeze_me=True)
    except (MatReadError, NotImplementedError, ValueError, TypeError, OSError) as error:
        raise InputError(f"{file}: is no readable MATLAB file ({error}); get it again.") from None
    if name not in variables:
        found = [key for key in variables if not key.startswith("__")]
        raise InputError(f"{file}: has no variable {name} but {found}; put the dataset's own file there.")
    return np.atleast_1d(variables[name])


def number(where: str, column: str, cell: str | float) -> float:
    """A cell as a finite number.

    Raises:
        InputError: It is none.
    """
    try:
        value = float(cell)
    except (ValueError, TypeError):
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{where}: {column} {cell!r} is no number; get the label file again.")
    return value


def _require(file: Path, found: list[str], columns: list[str]) -> None:
    for column in columns:
        if column not in found:
            raise InputError(f"{file}: has no column {column!r} but {found}; put the dataset's own label file there.")
