"""`iqadistill score`: the quality of pictures, by a student that was trained."""

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iqadistill.errors import InputError

if TYPE_CHECKING:
    from iqadistill.scoring.results import TrainedResult
from iqadistill.scoring.score import PictureScore

MAP = ".png"


def add_parser(commands: Any) -> None:
    """Add the subcommand to an argparse parser."""
    parser = commands.add_parser(
        "score",
        help="score pictures with a trained student",
        description="Score flat pictures or 360-degree panoramas, whichever the student was trained on.",
    )
    parser.add_argument("pictures", nargs="+", type=Path, metavar="IMAGE_OR_FOLDER", help="folders are searched whole")
    parser.add_argument(
        "--model", required=True, type=Path, help="a .safetensors of results/, or the folder with a student's splits"
    )
    parser.add_argument("--selector", help="of an mlp: trained on the patches of this selector (all patches)")
    parser.add_argument("--keep", type=float, metavar="RATE", help="of an mlp: and of this keep rate")
    parser.add_argument("--patches", type=_at_least(1), metavar="N", help="patches a picture at most (as in training)")
    parser.add_argument("--pooling", choices=("mean", "median"), default="mean", help="of patch scores (mean)")
    parser.add_argument("--seed", type=_at_least(0), help="of the places of patches (the study's)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: auto")
    parser.add_argument("--map", type=Path, metavar="OUT", help="draw patch scores: a .png, or a folder for .png files")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--parquet", type=Path, metavar="FILE", help="write a Parquet file as well")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print a row a picture; 1 if one of them could not be scored."""
    # they bring torch and timm, seconds that no other command should wait for
    from iqadistill.console import progress
    from iqadistill.devices import lease_device
    from iqadistill.scoring.images import list_pictures
    from iqadistill.scoring.results import load_result
    from iqadistill.scoring.score import score_pictures
    from iqadistill.scoring.table import describe, result_facts, score_rows, score_text, write_scores

    paths = list_pictures(given.pictures)
    maps = _map_files(given.map, paths)
    if given.parquet and given.parquet.is_dir():
        raise InputError(f"--parquet {given.parquet}: is a folder; give a file.")
    scores, failures = [], []
    with lease_device(given.device) as device:
        result = load_result(given.model, selector=given.selector, keep=given.keep, device=device)
        found = score_pictures(result, paths, pooling=given.pooling, seed=given.seed, count=given.patches)
        for score in progress(found, "score (pictures)", total=len(paths)) if len(paths) > 1 else found:
            if isinstance(score, InputError):
                failures.append(str(score))
                continue
            scores.append(score)
            if maps:
                _write_map(maps[score.path], score, result)
    rows = score_rows(result, scores)
    if given.parquet:
        write_scores(rows, result, given.parquet)
    if given.json:
        print(json.dumps({"result": result_facts(result), "scores": rows, "failures": failures}, indent=2))
    elif rows:
        print(f"{describe(result)}\n\n{score_text(rows)}")
    for failure in failures:
        print(f"error: {failure}", file=sys.stderr)
    return int(bool(failures))


def _at_least(lowest: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if int(text) < lowest:
            raise argparse.ArgumentTypeError(f"{text}, expected {lowest} or more")
        return int(text)

    return number


def _map_files(out: Path | None, paths: list[Path]) -> dict[Path, Path]:
    """Where each picture's map goes: in a folder under its own name and that of the folders in which pictures differ."""
    if out is None:
        return {}
    if out.suffix.lower() == MAP:
        if len(paths) > 1:
            raise InputError(f"--map {out}: one file for {len(paths)} pictures; give a folder.")
        if out.resolve() == paths[0].resolve():
            raise InputError(f"--map {out}: is the picture itself; give another name.")
        return {paths[0]: out}
    if out.is_file() or (out.suffix and not out.is_dir()):
        raise InputError(f"--map {out}: expected a file that ends in {MAP}, or a folder.")
    whole = {path: Path(os.path.normpath(path.absolute())) for path in paths}
    top = next(folder for folder in whole[paths[0]].parents if all(folder in file.parents for file in whole.values()))
    return {path: out / file.relative_to(top).with_name(file.name + MAP) for path, file in whole.items()}


def _write_map(file: Path, score: "PictureScore", result: "TrainedResult") -> None:
    from iqadistill.figures.drawing.patch_map import write_patch_map
    from iqadistill.images.decoding import read_image

    spread = "" if score.spread is None else f" ± {score.spread:.3f} over {len(score.by_split)} splits"
    title = f"{score.path.name}: quality {score.quality:.3f}{spread}"
    label = "quality of patches" + (" (learned from simulated scores)" if result.simulated else "")
    write_patch_map(file, read_image(score.path), score.patches, title, label)
