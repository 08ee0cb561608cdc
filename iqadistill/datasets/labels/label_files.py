"""Readers of label files: text, CSV, Excel and MATLAB, with file and row in every message."""

import math
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from iqadistill.datasets.images_csv import read_cells
from iqadistill.errors import InputError


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
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
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
        InputError: The file is not a CSV file or lacks a column.
    """
    cells = read_cells(file)
    _require(file, list(cells.columns), columns)
    for row, values in zip(cells.index, cells[columns].itertuples(index=False, name=None), strict=True):
        yield f"{file} row {row + 2}", list(values)


def read_sheet(
    file: Path, columns: list[str], *, sheet: str | int = 0, header: int = 1
) -> Iterator[tuple[str, list[str]]]:
    """Named columns of an Excel sheet, without rows that are empty in all of them; yields what `read_lines` yields.

    Args:
        file: The workbook.
        columns: Names of the columns in the header.
        sheet: Name or index of the sheet.
        header: Row of the header, counted from 1.

    Raises:
        InputError: The file is not a workbook, or lacks the sheet or a column.
    """
    try:
        cells = pd.read_excel(file, sheet_name=sheet, header=header - 1, dtype=object, engine="openpyxl")
    except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{file}: not an Excel workbook with sheet {sheet!r} ({error}); get it again.") from None
    cells = cells.rename(columns=lambda name: str(name).strip())
    _require(file, list(cells.columns), columns)
    cells = cells[columns].dropna(how="all")
    for row, values in zip(cells.index, cells.itertuples(index=False, name=None), strict=True):
        yield f"{file} row {row + header + 1}", ["" if pd.isna(value) else str(value).strip() for value in values]


def read_variable(file: Path, name: str) -> np.ndarray:
    """A variable of a MATLAB file, without dimensions of length 1; cells of text become objects of type str.

    Raises:
        InputError: The file is not a MATLAB file or lacks the variable.
    """
    from scipy.io import loadmat  # only some datasets have MATLAB files
    from scipy.io.matlab import MatReadError

    try:
        variables = loadmat(file, squeeze_me=True)
    except (MatReadError, NotImplementedError, ValueError, TypeError, OSError) as error:
        raise InputError(f"{file}: not a readable MATLAB file ({error}); get it again.") from None
    if name not in variables:
        others = [key for key in variables if not key.startswith("__")]
        raise InputError(f"{file}: has no variable {name} but {others}; put the dataset's official file there.")
    return np.atleast_1d(variables[name])


def as_number(where: str, column: str, cell: str | float) -> float:
    """The finite number in a cell.

    Raises:
        InputError: The cell holds anything else.
    """
    try:
        value = float(cell)
    except (ValueError, TypeError):
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{where}: {column} {cell!r} is not a number; get the label file again.")
    return value


def _require(file: Path, present: list[str], columns: list[str]) -> None:
    for column in columns:
        if column not in present:
            raise InputError(
                f"{file}: has no column {column!r} but {present}; put the dataset's official label file there."
            )
