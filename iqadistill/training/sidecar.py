"""Sidecar of trained weights: the JSON file beside them that says what they are and how they were trained."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import Field, ValidationError

from iqadistill.atomic_writing import write_atomically
from iqadistill.errors import InputError
from iqadistill.provenance import file_digest, git_commit, package_versions
from iqadistill.settings import Settings, first_error

VERSION: Final = 2


class ScoreScale(Settings):
    """A training dataset's own scale of scores."""

    column: str = Field(description="Name of the score, e.g. mos or dmos.")
    worst: float = Field(description="Score of quality 0.")
    best: float = Field(description="Score of quality 1.")
    source: str = Field(description="Origin of the scores; starts with simulated where no people gave them.")

    @property
    def span(self) -> float:
        """Length of the scale, positive also where lower scores are better."""
        return abs(self.best - self.worst)


class Cost(Settings):
    """Cost of a network and of its training."""

    parameters: int = Field(description="Number of all parameters.")
    flops: int = Field(
        description="Floating-point operations for the score of one patch; a multiply-add counts as two."
    )
    max_vram: float | None = Field(
        None, description="Largest memory of the GPU that the training held, in bytes; null on a CPU."
    )


class Sidecar(Settings):
    """All that has to be known of trained weights to score with them, to learn from them and to reproduce them."""

    version: Literal[2] = Field(VERSION, description="Version of this format.")
    kind: Literal["mlps", "student", "teacher"] = Field(
        description="mlps: MLPs of all splits, selectors and keep rates; student or teacher: one deep network."
    )
    variant: dict[str, str | int | float] = Field(description="Variant columns that all weights in the file share.")
    variants: tuple[tuple[str, float], ...] = Field((), description="Pairs of selector and keep rate of the MLPs.")
    settings: dict[str, Any] = Field(description="Settings of the student or teacher, as validated.")
    size: int | None = Field(None, description="Side in pixels of the patches of a deep network.")
    sampler: dict[str, Any] = Field(description="Settings of the sampler.")
    encoder: dict[str, Any] | None = Field(None, description="Settings of the encoder of MLPs.")
    teachers: dict[str, str] = Field({}, description="Names of a student's teachers, by role.")
    seed: int = Field(description="Seed of the study.")
    scale: ScoreScale | None = Field(None, description="Scale of the scores that a student learned.")
    cost: Cost | None = Field(None, description="Cost of a deep network.")
    versions: dict[str, str] = Field(description="Versions of the packages that numbers depend on.")
    git_commit: str = Field(description="Commit of the code; empty outside of git.")
    inputs: dict[str, str] = Field(description="SHA-256 of the files that were trained on, by path.")

    @classmethod
    def record(cls, inputs: Iterable[str | Path], **facts: Any) -> Self:
        """The sidecar of a training that has just ended.

        Args:
            inputs: Files that were trained on.
            **facts: All fields but version, versions, git_commit and inputs.
        """
        return cls(
            **facts,
            versions=package_versions(),
            git_commit=git_commit(Path(__file__).parent),
            inputs={Path(file).as_posix(): file_digest(file) for file in inputs},
        )

    def write(self, path: str | Path) -> None:
        """Write the sidecar as JSON, atomically."""
        text = json.dumps(self.model_dump(mode="json"), indent=2, sort_keys=True) + "\n"
        write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read a sidecar.

        Raises:
            InputError: The file is missing, is not valid JSON, is of another version, or lacks a field.
        """
        try:
            facts = json.loads(Path(path).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InputError(f"{path}: the sidecar of the weights is missing; run the training to its end.") from None
        except ValueError as error:
            raise InputError(f"{path}: not valid JSON ({error}); delete it and run the training again.") from None
        version = facts.get("version") if isinstance(facts, dict) else None
        if version != VERSION:
            raise InputError(
                f"{path}: sidecar version {version}, expected {VERSION}: trained with an older or newer version of"
                " iqadistill; run the training again."
            )
        try:
            return cls.model_validate(facts)
        except ValidationError as error:
            raise InputError(f"{path}: {first_error(error, cls)}") from None
