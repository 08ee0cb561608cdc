"""The datasets known by name: registry.yaml, checked against a model."""

from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, PositiveInt

from iqadistill.errors import InputError


class ScoreRecord(BaseModel):
    """How a dataset's score reads; an unset entry is taken from images.csv itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str | None = None
    higher_better: bool | None = None
    range: tuple[float, float] | None = None


class DatasetRecord(BaseModel):
    """What is known about a dataset.

    `origin` says where its pictures come from: rendered here, a folder of the user's own, or its authors' archive. `score`
    is None where no image has one; counts are None where they are the user's.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    kind: Literal["flat", "sphere"]
    origin: Literal["rendered", "folder", "archive"]
    simulated: bool = False
    references: PositiveInt | None = None
    distorted: PositiveInt | None = None
    score: ScoreRecord | None = None
    citation: str = ""


@cache
def _registry() -> dict[str, DatasetRecord]:
    entries = yaml.safe_load(Path(__file__).with_name("registry.yaml").read_text())
    return {name: DatasetRecord(**entry) for name, entry in entries.items()}


def list_datasets() -> list[str]:
    """Names of all datasets, sorted."""
    return sorted(_registry())


def dataset_record(name: str) -> DatasetRecord:
    """What is known about a dataset.

    Raises:
        InputError: No dataset has this name.
    """
    try:
        return _registry()[name]
    except KeyError:
        raise InputError(f"dataset {name!r} is unknown; expected one of {', '.join(list_datasets())}.") from None
