"""Scores of images as rows, text and Parquet."""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from iqadistill import __version__
from iqadistill.atomic_writing import write_atomically
from iqadistill.images.listing import readable
from iqadistill.scoring.results import TrainedResult
from iqadistill.scoring.score import ImageScore

SCHEMA = pa.schema(
    [
        ("path", pa.string()),
        ("quality", pa.float64()),
        ("score", pa.float64()),
        ("spread", pa.float64()),
        ("num_patches", pa.int32()),
    ]
)

_NUMBERS, _WIDTHS = ("quality", "score", "spread", "patches"), (7, 7, 6, 7)


def score_rows(result: TrainedResult, scores: Sequence[ImageScore]) -> list[dict[str, Any]]:
    """A row per image: quality, score on the training dataset's scale, and spread of the quality over splits."""
    return [
        {
            "path": str(score.path),
            "quality": score.quality,
            "score": result.on_scale(score.quality),
            "spread": score.spread,
            "num_patches": len(score.patches),
        }
        for score in scores
    ]


def result_facts(result: TrainedResult) -> dict[str, Any]:
    """Variant, splits and scale of a result, to be stored together with its scores."""
    variant = {key: value for key, value in result.variant.items() if value != ""}
    return {**variant, "splits": list(result.splits), "scale": result.scale.model_dump(), "simulated": result.simulated}


def describe(result: TrainedResult) -> str:
    """Description of a result in two lines, to be printed above its scores."""
    variant, scale = result.variant, result.scale
    dataset, rate = variant["train_dataset"], f"{100 * variant['keep']:g} % of its patches by {variant['selector']}"
    kept = "all its patches" if variant["keep"] == 1 else rate
    splits = f"{len(result.splits)} splits" if len(result.splits) > 1 else f"split {result.splits[0]}"
    note = ", simulated instead of given by people" if result.simulated else ""
    return (
        f"{variant['student']} trained on {dataset}: {variant['sampler']}, {kept}, {splits}\n"
        f"quality is 0 (worst) to 1 (best); score is {dataset}'s {scale.column},"
        f" {scale.worst:g} to {scale.best:g}{note}"
    )


def score_heading(width: int) -> str:
    """Heading of the lines of `score_line`, the names of images `width` characters wide."""
    return "  ".join(("image".ljust(width), *map(str.rjust, _NUMBERS, _WIDTHS)))


def score_line(row: Mapping[str, Any], width: int) -> str:
    """A row in aligned columns, so that it can be printed before the others are known."""
    spread = "-" if row["spread"] is None else f"{row['spread']:.3f}"
    numbers = (f"{row['quality']:.3f}", f"{row['score']:.2f}", spread, str(row["num_patches"]))
    return "  ".join((readable(row["path"]).ljust(width), *map(str.rjust, numbers, _WIDTHS)))


@contextlib.contextmanager
def printed_json(facts: Mapping[str, Any], failures: list[str]) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Print one JSON object, its array of scores as they come; it is closed as well where an error ends the scoring.

    Args:
        facts: What is known about the result.
        failures: What went wrong, printed at the end.

    Yields:
        The function that prints a row.
    """
    print(f'{{\n  "result": {_indented(facts, 2)},\n  "scores": [', end="", flush=True)
    end = "]"

    def print_row(row: Mapping[str, Any]) -> None:
        nonlocal end
        print(f"{'' if end == ']' else ','}\n    {_indented(row, 4)}", end="", flush=True)
        end = "\n  ]"

    try:
        yield print_row
    except BaseException:
        failures.append("the scoring was interrupted; the images that follow are missing.")
        raise
    finally:
        print(f'{end},\n  "failures": {_indented(failures, 2)}\n}}', flush=True)


def _indented(value: object, by: int) -> str:
    return json.dumps(value, indent=2).replace("\n", "\n" + " " * by)


def write_scores(rows: Sequence[Mapping[str, Any]], result: TrainedResult, path: Path) -> None:
    """Write rows as Parquet, atomically, with `result_facts` as JSON in the file's metadata."""
    facts = {"table": "scores", "iqadistill_version": __version__, "result": json.dumps(result_facts(result))}
    table = pa.Table.from_pylist(list(rows), schema=SCHEMA).replace_schema_metadata(facts)
    write_atomically(path, lambda temporary: pq.write_table(table, temporary, compression="zstd"))
