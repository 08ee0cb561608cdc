"""What made a result: digests of code and inputs, versions, and the sidecar that keeps them beside it."""

import ast
import hashlib
import json
import re
import subprocess
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from iqadistill import __version__
from iqadistill.tables import write_atomically

PACKAGES = (
    "snakemake",
    "torch",
    "torchvision",
    "timm",
    "accelerate",
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "pillow",
    "av",
)


def code_digest(script: str | Path) -> str:
    """Digest of the code behind a script: the syntax trees of every module of the package it imports, directly or not.

    Comments, docstrings and layout do not count; any other edit does, also of a data file beside a module that names it.
    Imports of the package are followed wherever they stand in a module, and so are those of modules beside the script; other
    packages are covered by their pinned versions.

    Args:
        script: A Python file, usually of workflow_scripts/.

    Returns:
        16 hexadecimal digits.
    """
    script, digest, seen = Path(script), hashlib.sha256(), set()
    helpers = [script.with_name(f"{name}.py") for name in sorted(_imports(script))]
    helpers = [file for file in helpers if file.is_file()]
    queue = [module for file in (script, *helpers) for module in _package_imports(file)]
    while queue:
        module = queue.pop()
        if module in seen:
            continue
        seen.add(module)
        queue.extend(_package_imports(_module_file(module)))
    for module in sorted(seen):
        digest.update(f"{module}:{_tree(_module_file(module))}\n".encode())
    for file in helpers:
        digest.update(f"{file.name}:{_tree(file)}\n".encode())
    return digest.hexdigest()[:16]


def _imports(file: Path) -> set[str]:
    names = set()
    for node in ast.walk(_parse(file)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def _package_imports(file: Path) -> set[str]:
    ours = {name for name in _imports(file) if name.split(".")[0] == "iqadistill"}
    # importing a.b.c runs a and a.b as well
    parents = {".".join(name.split(".")[:depth]) for name in ours for depth in range(1, name.count(".") + 1)}
    return {name for name in ours | parents if _module_file(name)}


@cache
def _module_file(name: str) -> Path | None:
    folder = Path(__file__).parent.joinpath(*name.split(".")[1:])
    return next((file for file in (folder / "__init__.py", folder.with_suffix(".py")) if file.is_file()), None)


@cache
def _parse(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


@cache
def _tree(file: Path) -> str:
    tree = ast.parse(file.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(
            node, clean=False
        ):
            node.body = node.body[1:] or [ast.Pass()]
    digest = hashlib.sha256(ast.dump(tree).encode())
    constants = {
        node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    for name in sorted(constant for constant in constants if re.fullmatch(r"[\w.-]+\.\w+", constant)):
        data = file.with_name(name)
        if data.is_file():
            digest.update(data.read_bytes())
    return digest.hexdigest()


def file_digest(path: str | Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def git_commit(folder: str | Path) -> str:
    """Commit of the working tree that holds `folder`, marked when it has uncommitted changes; empty outside git."""
    try:
        described = subprocess.run(
            ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (FileNotFoundError, subprocess.CalledProcessError):
        return ""
    return described.stdout.strip()


def package_versions() -> dict[str, str]:
    """Versions of the packages that numbers depend on."""
    found = {"iqadistill": __version__}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found


def write_sidecar(path: str | Path, facts: Mapping[str, Any], inputs: Iterable[str | Path] = ()) -> None:
    """Write the JSON sidecar of a result: the given facts, versions, git commit and digests of the input files."""
    record = {
        **facts,
        "versions": package_versions(),
        "git_commit": git_commit(Path(__file__).parent),
        "inputs": {Path(file).as_posix(): file_digest(file) for file in inputs},
    }
    write_atomically(path, lambda temporary: temporary.write_text(json.dumps(record, indent=2, sort_keys=True) + "\n"))
