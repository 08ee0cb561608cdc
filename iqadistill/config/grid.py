"""From experiments to the jobs they need."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from iqadistill.config.study import METRIC_FIGURES, SPHERE_METHODS, ExperimentSettings, Study
from iqadistill.errors import InputError
from iqadistill.nearest import nearest
from iqadistill.registry import DatasetRecord, dataset_record, list_datasets

ALL_PATCHES = ("all", 1.0)


@dataclass(frozen=True, order=True)
class Sweep:
    """One training job of an mlp: every split, selector and keep rate of it on one table of embeddings."""

    dataset: str
    sampler: str
    encoder: str
    student: str


@dataclass(frozen=True, order=True)
class Run:
    """One training job of a deep student: a single split, selector and keep rate."""

    dataset: str
    sampler: str
    encoder: str
    selector: str
    keep: float
    student: str
    split: int


@dataclass(frozen=True, order=True)
class Cell:
    """One table of embeddings."""

    dataset: str
    sampler: str
    encoder: str


def dataset_source(study: Study, dataset: str) -> DatasetRecord:
    """What the registry knows about a dataset of the study."""
    return dataset_record(study.datasets[dataset].source)


def dataset_kind(study: Study, dataset: str) -> str:
    """Whether a dataset holds panoramas ("sphere") or photographs ("flat")."""
    return study.datasets[dataset].kind or dataset_source(study, dataset).kind


def sampler_kind(study: Study, sampler: str) -> str:
    """Whether a sampler places viewports ("sphere") or crops ("flat")."""
    return "sphere" if study.samplers[sampler].method in SPHERE_METHODS else "flat"


def experiment_selectors(study: Study, experiment: ExperimentSettings) -> list[str]:
    """Selectors of an experiment, grids spread out into their members."""
    if experiment.selectors is None:
        return _no_members(study, study.selectors)
    return [name for given in experiment.selectors for name in study.grids.get(given, (given,))]


def experiment_students(study: Study, experiment: ExperimentSettings) -> list[str]:
    """Students of an experiment, grids spread out into their members; those on frozen embeddings unless it names others."""
    if experiment.students is None:
        return [name for name in _no_members(study, study.students) if study.students[name].model == "mlp"]
    return [name for given in experiment.students for name in study.grids.get(given, (given,))]


def _no_members(study: Study, names: Iterable[str]) -> list[str]:
    """Names that are no member of a grid: a grid is drawn where an experiment asks for it."""
    members = {name for grid in study.grids.values() for name in grid}
    return [name for name in names if name not in members]


def experiment_cells(study: Study, experiment: ExperimentSettings) -> list[Cell]:
    """Embedding tables of an experiment: its datasets x the samplers that fit their kind x its encoders."""
    scored = [name for name in study.datasets if dataset_source(study, name).score is not None]
    return [
        Cell(dataset, sampler, encoder)
        for dataset in experiment.datasets or scored
        for sampler in experiment.samplers or study.samplers
        if sampler_kind(study, sampler) == dataset_kind(study, dataset)
        for encoder in experiment.encoders or study.encoders
    ]


def job_cell(job: Sweep | Run) -> Cell:
    """The table of embeddings an mlp learns from, or a deep student's patches are selected by."""
    return Cell(job.dataset, job.sampler, job.encoder)


def experiment_variants(study: Study, experiment: ExperimentSettings) -> set[tuple[str, float]]:
    """(selector, keep) an experiment on metrics reads.

    Random at every rate in use and all patches are always among them: they are what a selector is measured against. Students are
    compared on all patches unless selectors are named.
    """
    if experiment.figure == "students" and experiment.selectors is None:
        return {ALL_PATCHES}
    rates = [keep for keep in experiment.keep or study.keep if keep < 1]
    return {ALL_PATCHES} | {
        (name, keep) for name in {*experiment_selectors(study, experiment), "random"} for keep in rates
    }


def dataset_splits(study: Study, dataset: str) -> list[int]:
    """Numbers of a dataset's splits: random ones from 0, and the official one after them."""
    drawn, kinds = study.evaluation.splits, study.datasets[dataset].splits
    return [*(range(drawn) if "random" in kinds else ()), *([drawn] if "official" in kinds else ())]


def _jobs(study: Study) -> Iterator[tuple[Cell, str, set[tuple[str, float]]]]:
    """(cell, student, variants) of every experiment on metrics."""
    for experiment in study.experiments:
        if experiment.figure in METRIC_FIGURES:
            variants = experiment_variants(study, experiment)
            for cell in experiment_cells(study, experiment):
                for student in experiment_students(study, experiment):
                    yield cell, student, variants


