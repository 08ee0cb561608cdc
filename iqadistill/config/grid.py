"""From experiments to the jobs they need."""

from collections.abc import Iterable
from dataclasses import dataclass

from iqadistill.config.study import METRIC_FIGURES, SPHERE_METHODS, ExperimentSettings, Study
from iqadistill.errors import InputError
from iqadistill.nearest import nearest
from iqadistill.registry import DatasetRecord, dataset_record, list_datasets

ALL_PATCHES = ("all", 1.0)


@dataclass(frozen=True, order=True)
class Sweep:
    """One training job: every split, selector and keep rate of a student on one table of embeddings."""

    dataset: str
    sampler: str
    encoder: str
    student: str


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
        members = {name for grid in study.grids.values() for name in grid}
        return [name for name in study.selectors if name not in members]
    return [name for given in experiment.selectors for name in study.grids.get(given, (given,))]


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


def sweep_cell(sweep: Sweep) -> Cell:
    """The table of embeddings a training job learns from."""
    return Cell(sweep.dataset, sweep.sampler, sweep.encoder)


def experiment_sweeps(study: Study, experiment: ExperimentSettings) -> list[Sweep]:
    """Training jobs an experiment reads; none when it draws selections only."""
    if experiment.figure not in METRIC_FIGURES:
        return []
    return [
        Sweep(cell.dataset, cell.sampler, cell.encoder, student)
        for cell in experiment_cells(study, experiment)
        for student in experiment.students or study.students
    ]


def study_sweeps(study: Study) -> dict[Sweep, list[tuple[str, float]]]:
    """Training jobs of a study with the (selector, keep) variants of each.

    Random at every rate in use and all patches are always among them: they are what a selector is measured against.
    """
    wanted: dict[Sweep, set[tuple[str, float]]] = {}
    for experiment in study.experiments:
        rates = experiment.keep or study.keep
        for sweep in experiment_sweeps(study, experiment):
            variants = wanted.setdefault(sweep, {ALL_PATCHES})
            for selector in {*experiment_selectors(study, experiment), "random"}:
                variants |= {(selector, keep) for keep in rates if keep < 1}
    return {sweep: sorted(variants) for sweep, variants in sorted(wanted.items())}


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
            known = [*getattr(study, axis), *(study.grids if axis == "selectors" else [])]
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
    if not study_sweeps(study):
        raise InputError("experiments: none trains a student; add one with figure rate_sweep or controls.")
    names = [experiment.name for experiment in study.experiments]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"experiments: {name!r} is given twice; add a name of its own to each.")
    for name, student in study.students.items():
        if len(student.hidden) != len(student.dropout):
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
