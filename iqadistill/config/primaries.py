"""Primary comparisons resolved: both variants written out."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from iqadistill.config.experiments import Variant, kind_of, source_of
from iqadistill.config.study import PrimarySettings, Study
from iqadistill.errors import InputError, nearest
from iqadistill.figures.experiment import EmbeddingTable
from iqadistill.tables import ALL, RANDOM

DRAWS = 99  # random rankings that a selector is ranked among; random draws of images, for a chooser
DEEP_DRAWS = 9  # where each of them is a training of every split
AXES = {"selector": "selectors", "student": "students", "encoder": "encoders", "sampler": "samplers"}


@dataclass(frozen=True)
class Side:
    """One variant of a comparison; a student without patches has neither sampler nor encoder nor selector."""

    dataset: str
    sampler: str
    encoder: str
    selector: str
    keep: float
    student: str

    @property
    def table(self) -> EmbeddingTable:
        """The embedding table that its patches are of."""
        return EmbeddingTable(self.dataset, self.sampler, self.encoder)

    @property
    def variant(self) -> Variant:
        """Its selector and keep rate."""
        return self.selector, self.keep


@dataclass(frozen=True)
class Primary:
    """A primary comparison.

    Attributes:
        first: The variant that it is about.
        second: The variant it is compared with.
        axis: What they differ in: "selector", "student", "encoder" or "sampler".
        draws: Number of random rankings where the second variant is random selection; otherwise 0.
    """

    first: Side
    second: Side
    axis: str
    draws: int


def primaries_of(study: Study) -> list[Primary]:
    """The primary comparisons of a study.

    Raises:
        InputError: One names what the study does not define, or compares a variant with itself.
    """
    return [_resolved(study, given, f"primary[{place}]") for place, given in enumerate(study.primary)]


def _resolved(study: Study, given: PrimarySettings, where: str) -> Primary:
    axis, other = next(iter(given.against.model_dump(exclude_unset=True).items()))
    _check_name(given.dataset, study.datasets, f"{where}.dataset")
    if source_of(study, given.dataset).score is None:
        raise InputError(f"{where}.dataset: {given.dataset!r} has no scores; name one that has.")
    for key, section in AXES.items():
        allowed = [*getattr(study, section), *([ALL] if key == "selector" else [])]
        for value, place in ((getattr(given, key), where), (getattr(given.against, key), f"{where}.against")):
            if value is not None:
                _check_name(value, allowed, f"{place}.{key}")
    selector, keep = given.selector, given.keep or 1.0
    if (selector == ALL) != (keep == 1.0):
        raise InputError(
            f"{where}.keep: a selector is compared at a keep rate below 1, all patches at none; correct it."
        )
    first = _side(study, given, {}, where)
    second = _side(study, given, {axis: other}, f"{where}.against")
    if first == second:
        raise InputError(f"{where}.against.{axis}: {other!r} is the variant itself; name another one.")
    draws = 0
    if axis == "selector" and other == RANDOM:
        draws = given.draws or (DEEP_DRAWS if given.student in study.deep_students else DRAWS)
    return Primary(first, second, axis, draws)


def _side(study: Study, given: PrimarySettings, changed: dict[str, Any], where: str) -> Side:
    student = changed.get("student", given.student)
    if study.students[student].learns_from in ("images", "predictions"):
        return Side(given.dataset, "", "", "", 1.0, student)
    selector = changed.get("selector", given.selector)
    kind = kind_of(study, given.dataset)
    fitting = [name for name, entry in study.samplers.items() if entry.kind == kind]
    own = study.datasets[given.dataset].sampler
    sampler = changed.get("sampler", given.sampler) or own or _only(fitting, f"{where}.sampler")
    if study.samplers[sampler].kind != kind:
        raise InputError(
            f"{where}.sampler: {sampler!r} does not fit the {kind} images of {given.dataset!r}; correct it."
        )
    encoder = changed.get("encoder", given.encoder) or _only(list(study.encoders), f"{where}.encoder")
    return Side(given.dataset, sampler, encoder, selector, 1.0 if selector == ALL else given.keep or 1.0, student)


def _check_name(name: str, known: Iterable[str], where: str) -> None:
    if name not in known:
        raise InputError(f"{where}: {name!r} is not defined; {nearest(name, known)}")


def _only(names: list[str], where: str) -> str:
    if len(names) != 1:
        raise InputError(f"{where}: missing; give one of {', '.join(names)}.")
    return names[0]
