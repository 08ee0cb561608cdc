"""What the teachers of a study are trained on."""

from dataclasses import dataclass

from iqadistill.config.grid import Run, experiment_cells, study_cross_tests, study_runs
from iqadistill.config.study import Study
from iqadistill.config.teachers import TARGET

EVERY_IMAGE = "all"  # in place of a split


@dataclass(frozen=True, order=True)
class Lesson:
    """One training job of a teacher: on the training images of a split of a dataset, or on "all" its scored images."""

    dataset: str
    sampler: str
    teacher: str
    split: str


def run_lessons(study: Study, run: Run) -> dict[str, Lesson]:
    """What the teachers of a deep student's run were trained on, by their role.

    Test contents of the run are never among it: a teacher learns from the run's own training images, unless it learns from all images of
    another dataset.
    """
    student, lessons = study.students[run.student], {}
    for role, name in (student.teachers() if student.model == "rkiqt" else {}).items():
        teacher = study.teachers[name]
        elsewhere = teacher.model == "nar_teacher" and teacher.pretrain_on not in (TARGET, run.dataset)
        lessons[role] = (
            Lesson(teacher.pretrain_on, teacher.sampler or run.sampler, name, EVERY_IMAGE)
            if elsewhere
            else Lesson(run.dataset, run.sampler, name, str(run.split))
        )
    return lessons


def study_lessons(study: Study) -> list[Lesson]:
    """Training jobs of a study's teachers, each once however many students it teaches."""
    return sorted({lesson for run in study_runs(study) for lesson in run_lessons(study, run).values()})


def pristine_patches(study: Study, lesson: Lesson | Run, name: str) -> tuple[str, str] | None:
    """(dataset, sampler) of the pristine patches with which a NAR-teacher, or a student of it, compares; None for another teacher."""
    teacher = study.teachers[name]
    if teacher.model != "nar_teacher":
        return None
    if teacher.pristine == TARGET:
        return lesson.dataset, lesson.sampler
    return teacher.pristine, teacher.sampler or lesson.sampler


def sampled_datasets(study: Study) -> set[tuple[str, str]]:
    """(dataset, sampler) of all patches that the study places."""
    cells = {cell for experiment in study.experiments for cell in experiment_cells(study, experiment)}
    placed = {(cell.dataset, cell.sampler) for cell in cells}
    placed |= {(test.tested, test.run.sampler) for test in study_cross_tests(study)}
    for lesson in study_lessons(study):
        placed |= {
            (lesson.dataset, lesson.sampler),
            pristine_patches(study, lesson, lesson.teacher) or (lesson.dataset, lesson.sampler),
        }
    return placed
