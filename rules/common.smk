# Read top to bottom: check the study, name the environment, constrain the wildcards, say what each experiment needs.
import json
from pathlib import Path

from snakemake.exceptions import WorkflowError

from iqadistill import provenance
from iqadistill.config import check_study, grid, lessons
from iqadistill.errors import InputError

try:
    STUDY = check_study(config)
except InputError as error:
    raise WorkflowError(str(error)) from None

FOLDER = f"results/studies/{STUDY.name}"
# Unset, not 0, on a CPU study: some executors demand more settings wherever gpu is given at all.
GPU = None if STUDY.device == "cpu" else 1
SWEEPS = grid.study_sweeps(STUDY)
RUNS = grid.study_runs(STUDY)
CROSS_TESTS = grid.study_cross_tests(STUDY)
LESSONS = lessons.study_lessons(STUDY)
SAMPLED = lessons.sampled_datasets(STUDY)
EXPERIMENTS = {experiment.name: experiment for experiment in STUDY.experiments}
METRIC_EXPERIMENTS = [
    name for name, e in EXPERIMENTS.items() if e.figure in grid.METRIC_FIGURES
]
SELECTION_EXPERIMENTS = [name for name in EXPERIMENTS if name not in METRIC_EXPERIMENTS]


wildcard_constraints:
    dataset=r"[A-Za-z][\w.-]*",
    sampler=r"[A-Za-z][\w.-]*",
    encoder=r"[A-Za-z][\w.-]*",
    selector=r"[A-Za-z][\w.-]*",
    student=r"[A-Za-z][\w.-]*",
    tested=r"[A-Za-z][\w.-]*",
    teacher=r"[A-Za-z][\w.-]*",
    keep=r"\d[\d.]*",
    split=r"\d+",
    experiment=r"[A-Za-z][\w.-]*",


def code_digest(stage):
    """Digest of the package code behind a stage: Snakemake itself does not see edits in imported modules."""
    return provenance.code_digest(
        Path(workflow.basedir) / "workflow_scripts" / f"{stage}.py"
    )


def settings(section, wildcard):
    """Params function: the settings of the entry a wildcard names, as stable text."""
    entries = getattr(STUDY, section)
    if section in ("samplers", "selectors"):
        return lambda w: json.dumps(entries[getattr(w, wildcard)].call())
    return lambda w: entries[getattr(w, wildcard)].model_dump_json()


def all_cells():
    return sorted(
        {cell for e in STUDY.experiments for cell in grid.experiment_cells(STUDY, e)}
    )


def scored_datasets():
    return sorted({job.dataset for job in [*SWEEPS, *RUNS]})


def shown_datasets():
    """Datasets that numbers are of: those trained on, and those only tested on."""
    return sorted({*scored_datasets(), *(test.tested for test in CROSS_TESTS)})


def cell_files(pattern, cells=None):
    """Files of a pattern, one a cell (dataset, sampler, encoder)."""
    made = [
        pattern.format(**vars(cell))
        for cell in (all_cells() if cells is None else cells)
    ]
    return list(dict.fromkeys(made))


def sweep_files(pattern):
    """Files of a pattern, one a training job of an mlp."""
    return [pattern.format(study=STUDY.name, **vars(sweep)) for sweep in SWEEPS]


NETWORK = "{study}/{dataset}/{sampler}/{encoder}/{selector}/{keep}/{student}/{split}"


THIS_NETWORK = NETWORK.replace("{study}", STUDY.name)


def network_files(stage, suffix):
    """Files of a stage, one a training job of a deep student."""
    return [
        f"results/{stage}/{NETWORK}{suffix}".format(study=STUDY.name, **vars(run))
        for run in RUNS
    ]


LESSON = "results/pretrain_teacher/{study}/{dataset}/{sampler}/{teacher}/{split}"


def lesson_file(lesson, suffix=".safetensors"):
    """What a teacher's training left."""
    return (LESSON + suffix).format(study=STUDY.name, **vars(lesson))


def teacher_files():
    return [lesson_file(lesson) for lesson in LESSONS]


def prediction_files():
    swept = "results/predict/{study}/{dataset}/{sampler}/{encoder}/{student}.parquet"
    crossed = [
        f"results/predict_elsewhere/{NETWORK}/{{tested}}.parquet".format(
            study=STUDY.name, tested=test.tested, **vars(test.run)
        )
        for test in CROSS_TESTS
    ]
    return [
        *sweep_files(swept),
        *network_files("predict_network", ".parquet"),
        *crossed,
    ]


