"""`iqadistill doctor`: check whether this machine has what the workflow needs."""

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
ENOUGH_SPACE = 20 << 30  # bytes that a study with some official datasets needs
LEAST_SPACE = 2 << 30  # bytes that even the demo needs


class Finding(NamedTuple):
    """Result of a check.

    Attributes:
        state: ok, warning or problem.
        subject: What was checked.
        text: What was found, and what to do about it.
    """

    state: str
    subject: str
    text: str


def add_parser(commands: Any) -> None:
    """Add the subcommand to an argparse parser."""
    parser = commands.add_parser(
        "doctor",
        help="check whether this machine has what the workflow needs",
        description="Check whether this machine has what the workflow needs. Exits with status 1 on a problem.",
    )
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print one finding per line; returns 1 if any is a problem."""
    findings = [*_python(), *_packages(), *_devices(), *_programs(), *_disk_space(), *_datasets()]
    for finding in findings:
        start = f"{finding.state:<8} {finding.subject:<10} "
        print(textwrap.fill(finding.text, WIDTH, initial_indent=start, subsequent_indent=" " * len(start)))
    return int(any(finding.state == "problem" for finding in findings))


def _python() -> Iterator[Finding]:
    supported = sys.version_info >= PYTHON
    advice = "" if supported else f"; install Python {'.'.join(map(str, PYTHON))} or newer"
    state = "ok" if supported else "problem"
    yield Finding(state, "Python", f"{platform.python_version()} on {platform.system()}{advice}")


def _packages() -> Iterator[Finding]:
    """Compare the project's requirements with the installed packages."""
    try:
        needed = [Requirement(line) for line in requires("iqadistill") or ()]
    except PackageNotFoundError:
        yield Finding(
            "warning", "iqadistill", "is not installed, so its requirements are unknown; run pip install -e ."
        )
        return
    needed = [need for need in needed if not need.marker]
    problems = [problem for need in needed if (problem := _package_problem(need))]
    for problem in problems:
        yield Finding("problem", "package", problem)
    shown = ", ".join(f"{name} {version(name)}" for name in ("snakemake", "torch", "timm") if _installed(name))
    if not problems:
        yield Finding("ok", "packages", f"all {len(needed)} requirements are installed, among them {shown}")


def _package_problem(need: Requirement) -> str:
    installed = _installed(need.name)
    if installed is None:
        return f"{need.name} is missing; run pip install '{need}'"
    fits = need.specifier.contains(re.sub(r"\+.*", "", installed), prereleases=True)
    return "" if fits else f"{need.name} {installed} does not fit {need.specifier}; run pip install '{need}'"


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _devices() -> Iterator[Finding]:
    import torch  # takes seconds; other commands need not wait for it

    if not torch.cuda.is_available():
        yield Finding("ok", "device", f"cpu with {torch.get_num_threads()} threads; no GPU that torch can use")
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        yield Finding("ok", "device", f"cuda:{index} {properties.name}, {properties.total_memory / 2**30:.0f} GiB")


def _programs() -> Iterator[Finding]:
    programs = [name for name in PROGRAMS if shutil.which(name)]
    if programs:
        yield Finding("ok", "unpacking", f"zip and tar; rar and 7z by {', '.join(programs)}")
    else:
        advice = "for tid2013 and other rar or 7z archives install bsdtar (libarchive), 7z or unrar"
        yield Finding("warning", "unpacking", f"zip and tar only; {advice}")


def _disk_space() -> Iterator[Finding]:
    """Free space for data and results, reported once if both are on one disk."""
    folders = [folder.resolve() if folder.exists() else Path.cwd() for folder in (Path("data"), Path("results"))]
    for folder in {folder.stat().st_dev: folder for folder in folders}.values():
        free = shutil.disk_usage(folder).free
        state = "problem" if free < LEAST_SPACE else "warning" if free < ENOUGH_SPACE else "ok"
        advice = "" if state == "ok" else "; free some space, official datasets take up to tens of GiB each"
        yield Finding(state, "disk", f"{free / 2**30:.0f} GiB free at {folder}{advice}")


def _datasets() -> Iterator[Finding]:
    """Read the registry and the user's entries, so that mistakes in them are reported."""
    yield Finding(
        "ok", "datasets", f"{len(dataset_records())} datasets are known; iqadistill datasets shows their state"
    )
