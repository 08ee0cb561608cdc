"""`iqadistill score`: the quality of images, predicted by a trained student."""

import argparse
import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iqadistill.errors import InputError, machine_fault
from iqadistill.images.listing import IMAGE_SUFFIXES, readable, shortened
from iqadistill.paths import check_output, path_argument

if TYPE_CHECKING:
    from iqadistill.scoring.results import TrainedResult
    from iqadistill.scoring.score import ImageScore

MAP = ".png"
AUTO = "auto"
TITLE = 60  # characters of a name in the title of its map


def add_parser(commands: Any) -> None:
    """Add the subcommand to an argparse parser."""
    parser = commands.add_parser(
        "score",
        help="score images with a trained student",
        description="Score flat images or 360-degree panoramas, whichever the student was trained on.",
    )
    parser.add_argument(
        "images",
        nargs="+",
        type=path_argument,
        metavar="IMAGE_OR_FOLDER",
        help="images, or folders that are searched with all subfolders",
    )
    parser.add_argument(
        "--model",
        required=True,
        type=path_argument,
        help="a .safetensors of results/, or the folder with a student's splits",
    )
    parser.add_argument(
        "--selector", help="for an MLP: the selector whose patches it was trained on (default: all patches)"
    )
    parser.add_argument("--keep", type=float, metavar="RATE", help="for an MLP: the keep rate it was trained at")
    parser.add_argument(
        "--patches",
        type=_number_or_auto,
        metavar="N",
        help="score an image by so many of its patches, those that stand for all of it best; auto: as many as the study"
        " found to be enough (default: all)",
    )
    parser.add_argument(
        "--pooling",
        choices=("mean", "median"),
        default="mean",
        help="how patch scores become an image score (default: mean)",
    )
    parser.add_argument("--seed", type=_at_least(0), help="seed for patch sampling (default: the study's seed)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: auto")
    parser.add_argument(
        "--map", type=path_argument, metavar="OUT", help="draw patch scores: a .png, or a folder for .png files"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--parquet", type=path_argument, metavar="FILE", help="write a Parquet file as well")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print a row for each image as soon as it is scored; returns 1 if one of them could not be scored or drawn."""
    # imported here since torch and timm take seconds, which no other command should wait for
    from iqadistill.console import progress
    from iqadistill.devices import lease_device
    from iqadistill.scoring.decided_patches import decided_patches
    from iqadistill.scoring.images import list_images
    from iqadistill.scoring.results import load_result
    from iqadistill.scoring.score import score_images
    from iqadistill.scoring.table import (
        describe,
        printed_json,
        result_facts,
        score_heading,
        score_line,
        score_rows,
        write_scores,
    )

    paths = list_images(given.images)
    maps = _map_files(given.map, paths)
    if given.parquet:
        if given.parquet.suffix.lower() in IMAGE_SUFFIXES:  # as of --parquet *.png
            raise InputError(f"--parquet {given.parquet}: has the name of an image; give another file.")
        check_output("--parquet", given.parquet, [given.model, *paths])
    rows: list[dict[str, Any]] = []
    failures: list[str] = []
    width = max(len("image"), *(len(readable(path)) for path in paths))
    with lease_device(given.device) as device:
        result = load_result(given.model, selector=given.selector, keep=given.keep, device=device)
        decided = decided_patches(given.model, result) if given.patches == AUTO else None
        count = decided.number if decided else given.patches
        images = score_images(result, paths, pooling=given.pooling, seed=given.seed, count=count)
        facts = {**result_facts(result), **({"decided_patches": vars(decided)} if decided else {})}
        shown = not given.json and sys.stdout.isatty()  # rows that appear are progress enough
        with printed_json(facts, failures) if given.json else contextlib.nullcontext() as print_row:
            for score in images if shown or len(paths) == 1 else progress(images, "score (images)", total=len(paths)):
                if isinstance(score, InputError):
                    failures.append(str(score))
                    continue
                if not rows and not print_row:
                    lines = [describe(result), *([decided.sentence] if decided else [])]
                    print("\n".join([*lines, "", score_heading(width)]))
                rows += score_rows(result, [score])
                if print_row:
                    print_row(rows[-1])
                else:
                    print(score_line(rows[-1], width), flush=True)
                if maps:
                    failures += _failure_of_map(maps[score.path], score, result)
    if given.parquet:
        try:
            write_scores(rows, result, given.parquet)
        except InputError as error:  # of a full or failing disk
            failures.append(str(error))
        except OSError as error:
            failures.append(f"--parquet {given.parquet}: cannot be written ({error.strerror}); give another file.")
    for failure in failures:
        print(f"error: {failure}", file=sys.stderr)
    return int(bool(failures))


def _at_least(lowest: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
        if number < lowest:
            raise argparse.ArgumentTypeError(f"{text}, expected {lowest} or more")
        return number

    return convert


def _number_or_auto(text: str) -> int | str:
    return AUTO if text == AUTO else _at_least(1)(text)


def _map_files(out: Path | None, paths: list[Path]) -> dict[Path, Path]:
    """File of each image's map: in a folder, under the name of the image and the folders in which images differ."""
    if out is None:
        return {}
    if out.suffix.lower() == MAP:
        if len(paths) > 1:
            raise InputError(f"--map {out}: one file for {len(paths)} images; give a folder.")
        check_output("--map", out, paths)
        return {paths[0]: out}
    if out.is_file() or (out.suffix and not out.is_dir()):
        raise InputError(f"--map {out}: expected a file that ends in {MAP}, or a folder.")
    files = {path: Path(os.path.normpath(path.absolute())) for path in paths}
    top = next(folder for folder in files[paths[0]].parents if all(folder in file.parents for file in files.values()))
    return {path: out / file.relative_to(top).with_name(file.name + MAP) for path, file in files.items()}


def _failure_of_map(file: Path, score: "ImageScore", result: "TrainedResult") -> list[str]:
    """Draw a map; what went wrong, which no other image and no score has to suffer for."""
    try:
        _write_map(file, score, result)
    except InputError as error:
        return [str(error)]
    except Exception as error:
        if located := machine_fault(error):
            return [str(located)]
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        return [f"{readable(file)}: the map cannot be drawn ({reason}); the image is scored all the same."]
    return []


def _write_map(file: Path, score: "ImageScore", result: "TrainedResult") -> None:
    from iqadistill.figures.drawing.patch_map import write_patch_map
    from iqadistill.images.decoding import read_image

    spread = "" if score.spread is None else f" ± {score.spread:.3f} over {len(score.by_split)} splits"
    title = f"{shortened(score.path.name, TITLE)}: quality {score.quality:.3f}{spread}"
    label = "quality of patches" + (" (learned from simulated scores)" if result.simulated else "")
    write_patch_map(file, read_image(score.path), score.patches, title, label)