def history_files():
    swept = "results/train_student/{study}/{dataset}/{sampler}/{encoder}/{student}.history.parquet"
    return [*sweep_files(swept), *network_files("train_network", ".history.parquet")]


def weight_files():
    swept = "results/train_student/{study}/{dataset}/{sampler}/{encoder}/{student}.safetensors"
    return [*sweep_files(swept), *network_files("train_network", ".safetensors")]


def selection_files(cell, selectors):
    pattern = "results/select_patches/{dataset}/{sampler}/{encoder}/{selector}.parquet"
    chosen = [name for name in selectors if name != grid.ALL_PATCHES[0]]
    return [pattern.format(**vars(cell), selector=name) for name in chosen]


def embedding_files():
    """Embeddings that an mlp learns from, a selector ranks or a figure shows; deep students need none."""
    jobs = [*SWEEPS, *(run for run in RUNS if run.selector != grid.ALL_PATCHES[0])]
    cells = {grid.job_cell(job) for job in jobs}
    for name in SELECTION_EXPERIMENTS:
        cells |= set(grid.experiment_cells(STUDY, EXPERIMENTS[name]))
    pattern = "results/embed_patches/{dataset}/{sampler}/{encoder}.parquet"
    return cell_files(pattern, sorted(cells))


def sweep_selectors(sweep):
    return sorted({selector for selector, _ in SWEEPS[sweep]} - {grid.ALL_PATCHES[0]})


def all_selections():
    trained = [
        file
        for sweep in SWEEPS
        for file in selection_files(grid.job_cell(sweep), sweep_selectors(sweep))
    ]
    fed = [
        file
        for run in RUNS
        for file in selection_files(grid.job_cell(run), [run.selector])
    ]
    drawn = [file for e in STUDY.experiments for file in experiment_selections(e)]
    return sorted({*trained, *fed, *drawn})


def experiment_selections(experiment):
    """Selections an experiment draws; experiments on metrics draw none."""
    if experiment.figure in grid.METRIC_FIGURES:
        return []
    selectors = grid.experiment_selectors(STUDY, experiment)
    return [
        file
        for cell in grid.experiment_cells(STUDY, experiment)
        for file in selection_files(cell, selectors)
    ]


# Datasets


def user_folder(name):
    """The folder the user gave a dataset, or data/NAME."""
    return STUDY.datasets[name].root or f"data/{name}"


def origin(name):
    """Whether a dataset is rendered here, a folder of the user's own, or comes as an archive."""
    return grid.dataset_source(STUDY, name).origin


def picture_folder(name):
    """Where a dataset's pictures and labels lie."""
    rendered = origin(name) == "rendered"
    return f"results/render_dataset/{name}" if rendered else user_folder(name)


def label_file(w):
    """A dataset's images.csv.

    One that the user wrote is declared once it exists, so that its absence is told in one sentence by the job instead of as a
    missing input. One that came in an archive is part of what retrieve_dataset answers for.
    """
    record = grid.dataset_source(STUDY, w.dataset)
    file = Path(picture_folder(w.dataset)) / "images.csv"
    written = file.is_file() and (record.origin == "folder" or record.labels)
    if (
        record.origin == "folder" and record.labels and not written
    ):  # without any list, the files themselves say it
        return sorted(p.as_posix() for p in file.parent.rglob("*") if p.is_file())
    return [file.as_posix()] if record.origin == "rendered" or written else []


def manifest(w):
    """What an archive's retrieval found; ancient, for the same bytes found again change nothing."""
    archive = origin(w.dataset) == "archive"
    return [ancient(f"results/retrieve_dataset/{w.dataset}.json")] if archive else []


def indexed_facts(name):
    """What the registry says about a dataset's pictures and scores, as stable text; how to get them does not matter here."""
    elsewhere = {
        "title",
        "access",
        "page",
        "archives",
        "holds",
        "licence",
        "terms",
        "citation",
    }
    return grid.dataset_source(STUDY, name).model_dump_json(exclude=elsewhere)


def smallest_picture(name):
    """Side in pixels a flat picture must have to hold a patch of every sampler used on it. Where crops scale with the
    picture, placing them tells."""
    if grid.dataset_kind(STUDY, name) == "sphere":
        return 1
    sizes = [
        STUDY.samplers[sampler].size
        for dataset, sampler in SAMPLED
        if dataset == name and not STUDY.samplers[sampler].longer_side
    ]
    return max(sizes, default=1)


