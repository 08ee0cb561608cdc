"""What the experiments and primary comparisons of a study train, test and embed."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from iqadistill.config.experiments import (
    ALL_PATCHES,
    Variant,
    budgets_of,
    choosers_of,
    keep_rates_of,
    reads_metrics,
    reads_patch_scores,
    sampler_for,
    selectors_of,
    students_of,
    tables_of,
    tested_datasets,
    trains_students,
    variants_of,
)
from iqadistill.config.primaries import DRAWS, Primary, primaries_of
from iqadistill.config.study import Study
from iqadistill.figures.experiment import EmbeddingTable
from iqadistill.figures.registry import FIGURES
from iqadistill.models.registry import TARGET
from iqadistill.models.settings import ImageStudentSettings
from iqadistill.tables import ALL, RANDOM

EVERY_IMAGE = "all"  # in place of a split: a teacher that is trained on all scored images of another dataset


@dataclass(frozen=True, order=True)
class MlpJob:
    """One training of MLPs: every split, selector and keep rate of a student on one embedding table."""

    dataset: str
    sampler: str
    encoder: str
    student: str

    @property
    def table(self) -> EmbeddingTable:
        """The embeddings that it learns from."""
        return EmbeddingTable(self.dataset, self.sampler, self.encoder)


@dataclass(frozen=True, order=True)
class StudentJob:
    """One training of a deep student: a single split, selector and keep rate."""

    dataset: str
    sampler: str
    encoder: str
    selector: str
    keep: float
    student: str
    split: int
    draw: int | None = None
    """Number of the random ranking, where it is one of those that a selector is ranked among."""

    @property
    def names(self) -> dict[str, Any]:
        """What the training is of, by name."""
        return {name: value for name, value in vars(self).items() if value is not None}

    @property
    def table(self) -> EmbeddingTable:
        """The embeddings that its patches are selected by."""
        return EmbeddingTable(self.dataset, self.sampler, self.encoder)


@dataclass(frozen=True, order=True)
class ImageJob:
    """All splits of a student that has no patches: one that scores whole images, or another tool's predictions."""

    dataset: str
    student: str


@dataclass(frozen=True, order=True)
class CrossTest:
    """A trained deep student tested on all images of another dataset."""

    job: StudentJob
    tested: str
    sampler: str
    """Sampler of the tested images."""


@dataclass(frozen=True, order=True)
class TeacherJob:
    """One training of a teacher: on the training images of a split, or on all scored images ("all") of a dataset."""

    dataset: str
    sampler: str
    teacher: str
    split: str


