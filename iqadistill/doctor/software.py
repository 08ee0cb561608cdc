"""Python, its packages, and how it reads names of files."""

import platform
import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

import iqadistill
from iqadistill.doctor.finding import Finding, listed

PYTHON = (3, 11)
PACKAGE = Path(iqadistill.__file__).parent


def check_software() -> Iterator[Finding]:
    """Compare Python and the installed packages with what the project needs and is tested with."""
    yield _python()
    yield from _packages()
    yield _pinned(PACKAGE.with_name("constraints.txt"))
    yield from _checkout(Path.cwd())
    yield from _encoding()


def installed(name: str) -> str | None:
    """Version of an installed package."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _python() -> Finding:
    supported = sys.version_info >= PYTHON
    advice = "" if supported else f"; install Python {'.'.join(map(str, PYTHON))} or newer"
    return Finding(
        "ok" if supported else "problem", "Python", f"{platform.python_version()} on {platform.system()}{advice}"
    )


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
    shown = ", ".join(f"{name} {version(name)}" for name in ("snakemake", "torch", "timm") if installed(name))
    if not problems:
        yield Finding("ok", "packages", f"all {len(needed)} requirements are installed, among them {shown}")


def _package_problem(need: Requirement) -> str:
    found = installed(need.name)
    if found is None:
        return f"{need.name} is missing; run pip install '{need}'"
    fits = need.specifier.contains(_public(found), prereleases=True)
    return "" if fits else f"{need.name} {found} does not fit {need.specifier}; run pip install '{need}'"


def _public(found: str) -> str:
    """A version without the part that names its build, such as +cu126."""
    return re.sub(r"\+.*", "", found)


def _pinned(constraints: Path) -> Finding:
    """Compare installed packages with the versions that the project is tested with."""
    if not constraints.is_file():
        return Finding("ok", "versions", "not compared with constraints.txt, which only a checkout has")
    pins = [pin for line in constraints.read_text(encoding="utf-8").splitlines() if (pin := _pin(line))]
    there = [(pin, _public(found)) for pin in pins if (found := installed(pin.name))]
    others = [
        f"{pin.name} {found} ({str(pin.specifier).lstrip('=')})"
        for pin, found in there
        if not pin.specifier.contains(found, prereleases=True)
    ]
    if not others:
        return Finding("ok", "versions", f"{len(there)} packages have the versions of constraints.txt")
    text = f"{len(others)} of {len(there)} packages differ from constraints.txt (in brackets): {listed(others)}"
    return Finding("warning", "versions", f"{text}; for the tested ones run pip install -c {constraints} -e .")


def _pin(line: str) -> Requirement | None:
    try:
        return Requirement(line.partition("#")[0].strip())
    except InvalidRequirement:  # an empty line, or an option of pip
        return None


def _checkout(folder: Path) -> Iterator[Finding]:
    """Say where the code lies, if it is not that of the workflow in the working folder."""
    own = folder / "iqadistill"
    if (folder / "Snakefile").is_file() and (own / "__init__.py").is_file() and not own.samefile(PACKAGE):
        yield Finding(
            "warning",
            "code",
            f"iqadistill is imported from {PACKAGE}, not from the checkout {folder}, whose edits have no effect;"
            " run pip install -e . there",
        )


def _encoding() -> Iterator[Finding]:
    encoding = sys.getfilesystemencoding()
    if encoding.lower().replace("-", "") != "utf8":
        yield Finding(
            "warning",
            "encoding",
            f"names of files are read as {encoding}, which garbles those with letters beyond ASCII;"
            " set PYTHONUTF8=1, or LC_ALL=C.UTF-8",
        )
