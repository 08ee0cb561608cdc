"""What no single setting of a study shows: names that exist, kinds that fit."""

from collections.abc import Iterable

from iqadistill.config.grid import (
    Cell,
    Run,
    dataset_kind,
    dataset_source,
    experiment_cells,
    experiment_selectors,
    experiment_students,
    experiment_tested,
    sampler_kind,
    study_cross_tests,
    study_runs,
    study_sweeps,
)
from iqadistill.config.lessons import EVERY_IMAGE, pristine_patches, run_lessons, study_lessons
from iqadistill.config.study import METRIC_FIGURES, Study
from iqadistill.config.teachers import TARGET
from iqadistill.datasets.registry import list_datasets
from iqadistill.errors import InputError, nearest


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
        if experiment.tested_on and experiment.figure != "cross_dataset":
            raise InputError(
                f"{where}.tested_on: figure {experiment.figure} tests on the dataset it trains on; take it out."
            )
        for name in experiment_tested(study, experiment):
            _check_tested(study, where, name, cells)
        if experiment.figure == "cross_dataset" and {cell.dataset for cell in cells} == set(
            experiment_tested(study, experiment)
        ) == {cells[0].dataset}:
            raise InputError(
                f"{where}.tested_on: {cells[0].dataset!r} alone, which it trains on; name another dataset."
            )
        if experiment.figure in ("student_cost", "cross_dataset"):
            for name in experiment_students(study, experiment):
                if study.students[name].model == "mlp":
                    raise InputError(f"{where}.students: {name!r} learns from embeddings; name deep students only.")
    for run in study_runs(study):
        _check_teachers(study, run)
        _check_taught(study, run, run.dataset)
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
    _check_lessons(study)
    for test in study_cross_tests(study):
        _check_taught(study, test.run, test.tested)
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


def _check_tested(study: Study, where: str, name: str, cells: Iterable[Cell]) -> None:
    if name not in study.datasets:
        raise InputError(f"{where}.tested_on: {name!r} is not defined; {nearest(name, study.datasets)}")
    if dataset_source(study, name).score is None:
        raise InputError(f"{where}.tested_on: {name!r} has no scores to test against; leave it out.")
    for cell in cells:
        if dataset_kind(study, cell.dataset) != dataset_kind(study, name):
            raise InputError(
                f"{where}.tested_on: {name!r} holds {dataset_kind(study, name)} pictures, {cell.dataset!r} others; test within a kind."
            )
        if name != cell.dataset and _same_pictures(study, name, cell.dataset):
            raise InputError(
                f"{where}.tested_on: {name!r} holds the pictures of {cell.dataset!r}, which it trains on; leave it out."
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


def _check_teachers(study: Study, run: Run) -> None:
    """Teachers that are there, of the model their role takes, and with a token to teach; images a run is tested on teach nothing."""
    student = study.students[run.student]
    if student.model != "rkiqt":
        return
    where = f"students.{run.student}"
    for role, name in student.teachers().items():
        if name not in study.teachers:
            raise InputError(f"{where}.{role}: {name!r} is not defined; {nearest(name, study.teachers)}")
        model = "nar_teacher" if role == "nar" else "regressor"
        if study.teachers[name].model != model:
            raise InputError(
                f"{where}.{role}: {name!r} is a {study.teachers[name].model}; name a teacher of model {model}."
            )
        if role != "nar" and (student.head == "linear" or role not in student.tokens):
            raise InputError(
                f"{where}.{role}: the student has no {role} token; add it to tokens, or leave the teacher out."
            )


def _check_taught(study: Study, run: Run, tested: str) -> None:
    """No picture of a dataset that a student is tested on teaches it, but for the training images of the split."""
    for lesson in run_lessons(study, run).values():
        pristine = getattr(study.teachers[lesson.teacher], "pristine", TARGET)
        for key, name in (("pretrain_on", lesson.dataset), ("pristine", pristine)):
            of_the_split = name == TARGET or (key == "pretrain_on" and name == run.dataset)
            if not of_the_split and _same_pictures(study, name, tested):
                raise InputError(
                    f"teachers.{lesson.teacher}.{key}: {name!r} holds pictures that {run.student!r} is tested on ({tested!r}); say target,"
                    " name another dataset, or use one entry for both."
                )


def _same_pictures(study: Study, one: str, other: str) -> bool:
    """Whether two dataset entries hold the same pictures."""
    entries = [study.datasets.get(name) for name in (one, other)]
    if None in entries or entries[0].source != entries[1].source:
        return False
    folders = [entry.root or f"data/{name}" for entry, name in zip(entries, (one, other), strict=True)]
    return dataset_source(study, one).origin != "folder" or len(set(folders)) == 1


def _check_lessons(study: Study) -> None:
    """Datasets and samplers that teachers need, of kinds that fit."""
    for lesson in study_lessons(study):
        where, teacher = f"teachers.{lesson.teacher}", study.teachers[lesson.teacher]
        needed = {"pretrain_on": (lesson.dataset, lesson.sampler)}
        pristine = pristine_patches(study, lesson, lesson.teacher)
        if pristine:
            needed["pristine"] = pristine
        for key, (dataset, sampler) in needed.items():
            if dataset not in study.datasets:
                raise InputError(
                    f"{where}.{key}: {dataset!r} is not defined under datasets; {nearest(dataset, study.datasets)}"
                )
            if sampler not in study.samplers:
                raise InputError(f"{where}.sampler: {sampler!r} is not defined; {nearest(sampler, study.samplers)}")
            if sampler_kind(study, sampler) != dataset_kind(study, dataset):
                raise InputError(
                    f"{where}.sampler: {sampler!r} does not fit the {dataset_kind(study, dataset)} pictures of {dataset!r} ({key}); name"
                    " one that does."
                )
            if study.samplers[sampler].longer_side is not None and teacher.size is None:
                raise InputError(
                    f"{where}.size: missing; crops of sampler {sampler!r} differ in size (longer_side); give one."
                )
        if pristine and not _may_have_references(study, pristine[0]):
            raise InputError(
                f"{where}.pristine: {pristine[0]!r} has no pristine pictures; name a dataset with references, such as div2k."
            )
        if teacher.patience and (lesson.split == EVERY_IMAGE or not study.evaluation.val_fraction):
            raise InputError(f"{where}.patience: there are no validation images to be patient with; take it out.")
        if dataset_source(study, lesson.dataset).score is None:
            raise InputError(
                f"{where}.pretrain_on: {lesson.dataset!r} has no scores to learn from; name another dataset."
            )


def _may_have_references(study: Study, name: str) -> bool:
    """Whether a dataset has pristine pictures; of pictures of one's own only the files tell."""
    source = dataset_source(study, name)
    return source.origin != "archive" or bool(source.references)
