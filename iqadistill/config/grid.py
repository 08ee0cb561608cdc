"""From experiments to the jobs they need."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from iqadistill.config.study import METRIC_FIGURES, SPHERE_METHODS, STUDENT_FIGURES, ExperimentSettings, Study
from iqadistill.datasets.registry import DatasetRecord, dataset_record

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
class CrossTest:
    """A deep student's run tested on all pictures of another dataset."""

    run: Run
    tested: str


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
    """Selectors of an experiment, grids spread out into their members; students are compared without any unless it names some."""
    if experiment.selectors is None and experiment.figure in STUDENT_FIGURES:
        return []
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
    selectors = experiment_selectors(study, experiment)
    if experiment.figure in STUDENT_FIGURES and not selectors:
        return {ALL_PATCHES}
    rates = [keep for keep in experiment.keep or study.keep if keep < 1]
    return {ALL_PATCHES} | {(name, keep) for name in {*selectors, "random"} for keep in rates}


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
    runs = (_runs(study, *job) for job in _jobs(study))
    return sorted({run for own in runs for run in own})


def _runs(study: Study, cell: Cell, student: str, variants: set[tuple[str, float]]) -> list[Run]:
    if study.students[student].model == "mlp":
        return []
    number = study.students[student].splits or study.evaluation.splits
    return [
        Run(cell.dataset, cell.sampler, cell.encoder, selector, keep, student, split)
        for selector, keep in variants
        for split in dataset_splits(study, cell.dataset)
        if split == study.evaluation.splits or split < number
    ]


def experiment_tested(study: Study, experiment: ExperimentSettings) -> list[str]:
    """Datasets that a cross_dataset experiment tests on; none for another."""
    if experiment.figure != "cross_dataset":
        return []
    return list(experiment.tested_on or dict.fromkeys(cell.dataset for cell in experiment_cells(study, experiment)))


def study_cross_tests(study: Study) -> list[CrossTest]:
    """Tests of a study's deep students on datasets they were not trained on."""
    found = set()
    for experiment in study.experiments:
        for tested in experiment_tested(study, experiment):
            for cell in experiment_cells(study, experiment):
                for student in experiment_students(study, experiment):
                    runs = _runs(study, cell, student, {ALL_PATCHES}) if cell.dataset != tested else []
                    found |= {CrossTest(run, tested) for run in runs}
    return sorted(found)
