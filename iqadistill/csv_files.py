"""CSV files of users and dataset authors: cells as the file spells them, with the line that each row begins on."""

import csv
import difflib
import itertools
import math
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pandas as pd

from iqadistill.errors import InputError
from iqadistill.file_kinds import HEAD, REMEDIES, ZIP, file_kind

MOST_ROWS = 2_000_000
"""Largest number of rows: a million images with two lines each; their cells take about 1 GB of memory."""
LONGEST_LINE = 100_000  # characters; a path has at most 4096
MISSING = frozenset({"-", "na", "n/a", "#n/a", "nan", "null", "none"})
"""What programs write into a cell without a value, in lower case."""
_BLANKS = " \t\r\n\f\v\u00a0\u202f\u205f\u3000\u200b\u200c\u200d\u2060\ufeff" + "".join(map(chr, range(0x2000, 0x200B)))
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
_SAVE_AGAIN = "save it as CSV, separated by commas, in UTF-8"
_ABOVE = 20  # rows in which a header is looked for


def read_cells(file: str | Path, known: Sequence[str] = ()) -> pd.DataFrame:
    """Cells of a CSV file as text, without blanks around them.

    Nothing is guessed: a row has as many cells as the header, empty ones at its end aside. Rows without any text are
    left out.

    Args:
        file: The CSV file, in UTF-8, with a header.
        known: Names of columns that the reader knows. A header in other letter case, or with blanks or hyphens for
            underscores, is taken for the known one; a warning names any other that is almost a known one.

    Returns:
        One column of text per named column; the index is the line of the file on which the row begins, counted from 1.

    Raises:
        InputError: The file is missing, is not such a CSV file, is too large, or has no row; a row has too many or too
            few cells; a column is given twice.
    """
    rows = _rows(Path(file))
    try:
        line, header = next(rows)
    except StopIteration:
        raise InputError(f"{file}: not a valid CSV (it is empty); write a header and one row per image.") from None
    if known and (header[0].startswith("#") or not _knows(header, known)):
        above = list(itertools.islice(rows, _ABOVE))
        _refuse_other_header(file, (line, header), above, known)
        rows = itertools.chain(above, rows)
    names = _column_names(file, header, known)
    lines, kept = [], []
    for line, row in rows:
        cells = list(map(trimmed, row))
        if any(cells):
            if len(cells) != len(names) or not all(names):
                cells = _fitting(f"{file} row {line}", cells, names)
            lines.append(line)
            kept.append(cells)
    if not kept:
        raise InputError(f"{file}: lists no image; write one row per image.")
    named = [index for index, name in enumerate(names) if name]
    columns = {names[index]: [row[index] for row in kept] for index in named}
    return pd.DataFrame(columns, index=pd.Index(lines, name="line"), dtype=object)


def trimmed(text: str) -> str:
    """A cell without blanks around it, those of Unicode and invisible ones included."""
    return text.strip(_BLANKS)


def number(text: str) -> float | None:
    """The finite number that a text spells in ASCII digits with a decimal point; None if it spells none.

    What float() takes beyond that, it changes or nobody means: 1_5, digits of other scripts, inf, 1e400.
    """
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    value = float(text)
    vanished = value == 0 and re.search("[1-9]", match[1]) is not None
    return None if vanished or not math.isfinite(value) else value


def _rows(file: Path) -> Iterator[tuple[int, list[str]]]:
    """Line on which each row begins, and its cells as they stand."""
    if not file.is_file():
        raise InputError(f"{file}: no such file; correct the path.")
    lines = _Lines(file)
    reader = csv.reader(lines, strict=True, skipinitialspace=True)
    begin = 1
    try:
        for row in reader:
            if row:
                yield begin, row
            begin = lines.count + 1
    except csv.Error as error:
        raise InputError(
            f"{file} row {begin}: not a valid CSV ({error}); {_SAVE_AGAIN}, quotes around a cell closed."
        ) from None