class Trainings:
    """What a study trains, tests and embeds.

    Args:
        study: The study.
    """

    def __init__(self, study: Study):
        self.study = study
        self.experiments = {experiment.name: experiment for experiment in study.experiments}
        self._roles = functools.cache(self._find_teachers)

    @functools.cached_property
    def primaries(self) -> list[Primary]:
        """The primary comparisons."""
        return primaries_of(self.study)

    @functools.cached_property
    def mlp_jobs(self) -> dict[MlpJob, list[Variant]]:
        """Trainings of MLPs with the variants of each."""
        wanted: dict[MlpJob, set[Variant]] = {}
        for table, student, variants in self._trainings():
            if self.study.students[student].learns_from == "embeddings":
                wanted.setdefault(MlpJob(*table, student), set()).update(variants)
        return {job: sorted(variants) for job, variants in sorted(wanted.items())}

    @functools.cached_property
    def random_draws(self) -> dict[MlpJob, dict[float, int]]:
        """Trainings of MLPs on random rankings: the number of rankings by keep rate."""
        draws: dict[MlpJob, dict[float, int]] = {}
        for primary in self.primaries:
            if primary.draws and primary.first.student not in self.study.deep_students:
                rates = draws.setdefault(MlpJob(*primary.first.table, primary.first.student), {})
                rates[primary.first.keep] = max(primary.draws, rates.get(primary.first.keep, 0))
        for experiment in self.study.experiments:
            if not FIGURES.spec(experiment.figure).among_rankings:
                continue
            for table in tables_of(self.study, experiment):
                for student in students_of(self.study, experiment):
                    rates = draws.setdefault(MlpJob(*table, student), {})
                    for keep in keep_rates_of(self.study, experiment):
                        if keep < 1:
                            rates[keep] = max(DRAWS, rates.get(keep, 0))
        return dict(sorted(draws.items()))

    @functools.cached_property
    def draw_jobs(self) -> list[StudentJob]:
        """Trainings of deep students on random rankings, on every split that statistics are made over."""
        jobs = set()
        for primary in self.primaries:
            first = primary.first
            for job in self._student_jobs(first.table, first.student, {(RANDOM, first.keep)}) if primary.draws else ():
                if not self._stands_apart(job):
                    jobs |= {replace(job, draw=number) for number in range(primary.draws)}
        return sorted(jobs)

    @functools.cached_property
    def choices(self) -> dict[MlpJob, tuple[list[int], list[str]]]:
        """Trainings on chosen training images: the budgets and the choosers."""
        wanted: dict[MlpJob, tuple[set[int], set[str]]] = {}
        for experiment in self.study.experiments:
            for table in tables_of(self.study, experiment) if budgets_of(experiment) else ():
                for student in students_of(self.study, experiment):
                    budgets, choosers = wanted.setdefault(MlpJob(*table, student), (set(), set()))
                    budgets.update(budgets_of(experiment))
                    choosers.update(choosers_of(experiment))
        return {job: (sorted(budgets), sorted(choosers)) for job, (budgets, choosers) in sorted(wanted.items())}

    @functools.cached_property
    def patch_scored(self) -> set[MlpJob]:
        """Trainings whose students on all patches leave a score of each patch."""
        return {
            MlpJob(*table, student)
            for experiment in filter(reads_patch_scores, self.study.experiments)
            for table in tables_of(self.study, experiment)
            for student in students_of(self.study, experiment)
        }

    @functools.cached_property
    def student_jobs(self) -> list[StudentJob]:
        """Trainings of deep students."""
        return sorted({job for training in self._trainings() for job in self._student_jobs(*training)})

    @functools.cached_property
    def image_jobs(self) -> list[ImageJob]:
        """Students without patches."""
        students = self.study.students
        return sorted(
            {
                ImageJob(table.dataset, student)
                for table, student, _ in self._trainings()
                if students[student].learns_from in ("images", "predictions")
            }
        )

    @functools.cached_property
    def cross_tests(self) -> list[CrossTest]:
        """Tests of deep students on datasets they were not trained on."""
        tests = set()
        for experiment in self.study.experiments:
            for tested in tested_datasets(self.study, experiment):
                for table in tables_of(self.study, experiment):
                    sampler = sampler_for(self.study, tested, table.sampler)
                    for student in students_of(self.study, experiment) if table.dataset != tested else ():
                        jobs = self._student_jobs(table, student, {ALL_PATCHES})
                        tests |= {CrossTest(job, tested, sampler) for job in jobs if not self._stands_apart(job)}
        return sorted(tests)

    @functools.cached_property
    def teacher_jobs(self) -> list[TeacherJob]:
        """Trainings of teachers, each once however many students it teaches."""
        return sorted({teacher for job in self.student_jobs for teacher in self.teachers_of(job).values()})

    def teachers_of(self, job: StudentJob) -> dict[str, TeacherJob]:
        """Trainings of a deep student's teachers, by role.

        A teacher learns from the training images of the student's own split, unless it learns from all images of
        another dataset: test contents of the student are never among its images.
        """
        return dict(self._roles(job.dataset, job.sampler, job.student, job.split))

    def _find_teachers(self, dataset: str, sampler: str, student: str, split: int) -> dict[str, TeacherJob]:
        jobs = {}
        for role, name in self.study.deep_students[student].teachers().items():
            teacher = self.study.teachers[name]
            if teacher.trains_on() in (TARGET, dataset):
                jobs[role] = TeacherJob(dataset, sampler, name, str(split))
            else:
                placed = sampler_for(self.study, teacher.trains_on(), teacher.sampler_entry() or sampler)
                jobs[role] = TeacherJob(teacher.trains_on(), placed, name, EVERY_IMAGE)
        return jobs

    def references_of(self, dataset: str, sampler: str, teacher: str) -> tuple[str, str] | None:
        """(dataset, sampler) of the pristine patches that a teacher compares with; None if it compares with none."""
        settings = self.study.teachers[teacher]
        pristine = settings.pristine_dataset() if settings.uses_references else None
        if pristine is None:
            return None
        if pristine == TARGET:
            return dataset, sampler
        return pristine, sampler_for(self.study, pristine, settings.sampler_entry() or sampler)

    def pristine_of(self, job: ImageJob) -> str | None:
        """Dataset entry of the pristine images that a student without patches needs; None if it needs none."""
        student = self.study.students[job.student]
        return student.pristine_dataset() if isinstance(student, ImageStudentSettings) else None

    @functools.cached_property
    def sampled(self) -> set[tuple[str, str]]:
        """(dataset, sampler) of all patch tables."""
        tables = {table for e in self.study.experiments for table in tables_of(self.study, e)}
        placed = {(table.dataset, table.sampler) for table in tables}
        placed |= {(test.tested, test.sampler) for test in self.cross_tests}
        placed |= {(table.dataset, table.sampler) for table in self._trained_tables}
        for job in self.teacher_jobs:
            own = (job.dataset, job.sampler)
            placed |= {own, self.references_of(*own, job.teacher) or own}
        return placed

    @functools.cached_property
    def _trained_tables(self) -> set[EmbeddingTable]:
        """Embedding tables whose patches students learn from."""
        return {*(job.table for job in self.mlp_jobs), *(job.table for job in self.student_jobs)}

    @functools.cached_property
    def rankings(self) -> set[tuple[EmbeddingTable, str]]:
        """(embedding table, selector) of every ranking that a training or a figure reads."""
        wanted = {(job.table, selector) for job, variants in self.mlp_jobs.items() for selector, _ in variants}
        wanted |= {(job.table, job.selector) for job in self.student_jobs}
        for experiment in self.study.experiments:
            if not reads_metrics(experiment):
                names = selectors_of(self.study, experiment)
                wanted |= {(table, name) for table in tables_of(self.study, experiment) for name in names}
        return {(table, selector) for table, selector in wanted if selector != ALL}

    @functools.cached_property
    def embedded(self) -> set[EmbeddingTable]:
        """Embedding tables that an MLP learns from, a selector ranks or a figure shows; deep students need none."""
        shown = [e for e in self.study.experiments if not reads_metrics(e)]
        return {
            *(job.table for job in self.mlp_jobs),
            *(table for table, _ in self.rankings),
            *(table for experiment in shown for table in tables_of(self.study, experiment)),
        }

    @functools.cached_property
    def trained_datasets(self) -> list[str]:
        """Datasets that students are trained on."""
        jobs: tuple[MlpJob | StudentJob | ImageJob, ...] = (*self.mlp_jobs, *self.student_jobs, *self.image_jobs)
        return sorted({job.dataset for job in jobs})

    @functools.cached_property
    def shown_datasets(self) -> list[str]:
        """Datasets that numbers are of: those trained on, and those only tested on."""
        return sorted({*self.trained_datasets, *(test.tested for test in self.cross_tests)})

    @functools.cached_property
    def split_datasets(self) -> set[str]:
        """Datasets whose splits some job reads."""
        pristine = {job.dataset for job in self.teacher_jobs}
        return {*self.trained_datasets, *pristine}

    def splits_of(self, dataset: str) -> list[int]:
        """Numbers of a dataset's splits: random ones from 0, and the official one after them."""
        drawn, kinds = self.study.evaluation.splits, self.study.datasets[dataset].splits
        return [*(range(drawn) if "random" in kinds else ()), *([drawn] if "official" in kinds else ())]

    def random_splits_of(self, dataset: str) -> list[int]:
        """Numbers of a dataset's splits that statistics are made over: not the official one beside random ones."""
        splits = self.splits_of(dataset)
        return splits[: self.study.evaluation.splits] if "random" in self.study.datasets[dataset].splits else splits

    @functools.cached_property
    def official_splits(self) -> dict[str, int]:
        """Number of the official split of each dataset that students are trained on and that has one."""
        number = self.study.evaluation.splits
        return {name: number for name in self.trained_datasets if "official" in self.study.datasets[name].splits}

    def _stands_apart(self, job: StudentJob) -> bool:
        """Whether a training is that on an official split beside random ones, which no statistic over splits counts."""
        return job.split == self.study.evaluation.splits and "random" in self.study.datasets[job.dataset].splits

    def _trainings(self) -> Iterator[tuple[EmbeddingTable, str, set[Variant]]]:
        """(embedding table, student, variants) of every experiment that trains and of every primary comparison."""
        for experiment in filter(trains_students, self.study.experiments):
            variants = variants_of(self.study, experiment)
            for table in tables_of(self.study, experiment):
                for student in students_of(self.study, experiment):
                    yield table, student, variants
        for primary in self.primaries:
            for side in (primary.first,) if primary.draws else (primary.first, primary.second):
                yield side.table, side.student, {side.variant}

    def _student_jobs(self, table: EmbeddingTable, student: str, variants: set[Variant]) -> list[StudentJob]:
        settings = self.study.deep_students.get(student)
        if settings is None:
            return []
        splits = self.splits_of(table.dataset)
        fewer = settings.splits is not None and settings.splits < self.study.evaluation.splits
        if fewer and "random" in self.study.datasets[table.dataset].splits:
            splits = splits[: settings.splits]  # not the official one, which comes last
        return [StudentJob(*table, selector, keep, student, split) for selector, keep in variants for split in splits]
