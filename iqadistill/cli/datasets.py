"""`iqadistill datasets`: list the known datasets and the state of their files."""

import argparse
import json
import textwrap
from pathlib import Path
from typing import Any

from iqadistill.datasets.registry import DatasetRecord, dataset_records
from iqadistill.datasets.retrieval.retrieval import dataset_status
from iqadistill.errors import InputError
from iqadistill.paths import path_argument

COLUMNS = ("name", "kind", "access", "status", "images", "where")
WIDTH = 100
INDENT = 12


def add_parser(commands: Any) -> None:
    """Add the subcommand to an argparse parser."""
    parser = commands.add_parser(
        "datasets",
        help="list the known datasets and the state of their files",
        description="List the known datasets, those of datasets.yaml here too, and the state of their files.",
    )
    parser.add_argument(
        "--data",
        type=path_argument,
        default=Path("data"),
        metavar="FOLDER",
        help="folder with one subfolder per dataset (default: data)",
    )
    parser.add_argument("--json", action="store_true", help="print everything that is known about each dataset as JSON")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print the table."""
    if given.data.is_file():
        raise InputError(f"--data {given.data}: is a file; give a folder.")
    rows = [_row(name, record, given.data) for name, record in dataset_records().items()]
    print(json.dumps(rows, indent=2) if given.json else _table(rows))
    return 0


def _row(name: str, record: DatasetRecord, data: Path) -> dict[str, Any]:
    return {
        "name": name,
        "kind": record.kind,
        "access": record.access or {"rendered": "rendered", "folder": "your own"}[record.origin],
        "status": _status(name, record, data / name),
        "images": record.distorted or record.references,
        "where": _where(name, record, data),
        **record.model_dump(mode="json", exclude={"kind", "access"}),
    }


def _status(name: str, record: DatasetRecord, root: Path) -> str:
    if record.origin == "archive":
        return dataset_status(record, root)
    needs_folder = record.origin == "folder" or name == "panoramas"
    return "ready" if not needs_folder or root.is_dir() else "missing"


def _where(name: str, record: DatasetRecord, data: Path) -> str:
    """Where the files come from, with the licence if known."""
    if record.origin == "rendered" and name != "panoramas":
        return "rendered by the workflow"
    if record.origin != "archive":
        return f"your images in {data / name}, or in the root that a study gives"
    return f"{record.page or record.archives[0].name}" + (f" ({record.licence})" if record.licence else "")


def _table(rows: list[dict[str, Any]]) -> str:
    """Aligned columns; the last one is wrapped onto separate lines where it would exceed the width."""
    cells = [["" if row[column] is None else str(row[column]) for column in COLUMNS] for row in rows]
    widths = [max(map(len, column)) for column in zip(COLUMNS, *cells, strict=True)]
    lines = []
    for *fixed, last in [list(COLUMNS), *cells]:
        aligned = [cell.ljust(width) for cell, width in zip(fixed, widths, strict=False)]
        aligned[-1] = fixed[-1].rjust(widths[len(fixed) - 1])
        line = "  ".join([*aligned, last])
        wrapped = textwrap.wrap(last, WIDTH - INDENT, break_long_words=False, break_on_hyphens=False)
        lines += [line] if len(line) <= WIDTH else ["  ".join(aligned), *(" " * INDENT + part for part in wrapped)]
    return "\n".join(line.rstrip() for line in lines)