def study_sweeps(study: Study) -> dict[Sweep, list[tuple[str, float]]]:
    """Training jobs of a study's mlps with the (selector, keep) variants of each."""
    wanted: dict[Sweep, set[tuple[str, float]]] = {}
    for cell, student, variants in _jobs(study):
        if study.students[student].model == "mlp":
            wanted.setdefault(Sweep(cell.dataset, cell.sampler, cell.encoder, student), set()).update(variants)
    return {sweep: sorted(variants) for sweep, variants in sorted(wanted.items())}


def study_runs(study: Study) -> list[Run]:
    """Training jobs of a study's deep students."""
    return sorted(
        {
            Run(cell.dataset, cell.sampler, cell.encoder, selector, keep, student, split)
            for cell, student, variants in _jobs(study)
            if study.students[student].model != "mlp"
            for selector, keep in variants
            for split in dataset_splits(study, cell.dataset)
            if split == study.evaluation.splits or split < (study.students[student].splits or study.evaluation.splits)
        }
    )


def check_experiments(study: Study) -> None:
    """Check what no single setting shows: names that exist, kinds that fit, patches of one size and enough of them for h.

    Raises:
        InputError: With the experiment, the name and the nearest known one.
    """
    known = list_datasets()
    for name, entry in study.datasets.items():
        if entry.source not in known:
            hint = nearest(entry.source, known)
            raise InputError(f"datasets.{name}.source: unknown source {entry.source!r} (own pictures: images); {hint}")
        if entry.url and dataset_source(study, name).origin != "archive":
            raise InputError(f"datasets.{name}.url: source {entry.source!r} comes as no archive; take url out.")
        for kind in entry.splits:
            if kind not in dataset_source(study, name).splits:
                raise InputError(f"datasets.{name}.splits: source {entry.source!r} has no {kind} split; take it out.")
    for position, experiment in enumerate(study.experiments):
        where = f"experiments[{position}] ({experiment.name})"
        for axis in ("datasets", "samplers", "encoders", "selectors", "students"):
            entries = getattr(study, axis)
            known = [*entries, *(grid for grid, members in study.grids.items() if members[0] in entries)]
            for name in getattr(experiment, axis) or ():
                if name not in known:
                    raise InputError(f"{where}.{axis}: {name!r} is not defined; {nearest(name, known)}")
        cells = experiment_cells(study, experiment)
        if not cells:
            raise InputError(
                f"{where}: no sampler fits its datasets; panoramas take erp, lat, sp or sphere, flat pictures crops."
            )
        for cell in cells:
            _check_components(study, where, cell, experiment_selectors(study, experiment))
        unscored = [c.dataset for c in cells if dataset_source(study, c.dataset).score is None]
        if unscored and experiment.figure in METRIC_FIGURES:
            raise InputError(f"{where}.datasets: {unscored[0]!r} has no scores to learn from; leave it out.")
    for run in study_runs(study):
        student, sampler = study.students[run.student], study.samplers[run.sampler]
        if sampler.longer_side is not None and student.size is None:
            raise InputError(
                f"students.{run.student}.size: missing; crops of sampler {run.sampler!r} differ in size (longer_side), so it must bring"
                f" them to one, such as {sampler.size}."
            )
        if (
            student.patience
            and not study.evaluation.val_fraction
            and "official" not in study.datasets[run.dataset].splits
        ):
            raise InputError(
                f"students.{run.student}.patience: needs validation images, of which evaluation.val_fraction 0 leaves none; raise it."
            )
    if not study_sweeps(study) and not study_runs(study):
        raise InputError("experiments: none trains a student; add one with figure rate_sweep or controls.")
    names = [experiment.name for experiment in study.experiments]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"experiments: {name!r} is given twice; add a name of its own to each.")
    for name, student in study.students.items():
        if student.model == "mlp" and len(student.hidden) != len(student.dropout):
            raise InputError(
                f"students.{name}: hidden has {len(student.hidden)} widths and dropout {len(student.dropout)}; give one each."
            )


def _check_components(study: Study, where: str, cell: Cell, selectors: Iterable[str]) -> None:
    sampler = study.samplers[cell.sampler]
    if sampler.longer_side is not None and study.encoders[cell.encoder].size is None:
        raise InputError(
            f"encoders.{cell.encoder}.size: missing; crops of sampler {cell.sampler!r} differ in size (longer_side), so the encoder used"
            f" in {where} must bring them to one, such as {sampler.size}."
        )
    for name in selectors:
        selector = study.selectors[name]
        if selector.method in ("residual", "highest_residual") and selector.n_components > sampler.count:
            raise InputError(
                f"selectors.{name}.n_components: h = {selector.n_components} exceeds the {sampler.count} patches of sampler"
                f" {cell.sampler!r} used in {where}; lower it or sample more."
            )
