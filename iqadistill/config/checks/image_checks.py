"""Checks that no image teaches what is tested on it, and that students without patches have their images."""

from iqadistill.config.checks.entry_checks import named_experiments
from iqadistill.config.experiments import kind_of, reads_metrics, source_of, students_of, tables_of, tested_datasets
from iqadistill.config.jobs.plan import Plan
from iqadistill.config.jobs.trainings import StudentJob
from iqadistill.config.study import Study
from iqadistill.errors import InputError, nearest
from iqadistill.models.registry import TARGET
from iqadistill.models.settings import ImageStudentSettings
from iqadistill.models.students.external import ExternalSettings


def check_image_students(study: Study) -> None:
    """Students without patches have the images or predictions that they need, and no image that they are tested on."""
    for where, experiment in named_experiments(study):
        for name in students_of(study, experiment) if reads_metrics(experiment) else ():
            student = study.students[name]
            for dataset in dict.fromkeys(table.dataset for table in tables_of(study, experiment)):
                if isinstance(student, ExternalSettings) and dataset not in student.files:
                    raise InputError(
                        f"students.{name}.files: no predictions for {dataset!r}, which {where} shows; add its CSV, or"
                        " name other datasets there."
                    )
                if isinstance(student, ImageStudentSettings):
                    _check_whole_images(study, name, student, dataset)


def _check_whole_images(study: Study, name: str, student: ImageStudentSettings, dataset: str) -> None:
    if kind_of(study, dataset) != "flat":
        raise InputError(
            f"students.{name}: {student.label} scores flat images, and {dataset!r} holds panoramas; name it for other"
            " datasets."
        )
    pristine = student.pristine_dataset()
    if pristine is None:
        return
    where = f"students.{name}.pristine"
    if pristine not in study.datasets:
        raise InputError(f"{where}: {pristine!r} is not defined under datasets; {nearest(pristine, study.datasets)}")
    if kind_of(study, pristine) != "flat" or not may_have_references(study, pristine):
        raise InputError(
            f"{where}: {pristine!r} has no pristine photographs; name a dataset with references, such as div2k."
        )
    if same_images(study, pristine, dataset):
        raise InputError(
            f"{where}: {pristine!r} holds the images of {dataset!r}, which it is tested on; name another dataset."
        )


def check_cross_tests(study: Study) -> None:
    """Students are tested across datasets of one kind that share no image."""
    for where, experiment in named_experiments(study):
        if experiment.tested_on and experiment.figure != "cross_dataset":
            raise InputError(
                f"{where}.tested_on: figure {experiment.figure} tests on the dataset it trains on; remove tested_on."
            )
        tables, tested = tables_of(study, experiment), tested_datasets(study, experiment)
        for name in tested:
            if name not in study.datasets:
                raise InputError(f"{where}.tested_on: {name!r} is not defined; {nearest(name, study.datasets)}")
            if source_of(study, name).score is None:
                raise InputError(f"{where}.tested_on: {name!r} has no scores to test against; remove it.")
            for table in tables:
                if kind_of(study, table.dataset) != kind_of(study, name):
                    raise InputError(
                        f"{where}.tested_on: {name!r} holds {kind_of(study, name)} images, {table.dataset!r} others;"
                        " test within a kind."
                    )
                if name != table.dataset and same_images(study, name, table.dataset):
                    raise InputError(
                        f"{where}.tested_on: {name!r} holds the images of {table.dataset!r}, which it trains on; remove"
                        " it."
                    )
        if tested and {table.dataset for table in tables} == set(tested) and len(set(tested)) == 1:
            raise InputError(
                f"{where}.tested_on: {tested[0]!r} is the only dataset and is trained on; name another dataset."
            )


def check_taught_images(plan: Plan) -> None:
    """No image that a student is tested on teaches it, except training images of its split."""
    for job in plan.student_jobs:
        _check_taught(plan, job, job.dataset)
    for test in plan.cross_tests:
        _check_taught(plan, test.job, test.tested)


def _check_taught(plan: Plan, job: StudentJob, tested: str) -> None:
    for teacher in plan.teachers_of(job).values():
        pristine = plan.study.teachers[teacher.teacher].pristine_dataset() or TARGET
        for key, name in (("pretrain_on", teacher.dataset), ("pristine", pristine)):
            of_the_split = name == TARGET or (key == "pretrain_on" and name == job.dataset)
            if not of_the_split and same_images(plan.study, name, tested):
                raise InputError(
                    f"teachers.{teacher.teacher}.{key}: {name!r} holds images that {job.student!r} is tested on"
                    f" ({tested!r}); set it to target, name another dataset, or use one entry for both."
                )


def same_images(study: Study, one: str, other: str) -> bool:
    """Whether two dataset entries hold the same images, or images of the same contents."""
    if one not in study.datasets or other not in study.datasets:
        return False
    entries = [study.datasets[name] for name in (one, other)]
    contents = {source_of(study, name).local_damage_of or study.datasets[name].source for name in (one, other)}
    if len(contents) > 1:
        return False
    folders = {entry.root or f"data/{name}" for entry, name in zip(entries, (one, other), strict=True)}
    return source_of(study, one).origin != "folder" or len(folders) == 1


def may_have_references(study: Study, name: str) -> bool:
    """Whether a dataset has pristine images; for the user's own images only the files tell."""
    source = source_of(study, name)
    return source.origin != "archive" or bool(source.references)
