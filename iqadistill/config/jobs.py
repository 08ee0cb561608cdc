"""The jobs of a study: the one place that knows where results lie and what a job reads, is given and depends on.

What two studies may share (indexes, splits, patches, embeddings, selections, teachers) lies at paths whose segments are
names with a short digest of all that decides the content there: the settings, the seed, and what came before, which
stands in the path as well. Equal paths therefore hold results of equal settings. Trainings and predictions of a study
lie under its name.
"""

import functools
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from iqadistill.choosing.registry import CHOOSERS
from iqadistill.config.experiments import (
    ALL_PATCHES,
    Variant,
    budgets_of,
    choosers_of,
    keep_rates_of,
    kind_of,
    reads_budgets,
    reads_damage,
    reads_metrics,
    reads_patch_scores,
    resolve,
    sampler_for,
    selectors_of,
    source_of,
    students_of,
    tables_of,
    tested_datasets,
    trains_students,
    variants_of,
)
from iqadistill.config.primaries import DRAWS, Primary, primaries_of
from iqadistill.config.study import ExperimentSettings, Study
from iqadistill.datasets.fingerprint import folder_fingerprint
from iqadistill.datasets.labels.registry import format_module
from iqadistill.encoders.registry import ENCODERS
from iqadistill.errors import InputError
from iqadistill.figures.captions import render_text
from iqadistill.figures.experiment import EmbeddingTable, Experiment
from iqadistill.figures.registry import FIGURES
from iqadistill.images.listing import find_images
from iqadistill.models.registry import STUDENTS, TARGET, TEACHERS
from iqadistill.models.settings import ImageStudentSettings
from iqadistill.models.students.external import ExternalSettings
from iqadistill.sampling.registry import SAMPLERS
from iqadistill.selection.registry import SELECTORS
from iqadistill.settings import Settings
from iqadistill.tables import ALL, RANDOM

HEADLINE = "headline"  # folder of the main tables within a study's results
EVERY_IMAGE = "all"  # in place of a split: a teacher that is trained on all scored images of another dataset
DIGEST = r"[0-9a-f]{8}"
UNTRAINED = ("splits", "test_patches", "max_test_patches", "flip")
"""Settings of students that do not change what a training makes."""

_STUDENT = "{study}/{dataset}/{sampler}/{encoder}/{selector}/{keep}/{student}/{split}"
PATHS = {
    "retrieve_dataset": "results/retrieve_dataset/{files}.json",
    "render_dataset": "results/render_dataset/{files}/images.csv",
    "index_dataset": "results/index_dataset/{dataset}.parquet",
    "split_dataset": "results/split_dataset/{dataset}/{splits}.parquet",
    "sample_patches": "results/sample_patches/{dataset}/{sampler}.parquet",
    "embed_patches": "results/embed_patches/{dataset}/{sampler}/{encoder}.parquet",
    "select_patches": "results/select_patches/{dataset}/{sampler}/{encoder}/{selector}.parquet",
    "pretrain_teacher": "results/pretrain_teacher/{dataset}/{sampler}/{teacher}/{split}.safetensors",
    "train_mlps": "results/train_mlps/{study}/{dataset}/{sampler}/{encoder}/{student}.safetensors",
    "predict_mlps": "results/predict_mlps/{study}/{dataset}/{sampler}/{encoder}/{student}.parquet",
    "train_random_draws": "results/train_random_draws/{study}/{dataset}/{sampler}/{encoder}/{student}.parquet",
    "train_on_chosen": "results/train_on_chosen/{study}/{dataset}/{sampler}/{encoder}/{student}.parquet",
    "predict_patches": "results/predict_patches/{study}/{dataset}/{sampler}/{encoder}/{student}.parquet",
    "train_student": f"results/train_student/{_STUDENT}.safetensors",
    "predict": f"results/predict/{_STUDENT}.parquet",
    "predict_cross": f"results/predict_cross/{_STUDENT}/{{tested}}.parquet",
    "predict_images": "results/predict_images/{study}/{dataset}/{student}.parquet",
    "read_predictions": "results/read_predictions/{study}/{dataset}/{student}.parquet",
    "evaluate": "results/studies/{study}/metrics.parquet",
    "compare": "results/studies/{study}/comparisons.parquet",
    "score_budgets": "results/studies/{study}/budgets/{experiment}.parquet",
    "time_budgets": "results/studies/{study}/budget_times/{experiment}.parquet",
    "score_damage": "results/studies/{study}/damage/{experiment}.parquet",
    "collect_costs": "results/studies/{study}/costs.parquet",
    "plot_metrics": "results/studies/{study}/figures/{experiment}.svg",
    "plot_selection": "results/studies/{study}/figures/{experiment}.svg",
    "plot_budgets": "results/studies/{study}/figures/{experiment}.svg",
    "plot_damage": "results/studies/{study}/figures/{experiment}.svg",
    "render_report": "results/studies/{study}/report/index.html",
}
"""The first output of each rule; its other outputs lie beside it with other suffixes."""

OLDER_STAGES = ("train_network", "predict_network", "predict_elsewhere")
"""Folders of results of older layouts."""

SHARED = (
    "retrieve_dataset",
    "render_dataset",
    "index_dataset",
    "split_dataset",
    "sample_patches",
    "embed_patches",
    "select_patches",
    "pretrain_teacher",
)
"""Rules whose results studies share."""

PREDICTIONS = ("predict_mlps", "predict", "predict_cross", "predict_images", "read_predictions")
COUNTED = (
    *("embed_patches", "select_patches", "pretrain_teacher"),
    *("train_mlps", "train_random_draws", "train_on_chosen", "train_student"),
    *PREDICTIONS,
)
"""Rules whose jobs the costs table lists: those whose work grows with the study."""