def pristine_pictures(w):
    """The user's own panoramas that a study distorts."""
    root = Path(user_folder(w.dataset))
    given = STUDY.datasets[w.dataset].source == "panoramas" and root.is_dir()
    return sorted(p.as_posix() for p in root.iterdir() if p.is_file()) if given else []


# Students
def this_sweep(w):
    return grid.Sweep(w.dataset, w.sampler, w.encoder, w.student)


def this_sweep_selections(w):
    return selection_files(grid.job_cell(this_sweep(w)), sweep_selectors(this_sweep(w)))


def network_settings(w):
    """Model, architecture and patch size of a deep student, as stable text."""
    student = STUDY.students[w.student]
    size = student.size or STUDY.samplers[w.sampler].size
    return json.dumps({"model": student.model, "size": size, **student.network()})


def this_run(w):
    return grid.Run(
        w.dataset,
        w.sampler,
        w.encoder,
        w.selector,
        float(w.keep),
        w.student,
        int(w.split),
    )


def this_teachers(suffix):
    """Input function: what the trainings of a deep student's teachers left."""
    return lambda w: [
        lesson_file(lesson, suffix)
        for lesson in lessons.run_lessons(STUDY, this_run(w)).values()
    ]


def pristine_files(lesson, teacher):
    """Tables of the pristine pictures with which a NAR-teacher, or a student of it, compares; none for another teacher."""
    pristine = teacher and lessons.pristine_patches(STUDY, lesson, teacher)
    if not pristine:
        return []
    own = STUDY.teachers[teacher].pristine == lessons.TARGET
    split = own and lesson.split != lessons.EVERY_IMAGE
    dataset, sampler = pristine
    return [
        f"results/index_dataset/{dataset}.parquet",
        f"results/sample_patches/{dataset}/{sampler}.parquet",
        *([f"results/split_dataset/{dataset}.parquet"] if split else []),
    ]


def this_pristine(w):
    """Of a deep student with a NAR-teacher."""
    teachers = lessons.run_lessons(STUDY, this_run(w))
    return pristine_files(
        this_run(w), teachers["nar"].teacher if "nar" in teachers else ""
    )


def teaching(w):
    """Roles of a deep student's teachers in the order of the inputs, and what they do, as stable text."""
    student = STUDY.students[w.student]
    if student.model != "rkiqt":
        return "null"
    nar = STUDY.teachers[student.nar].pristine_patches if student.nar else 0
    return json.dumps(
        {**student.teaching(), "teachers": student.teachers(), "pristine_patches": nar}
    )


def published_weights(w):
    """A file of weights the user gave a teacher."""
    given = STUDY.teachers[w.teacher].pretrained
    return [given] if isinstance(given, str) and given != "packaged" else []


def this_lesson(w):
    return lessons.Lesson(w.dataset, w.sampler, w.teacher, w.split)


def teacher_settings(w):
    """Model, architecture and patch size of a teacher, as stable text."""
    teacher = STUDY.teachers[w.teacher]
    size = teacher.size or STUDY.samplers[w.sampler].size
    return json.dumps({"model": teacher.model, "size": size, **teacher.network()})


def this_selection(w):
    """The selection a deep student trains on; none for all patches."""
    return selection_files(grid.Cell(w.dataset, w.sampler, w.encoder), [w.selector])


# Report


def experiment_cell_files(pattern):
    """Input function: files of a pattern for every cell of the experiment."""
    return lambda w: cell_files(
        pattern, grid.experiment_cells(STUDY, EXPERIMENTS[w.experiment])
    )


def experiment_traces(w):
    return [
        file.replace(".parquet", ".trace.parquet")
        for file in experiment_selections(EXPERIMENTS[w.experiment])
    ]


def experiment_facts(e):
    """An experiment with its names spread out and its selectors' settings."""
    return {
        **e.model_dump(),
        "cells": [vars(cell) for cell in grid.experiment_cells(STUDY, e)],
        "selectors": {
            name: STUDY.selectors[name].model_dump()
            for name in grid.experiment_selectors(STUDY, e)
        },
        "keep": e.keep or STUDY.keep,
        "students": grid.experiment_students(STUDY, e),
        "tested_on": grid.experiment_tested(STUDY, e),
    }