class _Lines:
    """Lines of a text file, checked one by one, with their number so far."""

    def __init__(self, file: Path):
        self.file, self.count = file, 0

    def __iter__(self) -> Iterator[str]:
        with open(self.file, "rb") as stream:
            start = stream.read(HEAD)
        if start.startswith((b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")):
            raise InputError(f"{self.file}: not a valid CSV (its text is UTF-16 or UTF-32); {_SAVE_AGAIN}.")
        if kind := file_kind(start):
            unpack = "unpack it, or, if it is an Excel workbook, " if kind == ZIP else "unpack it; "
            archive = unpack if kind.endswith("archive") else ""
            remedy = REMEDIES.get(kind, f"{archive}{_SAVE_AGAIN}")
            raise InputError(f"{self.file}: not a valid CSV but {kind}; {remedy}.")
        if _count_lines(self.file) > MOST_ROWS + 1:
            raise InputError(f"{self.file}: has more than {MOST_ROWS} lines; split the dataset.")
        with open(self.file, encoding="utf-8-sig", newline="") as stream:
            while True:
                try:
                    line = stream.readline(LONGEST_LINE)
                except UnicodeDecodeError:
                    raise InputError(f"{self.file}: not a valid CSV (its text is not UTF-8); {_SAVE_AGAIN}.") from None
                if not line:
                    return
                self.count += 1
                if "\0" in line:
                    raise InputError(
                        f"{self.file} row {self.count}: not a valid CSV (it holds NUL characters); {_SAVE_AGAIN}."
                    )
                if len(line) == LONGEST_LINE:
                    raise InputError(
                        f"{self.file} row {self.count}: has more than {LONGEST_LINE} characters; {_SAVE_AGAIN}."
                    )
                yield line


def _count_lines(file: Path) -> int:
    """Number of lines, however they end; a last line without an end does not count."""
    count = 0
    with open(file, "rb") as stream:
        while block := stream.read(1 << 20):
            count += block.count(b"\n") or block.count(b"\r")
    return count


def _knows(row: Sequence[str], known: Sequence[str]) -> bool:
    """Whether a row names a known column."""
    return not {_plain(trimmed(name)) for name in row}.isdisjoint(map(_plain, known))


def _refuse_other_header(
    file: str | Path,
    header: tuple[int, Sequence[str]],
    above: Iterable[tuple[int, Sequence[str]]],
    known: Sequence[str],
) -> None:
    """Refuse a first row that is a title or comment; comments are not skipped, for a name may begin with #."""
    row, names = header
    first = trimmed(names[0])
    if first.startswith("#") and _knows([first.lstrip("#")], known):
        raise InputError(f"{file} row {row}: its header begins with #; remove the #.")
    if _knows(names, known):
        return
    for line, cells in above:
        if _knows(cells, known):
            raise InputError(
                f"{file} row {row}: holds {first!r} instead of the header, which is in row {line}; remove the rows "
                "above it."
            )
    if first.startswith("#"):
        raise InputError(f"{file} row {row}: begins with #; remove the line, for comments are not read.")


def _column_names(file: str | Path, header: Sequence[str], known: Sequence[str]) -> list[str]:
    """Names of the columns, "" for one without; known ones as the reader spells them."""
    names = list(map(trimmed, header))
    while names and not names[-1]:
        names.pop()
    if len(names) == 1:
        for separator, what in _SEPARATORS.items():
            if separator in names[0]:
                raise InputError(f"{file}: its columns are separated by {what}; separate them by commas.")
    if names and re.fullmatch("sep=.?", names[0]):
        raise InputError(f"{file} row 1: holds {names[0]!r} instead of the header; remove the line.")
    if not names:
        raise InputError(f"{file} row 1: not a valid CSV (its header is empty); name each column there.")
    plain = {_plain(name): name for name in known}
    spelt = [plain.get(_plain(name), name) if name not in known else name for name in names]
    seen: dict[str, str] = {}
    for name, original in zip(spelt, names, strict=True):
        if name and seen.setdefault(_plain(name), original) is not original:
            raise InputError(
                f"{file}: has the column {name!r} twice, as {seen[_plain(name)]!r} and {original!r}; remove or rename "
                "one of them."
            )
    return spelt


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "_", name).casefold()


def _fitting(where: str, cells: list[str], names: Sequence[str]) -> list[str]:
    """A row's cells, one per column."""
    while len(cells) > len(names) and not cells[-1]:
        cells.pop()
    if len(cells) != len(names):
        what = f"too many, the last {cells[-1]!r}" if len(cells) > len(names) else "too few"
        remedy = "quote a cell that holds a comma, and leave none out"
        if cells[0].startswith("#"):
            remedy = "remove the line if it is a comment"
        raise InputError(f"{where}: has {len(cells)} cells for {len(names)} columns, {what}; {remedy}.")
    for index, (name, cell) in enumerate(zip(names, cells, strict=True)):
        if cell and not name and index:  # the first may number the rows
            raise InputError(f"{where}: holds {cell!r} in column {index + 1}, which has no name; name it or remove it.")
    return cells


def warn_of_misspelt(file: str | Path, present: Iterable[str], known: Iterable[str]) -> None:
    """Warn of columns that are ignored although their name is almost a known one, which the file lacks."""
    present = list(present)
    missing = {_plain(name): name for name in known if name not in present}
    for name in present:
        close = [] if name in known else difflib.get_close_matches(_plain(name), missing, n=1, cutoff=0.8)
        if close:
            warnings.warn(
                f"{file}: the column {name!r} is ignored; if it is meant as {missing[close[0]]!r}, rename it.",
                stacklevel=3,
            )


def require_columns(file: str | Path, present: Iterable[str], columns: Iterable[str], remedy: str) -> None:
    """Check that a file has columns.

    Args:
        file: The file.
        present: Names of its columns.
        columns: Names of the columns that it must have.
        remedy: What to do where one is missing.

    Raises:
        InputError: A column is missing.
    """
    present = list(present)
    for column in columns:
        if column not in present:
            raise InputError(f"{file}: has no column {column!r} but {present}; {remedy}.")