TIMED = ("embed_patches", "predict_mlps", "predict", "predict_cross", "predict_images")
"""Rules whose jobs leave the time to embed or score an image beside their table."""

# What the registry says about a dataset that does not decide what its index holds.
_NOT_INDEXED = {
    "title",
    "access",
    "page",
    "archives",
    "holds",
    "licence",
    "terms",
    "citation",
    "typical_size",
    "distortion_types",
    "local_damage_of",
}


def path_of(rule: str, suffix: str | None = None) -> str:
    """Path pattern of a rule's first output, or of another one by its suffix, e.g. ".history.parquet"."""
    pattern = PATHS[rule]
    return pattern if suffix is None else re.sub(r"\.\w+$", suffix, pattern)


def beside(rule: str, folder: str, suffix: str) -> str:
    """Path pattern of a rule's log ("logs", ".log") or benchmark ("benchmarks", ".tsv")."""
    stem = re.sub(r"\.\w+$", "", PATHS[rule]).removeprefix("results/")
    stem = re.sub(r"^studies/", f"{rule}/", stem)
    return f"results/{folder}/{stem}{suffix}"


def check_layout(results: Path) -> None:
    """Refuse a results folder of an older layout, whose files would stand beside the present ones unused.

    Raises:
        InputError: `results` holds such files.
    """
    named = re.compile(rf"-{DIGEST}\.parquet$")
    old = [folder for name in OLDER_STAGES if (folder := results / name).is_dir()]
    indexes = sorted((results / "index_dataset").glob("*.parquet"))
    old += [file for file in indexes if not named.search(file.name)]
    if old:
        raise InputError(
            f"{old[0].as_posix()}: is of an older layout of results; move {results.as_posix()} away, or remove what no"
            " study uses with `iqadistill prune --delete`, then run again."
        )


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


@dataclass(frozen=True)
class Job:
    """One job of the workflow.

    Attributes:
        rule: Its rule.
        wildcards: Values of the wildcards of `PATHS[rule]`.
        names: The names behind them: of dataset, sampler and so on, without digests.
        inputs: Files by the name of the input; a list where there may be none or several.
        params: What the script is given, plain or as JSON text.
        modules: Registered files whose code it runs, as dotted names.
    """

    rule: str
    wildcards: Mapping[str, str]
    names: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    modules: tuple[str, ...] = ()

    @property
    def output(self) -> str:
        """Its first output."""
        return PATHS[self.rule].format(**self.wildcards)

    def file(self, suffix: str) -> str:
        """Another output, by its suffix."""
        return path_of(self.rule, suffix).format(**self.wildcards)

    @property
    def log(self) -> str:
        """Where the job's messages go."""
        return beside(self.rule, "logs", ".log").format(**self.wildcards)

    @property
    def benchmark(self) -> str:
        """Where Snakemake writes what the job took."""
        return beside(self.rule, "benchmarks", ".tsv").format(**self.wildcards)


def has_sidecar(job: Job) -> bool:
    """Whether a job writes JSON beside its first output: facts on weights, or the time to embed or score images."""
    return job.rule in TIMED or job.output.endswith(".safetensors")


def short_digest(*facts: Any) -> str:
    """8 hexadecimal digits of facts that JSON can hold."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:8]


def text(facts: Any) -> str:
    """Facts as stable JSON text."""
    return json.dumps(facts, sort_keys=True)


def _seed_of_draw(seed: int, draw: int) -> str:
    """Seed of a random ranking, see `iqadistill.selection.random_draws.RandomRankings`."""
    return f"{seed}/{draw}"


def dump(entry: Settings, without: Iterable[str] = ()) -> dict[str, Any]:
    """An entry's settings as JSON can hold them."""
    return entry.model_dump(mode="json", exclude=set(without))


