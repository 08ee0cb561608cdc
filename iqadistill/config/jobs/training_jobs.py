"""Jobs that train students and teachers, and score images with them."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from iqadistill.choosing.registry import CHOOSERS
from iqadistill.config.experiments import Variant
from iqadistill.config.jobs.files import Files
from iqadistill.config.jobs.job import Job, dump, text
from iqadistill.config.jobs.layout import PATHS, path_of
from iqadistill.config.jobs.trainings import EVERY_IMAGE, CrossTest, ImageJob, MlpJob, StudentJob, TeacherJob
from iqadistill.config.primaries import DRAWS
from iqadistill.models.registry import STUDENTS, TARGET, TEACHERS
from iqadistill.models.students.external import ExternalSettings
from iqadistill.tables import ALL

UNTRAINED = ("splits", "test_patches", "max_test_patches", "flip")
"""Settings of students that do not change what a training makes."""


def jobs_of_mlp(plan: Files, job: MlpJob, variants: list[Variant]) -> Iterator[Job]:
    """Train the MLPs of one embedding table, score images with them, and all that is asked of them besides."""
    wildcards = {"study": plan.results_name, **vars(job)}
    selectors = sorted({selector for selector, _ in variants} - {ALL})
    shared = {
        "images": plan.images_file(job.dataset),
        "embeddings": plan.embeddings_file(job.table),
        "selections": plan.selection_files(job.table, selectors),
    }
    weights = {"patches": _weights_of_patches(plan, job)}
    names = {"train_dataset": job.dataset, "sampler": job.sampler, "encoder": job.encoder}
    names |= {"student": job.student, "teacher": ""}
    training = {
        "student": text(dump(plan.study.students[job.student], UNTRAINED)),
        "sampler": text(dump(plan.study.samplers[job.sampler])),
        "encoder": text(dump(plan.study.encoders[job.encoder])),
        "selectors": text(selectors),
        "variants": text(variants),
        "names": text(names),
        "seed": plan.study.seed,
    }
    modules = (STUDENTS.module(plan.study.students[job.student].model),)
    inputs = {**shared, "splits": plan.splits_file(job.dataset)}
    trained = Job("train_mlps", wildcards, vars(job), inputs, training, modules)
    yield trained
    prediction = {"selectors": text(selectors), "names": text(names), **scoring_params(plan, job.student)}
    yield Job(
        "predict_mlps", wildcards, vars(job), {**shared, **weights, "weights": trained.output}, prediction, modules
    )
    if job in plan.patch_scored:
        scored = {**{name: inputs[name] for name in ("images", "splits", "embeddings")}, "weights": trained.output}
        yield Job("predict_patches", wildcards, vars(job), scored, {"names": text(names)}, modules)
    if job in plan.random_draws:
        inputs = {name: inputs[name] for name in ("images", "splits", "embeddings")} | weights
        params = {name: training[name] for name in ("student", "names")} | scoring_params(plan, job.student)
        params["draws"] = text(sorted(plan.random_draws[job].items()))
        yield Job("train_random_draws", wildcards, vars(job), inputs, params, modules)
    if job in plan.choices:
        yield _choice_job(plan, job, wildcards, training, modules)


def _weights_of_patches(plan: Files, job: MlpJob) -> list[str]:
    """The patch table where scores are pooled by its weights."""
    weighted = plan.study.evaluation.pooling == "weighted"
    return [plan.patches_file(job.dataset, job.sampler)] if weighted else []


def _choice_job(
    plan: Files, job: MlpJob, wildcards: Mapping[str, str], training: Mapping[str, Any], modules: tuple[str, ...]
) -> Job:
    budgets, choosers = plan.choices[job]
    inputs = {
        "images": plan.images_file(job.dataset),
        "splits": plan.splits_file(job.dataset),
        "embeddings": plan.embeddings_file(job.table),
        "patches": _weights_of_patches(plan, job),
    }
    scoring = scoring_params(plan, job.student)
    params = {
        **{name: training[name] for name in ("student", "names")},
        **{name: scoring[name] for name in ("pooling", "max_test_patches", "seed")},
        "splits": text(plan.random_splits_of(job.dataset)),
        "budgets": text(budgets),
        "choosers": text(choosers),
        "draws": DRAWS,
    }
    methods = tuple(CHOOSERS.module(name) for name in choosers)
    return Job("train_on_chosen", wildcards, vars(job), inputs, params, (*modules, *methods))


def scoring_params(plan: Files, student: str) -> dict[str, Any]:
    """How scores of patches become the score of an image."""
    evaluation, settings = plan.study.evaluation, plan.study.students[student]
    return {
        "pooling": evaluation.pooling,
        "test_patches": settings.test_patches or evaluation.test_patches,
        "max_test_patches": settings.max_test_patches or evaluation.max_test_patches or 0,
        "seed": plan.study.seed,
    }


def teacher_job(plan: Files, job: TeacherJob) -> Job:
    """Train a teacher."""
    teacher = plan.study.teachers[job.teacher]
    names = {"train_dataset": job.dataset, "sampler": job.sampler, "teacher": job.teacher}
    return Job(
        "pretrain_teacher",
        plan.teacher_ids(job),
        vars(job),
        {
            "images": plan.images_file(job.dataset),
            "splits": plan.splits_file(job.dataset),
            "patches": plan.patches_file(job.dataset, job.sampler),
            "references": _reference_files(plan, job.dataset, job.sampler, job.split, job.teacher),
            "weights_file": list(teacher.files()),
        },
        {
            "teacher": text(dump(teacher)),
            "weights_file": plan.file_states(teacher.files()),
            "sampler": text(dump(plan.study.samplers[job.sampler])),
            "size": teacher.size or plan.study.samplers[job.sampler].size,
            "split": job.split,
            "names": text(names),
            "seed": plan.study.seed,
        },
        (TEACHERS.module(teacher.model),),
    )


def _reference_files(plan: Files, dataset: str, sampler: str, split: str, teacher: str) -> list[str]:
    """Tables of the pristine images that a teacher, or a student of it, compares with."""
    references = plan.references_of(dataset, sampler, teacher)
    if references is None:
        return []
    files = [plan.images_file(references[0]), plan.patches_file(*references)]
    own = plan.study.teachers[teacher].pristine_dataset() == TARGET and split != EVERY_IMAGE
    return [*files, plan.splits_file(references[0])] if own else files


def jobs_of_student(plan: Files, job: StudentJob) -> Iterator[Job]:
    """Train a deep student and score the images of its dataset."""
    student = plan.study.deep_students[job.student]
    teachers = plan.teachers_of(job)
    with_references = [
        teacher.teacher for teacher in teachers.values() if plan.study.teachers[teacher.teacher].uses_references
    ]
    compared = with_references[0] if with_references else None
    roles = {role: teacher.teacher for role, teacher in teachers.items()}
    names = {
        "train_dataset": job.dataset,
        "sampler": job.sampler,
        "encoder": job.encoder,
        "selector": job.selector,
        "keep": job.keep,
        "student": job.student,
        "split": job.split,
        "teacher": "+".join(roles.values()),
    }
    shared = {
        "images": plan.images_file(job.dataset),
        "patches": plan.patches_file(job.dataset, job.sampler),
        "selection": plan.selection_of(job),
    }
    inputs = {
        **shared,
        "splits": plan.splits_file(job.dataset),
        "teachers": [plan.teacher_file(teacher) for teacher in teachers.values()],
        "teacher_sidecars": [
            path_of("pretrain_teacher", ".json").format(**plan.teacher_ids(teacher)) for teacher in teachers.values()
        ],
        "references": _reference_files(plan, job.dataset, job.sampler, str(job.split), compared) if compared else [],
        "weights_file": list(student.files()),
    }
    params = {
        "student": text(dump(student, UNTRAINED)),
        "weights_file": plan.file_states(student.files()),
        "sampler": text(dump(plan.study.samplers[job.sampler])),
        "size": student.size or plan.study.samplers[job.sampler].size,
        "teachers": json.dumps(roles),  # in the order of the inputs
        "reference_patches": plan.study.teachers[compared].reference_patches() if compared else 0,
        "names": text(names),
        "seed": plan.study.seed,
    }
    network = STUDENTS.module(student.model)
    taught_by = {TEACHERS.module(plan.study.teachers[name].model) for name in roles.values()}
    wildcards = plan.student_wildcards(job)
    trained = Job("train_student", wildcards, job.names, inputs, params, (network, *sorted(taught_by)))
    yield trained
    weights = {"weights": trained.output, "sidecar": trained.file(".json")}
    yield Job("predict", wildcards, job.names, {**shared, **weights}, _network_scoring(plan, job.student), (network,))


def cross_job(plan: Files, test: CrossTest) -> Job:
    """Score the images of another dataset with a trained deep student."""
    wildcards = {**plan.student_wildcards(test.job), "tested": test.tested}
    trained = PATHS["train_student"].format(**wildcards)
    inputs = {
        "images": plan.images_file(test.tested),
        "patches": plan.patches_file(test.tested, test.sampler),
        "selection": [],
        "weights": trained,
        "sidecar": path_of("train_student", ".json").format(**wildcards),
    }
    modules = (STUDENTS.module(plan.study.students[test.job.student].model),)
    names = {**test.job.names, "tested": test.tested}
    return Job("predict_cross", wildcards, names, inputs, _network_scoring(plan, test.job.student), modules)


def _network_scoring(plan: Files, student: str) -> dict[str, Any]:
    own = plan.study.deep_students[student].flip
    return {**scoring_params(plan, student), "flip": plan.study.evaluation.flip if own is None else own}


def image_job(plan: Files, job: ImageJob) -> Job:
    """Score images with a student without patches, or read another tool's predictions."""
    student = plan.study.students[job.student]
    wildcards = {"study": plan.study.name, **vars(job)}
    inputs: dict[str, Any] = {"images": plan.images_file(job.dataset), "splits": plan.splits_file(job.dataset)}
    params: dict[str, Any] = {"name": job.student, "student": text(dump(student, {"files", *UNTRAINED}))}
    modules = (STUDENTS.module(student.model),)
    if isinstance(student, ExternalSettings):
        inputs["file"] = student.files[job.dataset]
        params["file_state"] = plan.file_states([inputs["file"]])
        return Job("read_predictions", wildcards, vars(job), inputs, params, modules)
    pristine = plan.pristine_of(job)
    inputs["pristine"] = [plan.images_file(pristine)] if pristine else []
    return Job("predict_images", wildcards, vars(job), inputs, params, modules)
