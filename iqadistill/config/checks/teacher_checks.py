"""Checks of deep students and their teachers: patches, roles and data that fit each other."""

from collections.abc import Iterator

from iqadistill.config.checks.image_checks import may_have_references
from iqadistill.config.experiments import kind_of, reads_metrics, source_of, students_of
from iqadistill.config.jobs.plan import Plan
from iqadistill.config.jobs.trainings import EVERY_IMAGE
from iqadistill.config.study import Study
from iqadistill.errors import InputError, nearest
from iqadistill.models.registry import TARGET
from iqadistill.tables import ALL


def check_something_trains(plan: Plan) -> None:
    """A study trains a student."""
    if not plan.mlp_jobs and not plan.student_jobs:
        raise InputError("experiments: none trains a student; add one with figure rate_sweep or controls.")


def check_students(plan: Plan) -> None:
    """Deep students get patches of one size, and validation images where they wait for them."""
    for job in plan.student_jobs:
        student, sampler = plan.study.deep_students[job.student], plan.study.samplers[job.sampler]
        if sampler.varies_in_size and student.size is None:
            raise InputError(
                f"students.{job.student}.size: missing; crops of sampler {job.sampler!r} differ in size (longer_side"
                f" or small_images), so it must resize them to one size, such as {sampler.size}."
            )
        if student.crops == "fresh":
            _check_fresh_crops(f"students.{job.student}", sampler.redraws, job.sampler)
            if job.selector != ALL:
                raise InputError(
                    f"students.{job.student}.crops: fresh crops have no ranking, but an experiment trains it on those"
                    f" that {job.selector!r} keeps; name a student with crops: fixed there."
                )
        official = "official" in plan.study.datasets[job.dataset].splits
        if student.patience and not plan.study.evaluation.val_fraction and not official:
            raise InputError(
                f"students.{job.student}.patience: needs validation images, but evaluation.val_fraction is 0; raise it."
            )


def _check_fresh_crops(where: str, redraws: bool, sampler: str) -> None:
    if not redraws:
        raise InputError(
            f"{where}.crops: fresh needs a sampler of random crops, which {sampler!r} is not; use crops: fixed."
        )


def check_roles(plan: Plan) -> None:
    """Teachers are defined, of the model their role takes, and teach a student that can learn from them."""
    for name in sorted({job.student for job in plan.student_jobs}):
        student = plan.study.deep_students[name]
        for role, teacher in student.teachers().items():
            model = student.teacher_models[role]
            if plan.study.teachers[teacher].model != model:
                raise InputError(
                    f"students.{name}.{role}: {teacher!r} is a {plan.study.teachers[teacher].model}; name a teacher of"
                    f" model {model}."
                )
        teachers = {role: plan.study.teachers[teacher] for role, teacher in student.teachers().items()}
        student.check_teachers(f"students.{name}", teachers)


def check_teachers_exist(study: Study) -> None:
    """Teachers that students name are defined."""
    for name in {name for e in study.experiments for name in students_of(study, e)}:
        student = study.deep_students.get(name)
        if student is not None:
            for role, teacher in student.teachers().items():
                if teacher not in study.teachers:
                    hint = nearest(teacher, study.teachers)
                    raise InputError(f"students.{name}.{role}: {teacher!r} is not defined; {hint}")


def check_teacher_data(study: Study) -> None:
    """Datasets and samplers that teachers name are defined, fit each other, and hold what teachers need."""
    for where, name in _teachers_in_use(study):
        teacher = study.teachers[name]
        for key, dataset in (("pretrain_on", teacher.trains_on()), ("pristine", teacher.pristine_dataset())):
            if dataset not in (None, TARGET, *study.datasets):
                raise InputError(
                    f"{where}.{key}: {dataset!r} is not defined under datasets; {nearest(str(dataset), study.datasets)}"
                )
        sampler = teacher.sampler_entry()
        if sampler is not None and sampler not in study.samplers:
            raise InputError(f"{where}.sampler: {sampler!r} is not defined; {nearest(sampler, study.samplers)}")
        if teacher.trains_on() != TARGET and source_of(study, teacher.trains_on()).score is None:
            raise InputError(
                f"{where}.pretrain_on: {teacher.trains_on()!r} has no scores to learn from; name another dataset."
            )


def check_teacher_jobs(plan: Plan) -> None:
    """Patches that teachers are trained on fit the images, have one size, and there are pristine ones where needed."""
    study = plan.study
    for job in plan.teacher_jobs:
        where, teacher = f"teachers.{job.teacher}", study.teachers[job.teacher]
        needed = {"pretrain_on": (job.dataset, job.sampler)}
        references = plan.references_of(job.dataset, job.sampler, job.teacher)
        if references:
            needed["pristine"] = references
        for key, (dataset, sampler) in needed.items():
            if study.samplers[sampler].kind != kind_of(study, dataset):
                raise InputError(
                    f"{where}.sampler: {sampler!r} does not fit the {kind_of(study, dataset)} images of {dataset!r}"
                    f" ({key}); name one that does."
                )
            if study.samplers[sampler].varies_in_size and teacher.size is None:
                raise InputError(
                    f"{where}.size: missing; crops of sampler {sampler!r} differ in size (longer_side or"
                    " small_images); give a size."
                )
        if teacher.crops == "fresh":
            _check_fresh_crops(where, study.samplers[job.sampler].redraws, job.sampler)
        if references and not may_have_references(study, references[0]):
            raise InputError(
                f"{where}.pristine: {references[0]!r} has no pristine images; name a dataset with references, such as"
                " div2k."
            )
        if teacher.patience and (job.split == EVERY_IMAGE or not study.evaluation.val_fraction):
            raise InputError(f"{where}.patience: needs validation images, of which there are none; remove patience.")


def _teachers_in_use(study: Study) -> Iterator[tuple[str, str]]:
    """Teachers of the students that experiments name, with how messages name them."""
    students = {name for e in study.experiments if reads_metrics(e) for name in students_of(study, e)}
    deep = [student for name, student in study.deep_students.items() if name in students]
    for name in sorted({teacher for student in deep for teacher in student.teachers().values()}):
        yield f"teachers.{name}", name
