"""`iqadistill prune`: results that no study at hand names."""

import argparse
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from iqadistill.cli.study_files import checked_study, read_study
from iqadistill.errors import InputError
from iqadistill.paths import path_argument

RESULTS = Path("results")


def add_parser(commands: Any) -> None:
    """Add the subcommand to an argparse parser."""
    parser = commands.add_parser(
        "prune",
        help="list or remove results that no study names",
        description="List everything under results/ that none of the given studies names; --delete removes it.",
    )
    parser.add_argument(
        "studies",
        nargs="*",
        type=path_argument,
        metavar="STUDY",
        help="study files whose results are kept (default: config.yaml, studies/*.yaml and *.yaml with a study's keys)",
    )
    parser.add_argument("--delete", action="store_true", help="remove what is listed")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """List, and with --delete remove, what no study names."""
    files = given.studies or _studies_at_hand()
    if not files:
        raise InputError("prune: no study file in this folder; name those whose results you keep.")
    unused = unused_results(files)
    total = 0
    for path in unused:
        size = _size(path)
        total += size
        print(f"{size / 1e6:10.1f} MB  {path.as_posix()}")
    kept = ", ".join(file.as_posix() for file in files)
    if not unused:
        print(f"Nothing to remove: {kept} name all results.")
        return 0
    if given.delete:
        for path in unused:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        _remove_empty_folders(RESULTS)
        print(f"Removed {total / 1e6:.1f} MB that none of {kept} names.")
    else:
        print(f"{total / 1e6:.1f} MB that none of {kept} names; `iqadistill prune --delete` removes them.")
    return 0


def unused_results(studies: Iterable[Path], results: Path = RESULTS) -> list[Path]:
    """Files and folders under results/ that none of some studies names; a folder stands for all that lies in it.

    Args:
        studies: Study files.
        results: Folder of the results.

    Raises:
        InputError: A study file is missing or not valid.
    """
    from iqadistill.config.jobs.layout import TEMPORARY
    from iqadistill.config.jobs.plan import Plan

    stems: set[Path] = set()
    folders: set[Path] = {results / "checkpoints"}  # a killed training continues from there
    for file in studies:
        study = checked_study(file)
        folders.add(results / "studies" / study.name)
        plan = Plan(study)
        headline = plan.headline.jobs if plan.has_headline else {}
        for job in [*plan.jobs.values(), *headline.values()]:
            output, lasting, *kept = (
                results / Path(path).relative_to("results")
                for path in (job.output, job.lasting, job.benchmark, job.log)
            )
            left_over = job.rule in TEMPORARY and lasting.exists()
            stems |= set(map(_stem, kept if left_over else [output, *kept]))
            if job.rule == "render_dataset":
                folders.add(output.parent)
    files = [path for path in sorted(results.rglob("*")) if path.is_file() and path.name != ".gitkeep"]
    used = {file for file in files if _stem(file) in stems or folders & set(file.parents)}
    kept_folders = {folder for file in used for folder in file.parents} | {results, *results.parents}
    unused = [
        next(p for p in (*reversed(file.parents), file) if p not in kept_folders) for file in files if file not in used
    ]
    return list(dict.fromkeys(unused))


def _stem(path: Path) -> Path:
    """A path without the suffix that tells a job's outputs apart."""
    name = path.name
    for suffix in (".history.parquet", ".trace.parquet", ".safetensors", ".parquet", ".json", ".csv", ".tsv", ".log"):
        if name.endswith(suffix):
            return path.with_name(name.removesuffix(suffix))
    return path


def _studies_at_hand() -> list[Path]:
    candidates = [*Path().glob("*.yaml"), *Path("studies").glob("*.yaml")]
    return sorted(file for file in candidates if {"datasets", "experiments"} <= read_study(file).keys())


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _remove_empty_folders(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
