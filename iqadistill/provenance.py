"""Provenance of a result: digests of code and inputs, package versions, and the sidecar that holds them."""

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
from iqadistill.atomic_writing import write_atomically

PACKAGE = "iqadistill"
PACKAGES = (
    "snakemake",
    "torch",
    "torchvision",
    "timm",
    "accelerate",
    "numpy",
    "scipy",
    "scikit-learn",
    "pandas",
    "pyarrow",
    "pillow",
    "av",
)


def code_digest(script: str | Path, modules: Iterable[str] = ()) -> str:
    """Digest of the code behind a script: the syntax trees of all modules of the package that it imports, in any depth.

    Comments, docstrings and layout do not count; any other edit does, also of a data file beside a module that names
    it. Imports are followed wherever they stand in a module, except below `if TYPE_CHECKING`, and to where a name is
    defined: what a package's `__init__` merely passes on counts for nothing. Registries find their entries by folder,
    which is no import: the entries that a job names are given by the caller. Modules beside the script are followed
    too; other packages are covered by their pinned versions.

    Args:
        script: A Python file, usually of workflow_scripts/.
        modules: Dotted names of registered files that the job names, e.g. "iqadistill.selection.selectors.kcenter".

    Returns:
        16 hexadecimal digits.
    """
    script = Path(script)
    helpers, names = _closure(script, tuple(modules))
    digest = hashlib.sha256()
    for name in names:
        digest.update(f"{name}:{_tree(_module_file(name))}\n".encode())
    for file in helpers:
        digest.update(f"{file.name}:{_tree(file)}\n".encode())
    return digest.hexdigest()[:16]


def code_modules(script: str | Path, modules: Iterable[str] = ()) -> list[str]:
    """Modules of the package that `code_digest` covers, sorted."""
    return list(_closure(Path(script), tuple(modules))[1])


@cache
def _closure(script: Path, modules: tuple[str, ...]) -> tuple[list[Path], list[str]]:
    """Modules beside the script that it imports, and all modules of the package behind them."""
    helpers: list[Path] = []
    waiting, names = [script], set(modules)
    while waiting:
        file = waiting.pop()
        for name in sorted(_outside_names(file)):
            helper = script.with_name(f"{name}.py")
            if helper.is_file() and helper not in helpers:
                helpers.append(helper)
                waiting.append(helper)
        names |= _package_imports(file)
    queue, seen = list(names), set()
    while queue:
        module = queue.pop()
        if module not in seen:
            seen.add(module)
            queue.extend(_package_imports(_module_file(module)))
    return sorted(helpers), sorted(seen)


def _imports(file: Path) -> list[ast.Import | ast.ImportFrom]:
    """Import statements of a file, except those for type checkers."""
    found: list[ast.Import | ast.ImportFrom] = []
    queue: list[ast.AST] = [_parse(file)]
    while queue:
        node = queue.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.append(node)
        elif isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            queue.extend(node.orelse)
        else:
            queue.extend(ast.iter_child_nodes(node))
    return found


def _outside_names(file: Path) -> set[str]:
    """First parts of the names that a file imports, our package apart."""
    names = set()
    for node in _imports(file):
        given = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
        names |= {name.split(".")[0] for name in given}
    return names - {PACKAGE}


@cache
def _package_imports(file: Path) -> frozenset[str]:
    """Modules of the package in which the names that a file imports are defined."""
    modules = set()
    for node in _imports(file):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names if alias.name.split(".")[0] == PACKAGE}
        elif node.module and not node.level and node.module.split(".")[0] == PACKAGE:
            modules |= {_defining_module(node.module, alias.name) for alias in node.names}
    return frozenset(module for module in modules if _module_file(module))


@cache
def _defining_module(module: str, name: str) -> str:
    """The module that defines a name which is imported from a module or package."""
    if _module_file(f"{module}.{name}"):
        return f"{module}.{name}"
    file = _module_file(module)
    if file is None or file.name != "__init__.py":
        return module
    stub = file.with_suffix(".pyi")
    for node in _imports(stub if stub.is_file() else file):
        if isinstance(node, ast.ImportFrom) and name in {alias.asname or alias.name for alias in node.names}:
            original = next(alias.name for alias in node.names if name in (alias.asname, alias.name))
            above = module.split(".")[: len(module.split(".")) - node.level + 1] if node.level else []
            return _defining_module(".".join([*above, *(node.module or "").split(".")]).strip("."), original)
    return module


@cache
def _module_file(name: str) -> Path | None:
    folder = Path(__file__).parent.joinpath(*name.split(".")[1:])
    return next((file for file in (folder / "__init__.py", folder.with_suffix(".py")) if file.is_file()), None)


@cache
def _parse(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


@cache
def _tree(file: Path) -> str:
    tree = _parse(file)  # it loses its docstrings here; imports alone are read from it besides
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
