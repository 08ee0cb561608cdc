"""`iqadistill doctor`: whether this machine has what a run needs, a line each."""

import argparse
import platform
import re
import shutil
import sys
import textwrap
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any, NamedTuple

from packaging.requirements import Requirement

from iqadistill.datasets.registry import dataset_records
from iqadistill.datasets.retrieval.unpackers import PROGRAMS

WIDTH = 100
PYTHON = (3, 11)
ROOM = 20 << 30  # bytes that a study with some official datasets needs
TIGHT = 2 << 30  # bytes that even the demo needs


class Finding(NamedTuple):
    """One line: state is ok, warning or problem; what was looked at; what was found, and what to do."""

    state: str
    what: str
    found: str


def add_parser(commands: Any) -> None:
    """Add the subcommand to an argparse parser."""
    text = "say whether this machine has what a run needs"
    parser = commands.add_parser(
        "doctor", help=text, description=f"{text[0].upper()}{text[1:]}; fails on problems only."
    )
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print a line a finding; 1 if one of them is a problem."""
    findings = [*_python(), *_packages(), *_devices(), *_programs(), *_room(), *_datasets()]
    for finding in findings:
        start = f"{finding.state:<8} {finding.what:<10} "
        print(textwrap.fill(finding.found, WIDTH, initial_indent=start, subsequent_indent=" " * len(start)))
    return int(any(finding.state == "problem" for finding in findings))


def _python() -> Iterator[Finding]:
    fine = sys.version_info >= PYTHON
    wanted = "" if fine else f"; install Python {'.'.join(map(str, PYTHON))} or newer"
    yield Finding("ok" if fine else "problem", "Python", f"{platform.python_version()} on {platform.system()}{wanted}")


def _packages() -> Iterator[Finding]:
    """The project's own requirements against what is installed."""
    try:
        needed = [Requirement(line) for line in requires("iqadistill") or ()]
    except PackageNotFoundError:
        yield Finding(
            "warning", "iqadistill", "is not installed, so its requirements are unknown; run pip install -e ."
        )
        return
    wrong = [line for need in needed if not need.marker and (line := _package_problem(need))]
    for line in wrong:
        yield Finding("problem", "package", line)
    shown = ", ".join(f"{name} {version(name)}" for name in ("snakemake", "torch", "timm") if _installed(name))
    if not wrong:
        yield Finding(
            "ok", "packages", f"all {sum(not need.marker for need in needed)} requirements, among them {shown}"
        )


def _package_problem(need: Requirement) -> str:
    found = _installed(need.name)
    if found is None:
        return f"{need.name} is missing; run pip install '{need}'"
    fits = need.specifier.contains(re.sub(r"\+.*", "", found), prereleases=True)
    return "" if fits else f"{need.name} {found} does not fit {need.specifier}; run pip install '{need}'"


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _devices() -> Iterator[Finding]:
    import torch  # takes seconds, which no other command should wait for

    if not torch.cuda.is_available():
        yield Finding("ok", "device", f"cpu with {torch.get_num_threads()} threads; no GPU that torch can use")
    for number in range(torch.cuda.device_count()):
        facts = torch.cuda.get_device_properties(number)
        yield Finding("ok", "device", f"cuda:{number} {facts.name}, {facts.total_memory / 2**30:.0f} GiB")


def _programs() -> Iterator[Finding]:
    found = [name for name in PROGRAMS if shutil.which(name)]
    if found:
        yield Finding("ok", "unpacking", f"zip and tar; rar and 7z by {', '.join(found)}")
    else:
        advice = "for tid2013 and other rar or 7z archives install bsdtar (libarchive), 7z or unrar"
        yield Finding("warning", "unpacking", f"zip and tar only; {advice}")


def _room() -> Iterator[Finding]:
    """Free space where data and results go, once where both are on one disk."""
    folders = [folder.resolve() if folder.exists() else Path.cwd() for folder in (Path("data"), Path("results"))]
    for folder in {folder.stat().st_dev: folder for folder in folders}.values():
        free = shutil.disk_usage(folder).free
        state = "problem" if free < TIGHT else "warning" if free < ROOM else "ok"
        advice = "" if state == "ok" else "; make room, the official datasets take up to tens of GiB each"
        yield Finding(state, "disk", f"{free / 2**30:.0f} GiB free at {folder}{advice}")


def _datasets() -> Iterator[Finding]:
    """The user's own entries are read, so that a mistake in them shows here."""
    yield Finding("ok", "datasets", f"{len(dataset_records())} known; iqadistill datasets shows their state")