class Plan:
    """All jobs of a study.

    Args:
        study: The study.
        folder: Where the workflow runs; only looked at for datasets of the user's and for what was retrieved.
        part: Folder within the study's results, "headline" for its main tables alone; empty for the whole study.
    """

    def __init__(self, study: Study, folder: Path = Path(), part: str = ""):
        self.study, self.folder = study, folder
        self.results_name = f"{study.name}/{part}" if part else study.name
        self.experiments = {experiment.name: experiment for experiment in study.experiments}
        self.teacher_id = functools.cache(self._teacher_id)
        self._roles = functools.cache(self._find_teachers)

    # What the experiments and the primary comparisons ask for

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
    def trained_datasets(self) -> list[str]:
        """Datasets that students are trained on."""
        jobs: tuple[MlpJob | StudentJob | ImageJob, ...] = (*self.mlp_jobs, *self.student_jobs, *self.image_jobs)
        return sorted({job.dataset for job in jobs})

    @functools.cached_property
    def shown_datasets(self) -> list[str]:
        """Datasets that numbers are of: those trained on, and those only tested on."""
        return sorted({*self.trained_datasets, *(test.tested for test in self.cross_tests)})

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

    # Identities: a name and a short digest of all that decides the content

    def root_of(self, dataset: str) -> str:
        """The folder the user gave a dataset, or data/NAME."""
        return self.study.datasets[dataset].root or f"data/{dataset}"

    @functools.cached_property
    def files_ids(self) -> dict[str, str]:
        """Identity of each dataset's files, as they are retrieved or rendered."""
        ids = {}
        for dataset, settings in self.study.datasets.items():
            seed = self.study.seed if source_of(self.study, dataset).origin == "rendered" else None
            ids[dataset] = f"{dataset}-{short_digest(settings.source, self.root_of(dataset), seed)}"
        return ids

    @functools.cached_property
    def dataset_ids(self) -> dict[str, str]:
        """Identity of each dataset's index."""
        return {
            dataset: f"{dataset}-{short_digest(files, self._index_params(dataset))}"
            for dataset, files in self.files_ids.items()
        }

    @functools.cached_property
    def splits_ids(self) -> dict[str, str]:
        """Identity of each dataset's splits."""
        return {dataset: f"splits-{short_digest(self._split_params(dataset))}" for dataset in self.study.datasets}

    @functools.cached_property
    def sampler_ids(self) -> dict[str, str]:
        """Identity of each sampler's patches of a dataset."""
        return {
            name: f"{name}-{short_digest(dump(settings), self.study.seed)}"
            for name, settings in self.study.samplers.items()
        }

    @functools.cached_property
    def encoder_ids(self) -> dict[str, str]:
        """Identity of each encoder's embeddings of patches."""
        return {name: f"{name}-{short_digest(dump(settings))}" for name, settings in self.study.encoders.items()}

    @functools.cached_property
    def selector_ids(self) -> dict[str, str]:
        """Identity of each selector's rankings of embeddings."""
        return {
            name: f"{name}-{short_digest(dump(settings), self.study.seed)}"
            for name, settings in self.study.selectors.items()
        }

    def _teacher_id(self, dataset: str, sampler: str, teacher: str) -> str:
        """Identity of a teacher that is trained on patches of a dataset."""
        references = self.references_of(dataset, sampler, teacher)
        ids = [self.dataset_ids[references[0]], self.sampler_ids[references[1]]] if references else []
        facts = (dump(self.study.teachers[teacher]), self.study.seed, self.splits_ids[dataset], ids)
        return f"{teacher}-{short_digest(*facts)}"

    # Files

    def _file(self, rule: str, **wildcards: Any) -> str:
        return PATHS[rule].format(study=self.study.name, **wildcards)

    def images_file(self, dataset: str) -> str:
        """The images table of a dataset."""
        return self._file("index_dataset", dataset=self.dataset_ids[dataset])

    def splits_file(self, dataset: str) -> str:
        """The splits table of a dataset."""
        return self._file("split_dataset", dataset=self.dataset_ids[dataset], splits=self.splits_ids[dataset])

    def patches_file(self, dataset: str, sampler: str) -> str:
        """The patch table of a dataset and sampler."""
        return self._file("sample_patches", dataset=self.dataset_ids[dataset], sampler=self.sampler_ids[sampler])

    def embeddings_file(self, table: EmbeddingTable) -> str:
        """The embeddings of a dataset, sampler and encoder."""
        return self._file("embed_patches", **self._table_ids(table))

    def selection_files(self, table: EmbeddingTable, selectors: Iterable[str]) -> list[str]:
        """Rankings of an embedding table, in the order of the selectors; all patches need none."""
        ids = [self.selector_ids[name] for name in selectors if name != ALL]
        return [self._file("select_patches", **self._table_ids(table), selector=selector) for selector in ids]

    def _drawn_selection(self, table: EmbeddingTable, draw: int) -> dict[str, str]:
        """Wildcards of a random ranking of an embedding table."""
        seed = _seed_of_draw(self.study.seed, draw)
        return {
            **self._table_ids(table),
            "selector": f"{RANDOM}-{short_digest(dump(self.study.selectors[RANDOM]), seed)}",
        }

    def teacher_file(self, job: TeacherJob) -> str:
        """The weights of a teacher."""
        return PATHS["pretrain_teacher"].format(**self._teacher_ids(job))

    def _table_ids(self, table: EmbeddingTable) -> dict[str, str]:
        return {
            "dataset": self.dataset_ids[table.dataset],
            "sampler": self.sampler_ids[table.sampler],
            "encoder": self.encoder_ids[table.encoder],
        }

    def _teacher_ids(self, job: TeacherJob) -> dict[str, str]:
        return {
            "dataset": self.dataset_ids[job.dataset],
            "sampler": self.sampler_ids[job.sampler],
            "teacher": self.teacher_id(job.dataset, job.sampler, job.teacher),
            "split": job.split,
        }

    # Jobs by their first output

    @functools.cached_property
    def jobs(self) -> dict[str, Job]:
        """Every job by its first output."""
        work = [
            *self._dataset_jobs(),
            *(self._sample_job(dataset, sampler) for dataset, sampler in sorted(self.sampled)),
            *self._embedding_jobs(),
            *map(self._teacher_job, self.teacher_jobs),
            *(job for mlp, variants in self.mlp_jobs.items() for job in self._mlp_jobs_of(mlp, variants)),
            *(job for student in (*self.student_jobs, *self.draw_jobs) for job in self._student_jobs_of(student)),
            *map(self._cross_job, self.cross_tests),
            *map(self._image_job, self.image_jobs),
        ]
        return {job.output: job for job in [*work, *self._study_jobs(work)]}

    def job(self, rule: str, wildcards: Mapping[str, str]) -> Job:
        """The job of a rule with these wildcards, of the whole study or of its main tables.

        Raises:
            KeyError: The study has no such job.
        """
        output = PATHS[rule].format(**wildcards)
        return self.headline.jobs[output] if output not in self.jobs and self.has_headline else self.jobs[output]

    @functools.cached_property
    def headline(self) -> "Plan":
        """The jobs of the main tables alone: experiments with `headline: true`, and what they need.

        Datasets, patches, embeddings, selections, teachers and deep students are the study's own, at the same paths;
        MLPs, of which a job trains fewer variants here, and what is drawn lie in the folder "headline".

        Raises:
            InputError: The study marks no experiment.
        """
        experiments = tuple(experiment for experiment in self.study.experiments if experiment.headline)
        if not experiments:
            raise InputError(
                f"{self.study.name}: no experiment is a main table; give one or several of them `headline: true`."
            )
        return Plan(self.study.model_copy(update={"experiments": experiments}), self.folder, HEADLINE)

    @property
    def has_headline(self) -> bool:
        """Whether some experiment is a main table of a whole study."""
        return self.results_name == self.study.name and any(e.headline for e in self.study.experiments)

    def outputs(self, *rules: str) -> list[str]:
        """First outputs of all jobs of some rules."""
        return [output for output, job in self.jobs.items() if job.rule in rules]

    def _dataset_jobs(self) -> Iterator[Job]:
        pristine = {name for job in self.image_jobs if (name := self.pristine_of(job))}
        for dataset in sorted({name for name, _ in self.sampled} | set(self.shown_datasets) | pristine):
            settings, origin = self.study.datasets[dataset], source_of(self.study, dataset).origin
            files, ids = {"files": self.files_ids[dataset]}, {"dataset": self.dataset_ids[dataset]}
            names = {"dataset": dataset}
            params: dict[str, Any]
            if origin == "archive":
                params = {
                    "name": dataset,
                    "source": settings.source,
                    "root": self.root_of(dataset),
                    "url": settings.url,
                    "archives": [text(dump(archive)) for archive in source_of(self.study, dataset).archives],
                }
                yield Job("retrieve_dataset", files, names, params=params)
            if origin == "rendered":
                params = {"source": settings.source, "root": self.root_of(dataset), "seed": self.study.seed}
                yield Job("render_dataset", files, names, {"pristine": self._pristine_images(dataset)}, params)
            inputs = {
                "labels": self._label_file(dataset),
                "manifest": [self._file("retrieve_dataset", **files)] if origin == "archive" else [],
            }
            params = {
                "patches": [],
                **self._index_params(dataset),
                "name": dataset,
                "files": self._changed_files(dataset),
            }
            labels = source_of(self.study, dataset).labels
            modules = (format_module(labels),) if labels else ()
            yield Job("index_dataset", ids, names, inputs, params, modules)
            images = {"images": self.images_file(dataset)}
            if dataset in self._split_datasets:
                splits = {**ids, "splits": self.splits_ids[dataset]}
                yield Job("split_dataset", splits, names, images, self._split_params(dataset))

    @functools.cached_property
    def _split_datasets(self) -> set[str]:
        """Datasets whose splits some job reads."""
        pristine = {job.dataset for job in self.teacher_jobs}
        return {*self.trained_datasets, *pristine}

    def _images_folder(self, dataset: str) -> str:
        if source_of(self.study, dataset).origin == "rendered":
            return f"results/render_dataset/{self.files_ids[dataset]}"
        return self.root_of(dataset)

    def _index_params(self, dataset: str) -> dict[str, Any]:
        settings = self.study.datasets[dataset]
        record = source_of(self.study, dataset).model_dump(mode="json", exclude=_NOT_INDEXED)
        rules = {"patches": self._patch_rules(dataset)} if settings.on_error == "quarantine" else {}
        return {
            **rules,
            "source": settings.source,
            "root": self._images_folder(dataset),
            "kind": kind_of(self.study, dataset),
            "score_range": list(settings.score_range or []),
            "on_error": settings.on_error,
            "record": text(record),
        }

    def _patch_rules(self, dataset: str) -> list[str]:
        """What images must be for each sampler that takes patches of a dataset, as JSON text.

        It decides which images are quarantined. Where they stop the run, sample_patches does, so that studies of other
        samplers share the index.
        """
        samplers = {sampler for name, sampler in self.sampled if name == dataset}
        return sorted({text(self.study.samplers[sampler].rule._asdict()) for sampler in samplers})

    def _split_params(self, dataset: str) -> dict[str, Any]:
        evaluation = self.study.evaluation
        return {
            "splits": evaluation.splits,
            "kinds": list(self.study.datasets[dataset].splits),
            "protocol": evaluation.protocol,
            "test_fraction": evaluation.test_fraction,
            "val_fraction": evaluation.val_fraction,
            "seed": self.study.seed,
        }

    def _label_file(self, dataset: str) -> list[str]:
        """A dataset's images.csv, where one is rendered or the user wrote one.

        A missing one is no missing input: the job itself says what to write. One that came in an archive is part of
        what retrieve_dataset answers for.
        """
        record, file = source_of(self.study, dataset), f"{self._images_folder(dataset)}/images.csv"
        if record.origin == "rendered":
            return [file]
        written = (self.folder / file).is_file() and (record.origin == "folder" or record.labels)
        return [file] if written else []

    def _pristine_images(self, dataset: str) -> list[str]:
        """The user's panoramas that a study distorts."""
        root = self.folder / self.root_of(dataset)
        given = self.study.datasets[dataset].source == "panoramas" and root.is_dir()
        return [f"{self.root_of(dataset)}/{p.name}" for p in find_images(root, below=False).files] if given else []

    def _changed_files(self, dataset: str) -> str:
        """What tells that a listed image was replaced, deleted or added: a fingerprint of the user's folder.

        An archive's folder counts once it differs from what retrieve_dataset left, which its manifest holds.
        """
        origin = source_of(self.study, dataset).origin
        if origin == "rendered":
            return ""
        fingerprint = folder_fingerprint(self.folder / self.root_of(dataset))
        if origin == "folder":
            return fingerprint
        manifest = self.folder / self._file("retrieve_dataset", files=self.files_ids[dataset])
        if not manifest.is_file():
            return ""
        try:
            retrieved = json.loads(manifest.read_text(encoding="utf-8")).get("fingerprint", "")
        except ValueError as error:
            raise InputError(f"{manifest}: not valid JSON ({error}); delete it and run again.") from None
        return "" if fingerprint == retrieved else fingerprint

    def _file_states(self, files: Iterable[str]) -> list[str]:
        """Size and modification time of files: Snakemake does not see a replacement that is older than the results."""
        states = [file.stat() for name in files if (file := self.folder / name).is_file()]
        return [f"{state.st_size} bytes, {state.st_mtime_ns} ns" for state in states]

    def _sample_job(self, dataset: str, sampler: str) -> Job:
        settings = self.study.samplers[sampler]
        return Job(
            "sample_patches",
            {"dataset": self.dataset_ids[dataset], "sampler": self.sampler_ids[sampler]},
            {"dataset": dataset, "sampler": sampler},
            {"images": self.images_file(dataset), "files": list(settings.files())},
            {
                "sampler": text(dump(settings)),
                "files": self._file_states(settings.files()),
                "seed": self.study.seed,
            },
            (SAMPLERS.module(settings.method),),
        )

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

    def _embedding_jobs(self) -> Iterator[Job]:
        for table in sorted(self.embedded):
            settings = self.study.encoders[table.encoder]
            inputs = {
                "images": self.images_file(table.dataset),
                "patches": self.patches_file(table.dataset, table.sampler),
                "weights_file": list(settings.files()),
            }
            params = {"encoder": text(dump(settings)), "weights_file": self._file_states(settings.files())}
            modules = (ENCODERS.module(settings.backend),)
            yield Job("embed_patches", self._table_ids(table), table._asdict(), inputs, params, modules)
        for table, name in sorted(self.rankings):
            selector = self.study.selectors[name]
            placed = [table] if selector.needs_patches else []
            inputs = {
                "embeddings": self.embeddings_file(table),
                "patches": [self.patches_file(one.dataset, one.sampler) for one in placed],
                "images": [self.images_file(one.dataset) for one in placed],
            }
            yield Job(
                "select_patches",
                {**self._table_ids(table), "selector": self.selector_ids[name]},
                {**table._asdict(), "selector": name},
                inputs,
                {"selector": text(dump(selector)), "seed": self.study.seed},
                (SELECTORS.module(selector.method),),
            )
        for table, draw in sorted({(job.table, job.draw) for job in self.draw_jobs if job.draw is not None}):
            control = self.study.selectors[RANDOM]
            yield Job(
                "select_patches",
                self._drawn_selection(table, draw),
                {**table._asdict(), "selector": RANDOM, "draw": draw},
                {"embeddings": self.embeddings_file(table), "patches": [], "images": []},
                {"selector": text(dump(control)), "seed": _seed_of_draw(self.study.seed, draw)},
                (SELECTORS.module(control.method),),
            )

    def _mlp_jobs_of(self, job: MlpJob, variants: list[Variant]) -> Iterator[Job]:
        wildcards = {"study": self.results_name, **vars(job)}
        selectors = sorted({selector for selector, _ in variants} - {ALL})
        shared = {
            "images": self.images_file(job.dataset),
            "embeddings": self.embeddings_file(job.table),
            "selections": self.selection_files(job.table, selectors),
        }
        weights = {"patches": self._weights_of_patches(job)}
        names = {"train_dataset": job.dataset, "sampler": job.sampler, "encoder": job.encoder}
        names |= {"student": job.student, "teacher": ""}
        training = {
            "student": text(dump(self.study.students[job.student], UNTRAINED)),
            "sampler": text(dump(self.study.samplers[job.sampler])),
            "encoder": text(dump(self.study.encoders[job.encoder])),
            "selectors": text(selectors),
            "variants": text(variants),
            "names": text(names),
            "seed": self.study.seed,
        }
        modules = (STUDENTS.module(self.study.students[job.student].model),)
        inputs = {**shared, "splits": self.splits_file(job.dataset)}
        trained = Job("train_mlps", wildcards, vars(job), inputs, training, modules)
        yield trained
        prediction = {"selectors": text(selectors), "names": text(names), **self._scoring_params(job.student)}
        yield Job(
            "predict_mlps", wildcards, vars(job), {**shared, **weights, "weights": trained.output}, prediction, modules
        )
        if job in self.patch_scored:
            scored = {**{name: inputs[name] for name in ("images", "splits", "embeddings")}, "weights": trained.output}
            yield Job("predict_patches", wildcards, vars(job), scored, {"names": text(names)}, modules)
        if job in self.random_draws:
            inputs = {name: inputs[name] for name in ("images", "splits", "embeddings")} | weights
            params = {name: training[name] for name in ("student", "names")} | self._scoring_params(job.student)
            params["draws"] = text(sorted(self.random_draws[job].items()))
            yield Job("train_random_draws", wildcards, vars(job), inputs, params, modules)
        if job in self.choices:
            yield self._choice_job(job, wildcards, training, modules)

    def _weights_of_patches(self, job: MlpJob) -> list[str]:
        """The patch table where scores are pooled by its weights."""
        weighted = self.study.evaluation.pooling == "weighted"
        return [self.patches_file(job.dataset, job.sampler)] if weighted else []

    def _choice_job(
        self, job: MlpJob, wildcards: Mapping[str, str], training: Mapping[str, Any], modules: tuple[str, ...]
    ) -> Job:
        budgets, choosers = self.choices[job]
        inputs = {
            "images": self.images_file(job.dataset),
            "splits": self.splits_file(job.dataset),
            "embeddings": self.embeddings_file(job.table),
            "patches": self._weights_of_patches(job),
        }
        scoring = self._scoring_params(job.student)
        params = {
            **{name: training[name] for name in ("student", "names")},
            **{name: scoring[name] for name in ("pooling", "max_test_patches", "seed")},
            "splits": text(self.random_splits_of(job.dataset)),
            "budgets": text(budgets),
            "choosers": text(choosers),
            "draws": DRAWS,
        }
        methods = tuple(CHOOSERS.module(name) for name in choosers)
        return Job("train_on_chosen", wildcards, vars(job), inputs, params, (*modules, *methods))

    def _scoring_params(self, student: str) -> dict[str, Any]:
        evaluation, settings = self.study.evaluation, self.study.students[student]
        return {
            "pooling": evaluation.pooling,
            "test_patches": settings.test_patches or evaluation.test_patches,
            "max_test_patches": settings.max_test_patches or evaluation.max_test_patches or 0,
            "seed": self.study.seed,
        }

    def _network_scoring(self, student: str) -> dict[str, Any]:
        own = self.study.deep_students[student].flip
        return {**self._scoring_params(student), "flip": self.study.evaluation.flip if own is None else own}

    def _reference_files(self, dataset: str, sampler: str, split: str, teacher: str) -> list[str]:
        """Tables of the pristine images that a teacher, or a student of it, compares with."""
        references = self.references_of(dataset, sampler, teacher)
        if references is None:
            return []
        files = [self.images_file(references[0]), self.patches_file(*references)]
        own = self.study.teachers[teacher].pristine_dataset() == TARGET and split != EVERY_IMAGE
        return [*files, self.splits_file(references[0])] if own else files

    def _teacher_job(self, job: TeacherJob) -> Job:
        teacher = self.study.teachers[job.teacher]
        names = {"train_dataset": job.dataset, "sampler": job.sampler, "teacher": job.teacher}
        return Job(
            "pretrain_teacher",
            self._teacher_ids(job),
            vars(job),
            {
                "images": self.images_file(job.dataset),
                "splits": self.splits_file(job.dataset),
                "patches": self.patches_file(job.dataset, job.sampler),
                "references": self._reference_files(job.dataset, job.sampler, job.split, job.teacher),
                "weights_file": list(teacher.files()),
            },
            {
                "teacher": text(dump(teacher)),
                "weights_file": self._file_states(teacher.files()),
                "sampler": text(dump(self.study.samplers[job.sampler])),
                "size": teacher.size or self.study.samplers[job.sampler].size,
                "split": job.split,
                "names": text(names),
                "seed": self.study.seed,
            },
            (TEACHERS.module(teacher.model),),
        )

    def _student_wildcards(self, job: StudentJob) -> dict[str, Any]:
        names = {"study": self.study.name, **{name: str(value) for name, value in job.names.items()}}
        return names if job.draw is None else {**names, "selector": f"{RANDOM}~{job.draw}"}

    def _selection_of(self, job: StudentJob) -> list[str]:
        """The ranking that a deep student learns from; none for all patches."""
        if job.draw is None:
            return self.selection_files(job.table, [job.selector])
        return [PATHS["select_patches"].format(**self._drawn_selection(job.table, job.draw))]

    def _student_jobs_of(self, job: StudentJob) -> Iterator[Job]:
        student = self.study.deep_students[job.student]
        teachers = self.teachers_of(job)
        with_references = [
            teacher.teacher for teacher in teachers.values() if self.study.teachers[teacher.teacher].uses_references
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
            "images": self.images_file(job.dataset),
            "patches": self.patches_file(job.dataset, job.sampler),
            "selection": self._selection_of(job),
        }
        inputs = {
            **shared,
            "splits": self.splits_file(job.dataset),
            "teachers": [self.teacher_file(teacher) for teacher in teachers.values()],
            "teacher_sidecars": [
                path_of("pretrain_teacher", ".json").format(**self._teacher_ids(teacher))
                for teacher in teachers.values()
            ],
            "references": self._reference_files(job.dataset, job.sampler, str(job.split), compared) if compared else [],
            "weights_file": list(student.files()),
        }
        params = {
            "student": text(dump(student, UNTRAINED)),
            "weights_file": self._file_states(student.files()),
            "sampler": text(dump(self.study.samplers[job.sampler])),
            "size": student.size or self.study.samplers[job.sampler].size,
            "teachers": json.dumps(roles),  # in the order of the inputs
            "reference_patches": self.study.teachers[compared].reference_patches() if compared else 0,
            "names": text(names),
            "seed": self.study.seed,
        }
        network = STUDENTS.module(student.model)
        taught_by = {TEACHERS.module(self.study.teachers[name].model) for name in roles.values()}
        wildcards = self._student_wildcards(job)
        trained = Job("train_student", wildcards, job.names, inputs, params, (network, *sorted(taught_by)))
        yield trained
        weights = {"weights": trained.output, "sidecar": trained.file(".json")}
        yield Job(
            "predict", wildcards, job.names, {**shared, **weights}, self._network_scoring(job.student), (network,)
        )

    def _cross_job(self, test: CrossTest) -> Job:
        wildcards = {**self._student_wildcards(test.job), "tested": test.tested}
        trained = PATHS["train_student"].format(**wildcards)
        inputs = {
            "images": self.images_file(test.tested),
            "patches": self.patches_file(test.tested, test.sampler),
            "selection": [],
            "weights": trained,
            "sidecar": path_of("train_student", ".json").format(**wildcards),
        }
        modules = (STUDENTS.module(self.study.students[test.job.student].model),)
        names = {**test.job.names, "tested": test.tested}
        return Job("predict_cross", wildcards, names, inputs, self._network_scoring(test.job.student), modules)

    def pristine_of(self, job: ImageJob) -> str | None:
        """Dataset entry of the pristine images that a student without patches needs; None if it needs none."""
        student = self.study.students[job.student]
        return student.pristine_dataset() if isinstance(student, ImageStudentSettings) else None

    def _image_job(self, job: ImageJob) -> Job:
        student = self.study.students[job.student]
        wildcards = {"study": self.study.name, **vars(job)}
        inputs: dict[str, Any] = {"images": self.images_file(job.dataset), "splits": self.splits_file(job.dataset)}
        params: dict[str, Any] = {"name": job.student, "student": text(dump(student, {"files", *UNTRAINED}))}
        modules = (STUDENTS.module(student.model),)
        if isinstance(student, ExternalSettings):
            inputs["file"] = student.files[job.dataset]
            params["file_state"] = self._file_states([inputs["file"]])
            return Job("read_predictions", wildcards, vars(job), inputs, params, modules)
        pristine = self.pristine_of(job)
        inputs["pristine"] = [self.images_file(pristine)] if pristine else []
        return Job("predict_images", wildcards, vars(job), inputs, params, modules)

    # Jobs of the study as one

    def _study_jobs(self, work: Iterable[Job]) -> Iterator[Job]:
        study, evaluation = {"study": self.results_name}, self.study.evaluation
        trained = {
            "images": [self.images_file(name) for name in self.shown_datasets],
            "splits": [self.splits_file(name) for name in self.trained_datasets],
        }
        predicted = [job for rule in PREDICTIONS for job in work if job.rule == rule]
        predictions = [job.output for job in predicted if "draw" not in job.names]
        drawn = [job for job in predicted if "draw" in job.names]
        params = {
            "datasets": text(self.trained_datasets),
            "tested": text(self.shown_datasets),
            "official": text(self.official_splits),
            "logistic": evaluation.logistic,
            "draws": evaluation.bootstrap,
            "seed": self.study.seed,
        }
        evaluated = Job("evaluate", study, inputs={**trained, "predictions": predictions}, params=params)
        yield evaluated
        inputs = {
            **trained,
            "metrics": evaluated.output,
            "predictions": f"results/studies/{self.results_name}/predictions.parquet",
            "random": [job.output for job in work if job.rule == "train_random_draws"],
            "drawn": [job.output for job in drawn],
        }
        decided: dict[str, Any] = {
            **params,
            "primary": text([asdict(primary) for primary in self.primaries]),
            "margin": evaluation.margin,
            "drawn": text([job.names["draw"] for job in drawn]),
        }
        compared = Job("compare", study, inputs=inputs, params=decided)
        yield compared
        costs = self._costs_job(work)
        yield costs
        shown: dict[str, Any] = {
            "images": [self.images_file(name) for name in self.shown_datasets],
            "summary": f"results/studies/{self.results_name}/summary.parquet",
            "distortions": f"results/studies/{self.results_name}/distortions.parquet",
            "comparisons": compared.output,
            "costs": costs.output,
        }
        shown_params = {"datasets": text(self.shown_datasets), "official": text(self.official_splits)}
        histories = [path_of("train_mlps", ".history.parquet").format(**study, **vars(job)) for job in self.mlp_jobs]
        histories += [
            path_of("train_student", ".history.parquet").format(**self._student_wildcards(job))
            for job in self.student_jobs
        ]
        shown["histories"] = histories
        for experiment in self.study.experiments:
            if reads_budgets(experiment):
                yield from self._budgets_jobs(experiment)
            if reads_damage(experiment):
                yield self._damage_job(experiment)
            yield self._plot_job(experiment, shown, shown_params)
        alone = {
            name: f"results/studies/{self.results_name}/{name}.parquet"
            for name in ("official", "stability", "verdicts")
        }
        measured = {"metrics": evaluated.output, "splits": trained["splits"]}
        named = {**shown_params, "trained": text(self.trained_datasets)}
        yield self._report_job({**shown, **alone, **measured}, named)

    def _costs_job(self, work: Iterable[Job]) -> Job:
        jobs = [job for job in work if job.rule in COUNTED]
        facts = [
            {
                "rule": job.rule,
                "names": dict(job.names),
                "benchmark": job.benchmark,
                "sidecar": job.file(".json") if has_sidecar(job) else None,
            }
            for job in jobs
        ]
        inputs = {"files": [job.output for job in jobs]}
        return Job("collect_costs", {"study": self.results_name}, inputs=inputs, params={"jobs": text(facts)})

    def _budgets_jobs(self, experiment: ExperimentSettings) -> Iterator[Job]:
        tables = tables_of(self.study, experiment)
        names = [name for name in selectors_of(self.study, experiment) if self.study.selectors[name].method != RANDOM]
        selectors = {name: self.study.selectors[name] for name in names}
        weighted = {name: settings for name, settings in selectors.items() if settings.stands_for_nearest}
        mlps = [MlpJob(*table, student) for table in tables for student in students_of(self.study, experiment)]
        tabled = {
            "images": [self.images_file(table.dataset) for table in tables],
            "patches": [self.patches_file(table.dataset, table.sampler) for table in tables],
            "embeddings": [self.embeddings_file(table) for table in tables],
        }
        inputs = {
            **tabled,
            "splits": [self.splits_file(table.dataset) for table in tables],
            "selections": [file for table in tables for file in self.selection_files(table, names)],
            "scores": self._patch_scores_files(experiment),
        }
        shared: dict[str, Any] = {"students": len(mlps) // len(tables), "seed": self.study.seed}
        params = {
            **shared,
            "selectors": text(names),
            "weighted": text({name: dump(settings) for name, settings in weighted.items()}),
            "official": text(self.official_splits),
            "margin": self.study.evaluation.margin,
        }
        modules = tuple(sorted({SELECTORS.module(settings.method) for settings in weighted.values()}))
        wildcards = {"study": self.results_name, "experiment": experiment.name}
        yield Job("score_budgets", wildcards, {}, inputs, params, modules)
        encoders = [self.study.encoders[table.encoder] for table in tables]
        timed = {
            **tabled,
            "weights": [PATHS["train_mlps"].format(study=self.results_name, **vars(job)) for job in mlps],
            "weights_file": sorted({file for encoder in encoders for file in encoder.files()}),
        }
        params = {
            **shared,
            "names": text([vars(job) for job in mlps]),
            "selectors": text({name: dump(settings) for name, settings in selectors.items()}),
            "encoders": text([dump(encoder) for encoder in encoders]),
        }
        used = {SELECTORS.module(settings.method) for settings in selectors.values()}
        used |= {ENCODERS.module(encoder.backend) for encoder in encoders}
        used |= {STUDENTS.module(self.study.students[job.student].model) for job in mlps}
        yield Job("time_budgets", wildcards, {}, timed, params, tuple(sorted(used)))

    def _damage_job(self, experiment: ExperimentSettings) -> Job:
        tables, selectors = tables_of(self.study, experiment), selectors_of(self.study, experiment)
        inputs = {
            "images": [self.images_file(table.dataset) for table in tables],
            "patches": [self.patches_file(table.dataset, table.sampler) for table in tables],
            "selections": [file for table in tables for file in self.selection_files(table, selectors)],
            "scores": self._patch_scores_files(experiment),
        }
        params = {
            "tables": text([(table.sampler, table.encoder) for table in tables]),
            "students": text(students_of(self.study, experiment)),
            "selectors": text(selectors),
            "official": text(self.official_splits),
            "draws": self.study.evaluation.bootstrap,
            "seed": self.study.seed,
        }
        wildcards = {"study": self.results_name, "experiment": experiment.name}
        return Job("score_damage", wildcards, {}, inputs, params)

    def _patch_scores_files(self, experiment: ExperimentSettings) -> list[str]:
        """Scores of single patches: all students of the first embedding table, then those of the second, and so on."""
        return [
            PATHS["predict_patches"].format(study=self.results_name, **vars(MlpJob(*table, student)))
            for table in tables_of(self.study, experiment)
            for student in students_of(self.study, experiment)
        ]

    def _plot_job(self, experiment: ExperimentSettings, shown: Mapping[str, Any], params: Mapping[str, Any]) -> Job:
        wildcards = {"study": self.results_name, "experiment": experiment.name}
        selectors = selectors_of(self.study, experiment)
        methods = sorted({self.study.selectors[name].method for name in selectors})
        ranking = methods if FIGURES.spec(experiment.figure).ranks else []
        modules = (FIGURES.module(experiment.figure), *(SELECTORS.module(method) for method in ranking))
        looks = [(SELECTORS[method].label, SELECTORS[method].colour, SELECTORS[method].marker) for method in methods]
        resolved = resolve(self.study, experiment)
        drawn = {"experiment": resolved.model_dump_json(), "looks": text(looks), "caption": self._caption(resolved)}
        if reads_metrics(experiment):
            sources = {name: self.study.datasets[name].source for name in self.shown_datasets}
            shown = {**shown, "choices": self._choices_files(experiment)}
            given: dict[str, Any] = {
                **drawn,
                **params,
                "sources": text(sources),
                "margin": self.study.evaluation.margin,
            }
            modules = (*modules, *(CHOOSERS.module(name) for name in choosers_of(experiment)))
            return Job("plot_metrics", wildcards, {}, shown, given, modules)
        tables = tables_of(self.study, experiment)
        if reads_budgets(experiment):
            inputs = {
                "images": [self.images_file(name) for name in resolved.datasets],
                "budgets": PATHS["score_budgets"].format(**wildcards),
                "budget_times": PATHS["time_budgets"].format(**wildcards),
            }
            return Job("plot_budgets", wildcards, {}, inputs, {**drawn, "datasets": text(resolved.datasets)}, modules)
        if reads_damage(experiment):
            damage = PATHS["score_damage"].format(**wildcards)
            inputs = {
                "images": [self.images_file(table.dataset) for table in tables],
                "patches": [self.patches_file(table.dataset, table.sampler) for table in tables],
                "damage": damage,
                "damaged_patches": path_of("score_damage", ".patches.parquet").format(**wildcards),
            }
            return Job("plot_damage", wildcards, {}, inputs, drawn, modules)
        rankings = [file for table in tables for file in self.selection_files(table, selectors)]
        inputs = {
            "images": [self.images_file(table.dataset) for table in tables],
            "patches": [self.patches_file(table.dataset, table.sampler) for table in tables],
            "embeddings": [self.embeddings_file(table) for table in tables],
            "selections": rankings,
            "traces": [file.removesuffix(".parquet") + ".trace.parquet" for file in rankings],
        }
        return Job("plot_selection", wildcards, {}, inputs, drawn, modules)

    def _choices_files(self, experiment: ExperimentSettings) -> list[str]:
        """Tables of the students of chosen images that a figure shows; none for another figure."""
        tables = tables_of(self.study, experiment) if budgets_of(experiment) else ()
        jobs = [MlpJob(*table, student) for table in tables for student in students_of(self.study, experiment)]
        return [PATHS["train_on_chosen"].format(study=self.results_name, **vars(job)) for job in jobs]

    def _caption(self, experiment: Experiment) -> str:
        """Caption of a figure that is not drawn yet, for the archive of `snakemake --report`."""
        return render_text(
            experiment.figure,
            "caption",
            study=self.study.model_dump(mode="json"),
            settings=experiment.caption_settings,
            simulated=[name for name in sorted(experiment.datasets) if source_of(self.study, name).simulated],
        )

    def _report_job(self, shown: Mapping[str, Any], params: Mapping[str, Any]) -> Job:
        folder = f"results/studies/{self.results_name}"
        inputs = {
            "figures": [f"{folder}/figures/{name}.png" for name in self.experiments],
            "tables": [f"{folder}/tables/{name}.parquet" for name in self.experiments],
            **shown,
        }
        params = {
            "study": self.study.model_dump_json(),
            "experiments": text([resolve(self.study, e).model_dump(mode="json") for e in self.study.experiments]),
            **params,
        }
        captions = tuple(sorted({FIGURES.module(e.figure) for e in self.study.experiments}))
        return Job("render_report", {"study": self.results_name}, inputs=inputs, params=params, modules=captions)
