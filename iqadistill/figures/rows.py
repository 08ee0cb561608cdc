"""Rows of a study's tables that belong to one experiment."""

import json
from collections.abc import Iterable

import numpy as np
import pandas as pd

from iqadistill.figures.drawing.variants import ALL, LABEL_ONLY, PANEL, RANDOM
from iqadistill.figures.experiment import Experiment

MIN_SPLITS = 5  # from which on a result is evidence and has an interval: with 2 splits, intervals are wider than SRCC


def with_shown_intervals(summary: pd.DataFrame) -> pd.DataFrame:
    """Rows of table "summary" without the intervals over fewer splits than `MIN_SPLITS`.

    Intervals on other datasets are over contents and stay.
    """
    hidden = (summary.splits < MIN_SPLITS) & (summary.dataset == summary.train_dataset)
    return summary.assign(low=summary.low.mask(hidden, np.nan), high=summary.high.mask(hidden, np.nan))


def experiment_rows(rows: pd.DataFrame, experiment: Experiment) -> pd.DataFrame:
    """Rows of an experiment's embedding tables, selectors, keep rates and students, with their controls.

    A student on whole images stands beside the others on all patches of every embedding table.

    Args:
        rows: A table with the variant columns and `dataset`.
        experiment: The experiment.
    """
    tables = pd.DataFrame(experiment.tables, columns=PANEL)
    whole = rows[(rows.selector == "") & (rows.student != LABEL_ONLY)].drop(columns=["sampler", "encoder"])
    trained = pd.concat([rows.merge(tables, on=PANEL), whole.assign(selector=ALL).merge(tables, on="dataset")])
    trained = trained[trained.selector.isin([*experiment.selectors, RANDOM, ALL])]
    trained = trained[trained.keep.round(6).isin([round(rate, 6) for rate in (*experiment.keep, 1.0)])]
    trained = trained[trained.student.isin(experiment.students)]
    controls = rows[(rows.student == LABEL_ONLY) & rows.dataset.isin(tables.dataset)]
    return pd.concat([trained, controls], ignore_index=True)


def student_pairs(comparisons: pd.DataFrame, experiment: Experiment) -> pd.DataFrame:
    """Comparisons of students, each with the embedding table in which both stand.

    Args:
        comparisons: Table "comparisons".
        experiment: The experiment; a pair of students on whole images stands in all of its embedding tables.
    """
    pairs = comparisons[comparisons.family == "students"]
    names = ["sampler", "encoder"]
    pairs = pairs.assign(**{name: pairs[name].where(pairs[name] != "", pairs[f"other_{name}"]) for name in names})
    tables = pd.DataFrame(experiment.tables, columns=PANEL)
    whole = pairs[pairs.sampler == ""].drop(columns=names).merge(tables, on="dataset")
    return pd.concat([pairs[pairs.sampler != ""], whole], ignore_index=True)


def cross_dataset_rows(rows: pd.DataFrame, experiment: Experiment) -> pd.DataFrame:
    """Rows of an experiment's students tested on datasets other than their training dataset.

    Args:
        rows: A table with the variant columns and `dataset`.
        experiment: The experiment; its students are trained on its embedding tables and tested on `tested_on`.
    """
    tables = pd.DataFrame(experiment.tables, columns=["train_dataset", "sampler", "encoder"])
    rows = rows.merge(tables, on=["train_dataset", "sampler", "encoder"])
    return rows[rows.dataset.isin(experiment.tested_on) & rows.student.isin(experiment.students)]


def training_costs(histories: pd.DataFrame, costs: pd.DataFrame) -> pd.DataFrame:
    """Numbers of training patches and times of each variant.

    Args:
        histories: Table "history" of the training jobs with a column `dataset`.
        costs: Table "costs"; its column `wildcards` holds the names of each job as JSON.

    Returns:
        One row per variant: dataset, sampler, encoder, selector, keep, `patches` and `train_seconds` (means over the
        splits), and `select_seconds` (time to rank every image once; 0 for all patches).
    """
    key = [*PANEL, "selector", "keep"]
    runs = histories.groupby([*key, "split"], as_index=False).agg(
        patches=("num_patches", "last"), train_seconds=("seconds", "sum")
    )
    variants = runs.groupby(key, as_index=False)[["patches", "train_seconds"]].mean()
    names = [*PANEL, "selector"]
    selecting = named_jobs(costs, "select_patches", names)[[*names, "seconds"]]
    return variants.merge(selecting.rename(columns={"seconds": "select_seconds"}), on=names, how="left").fillna(
        {"select_seconds": 0.0}
    )


def student_costs(histories: pd.DataFrame, costs: pd.DataFrame) -> pd.DataFrame:
    """FLOPs, parameters, training time and memory of each deep student on all patches.

    Args:
        histories: Table "history" of the training jobs with a column `dataset`.
        costs: Table "costs"; its column `wildcards` holds the names of each job as JSON.

    Returns:
        One row per student: dataset, sampler, encoder, student, `gigaflops` (per patch), `millions` (of parameters),
        `minutes` (training time, mean over the splits, including the epochs before a resume), `teacher_minutes`
        (training time of its teachers, even if other students share them), `total_minutes`, and `gigabytes` (1e9 bytes:
        peak memory of its training or that of a teacher, on the GPU or, for a job without a GPU, of the process).
    """
    key = [*PANEL, "student"]
    trainings = _jobs_with_memory(costs, "train_student", [*PANEL, "selector", "student"])
    trainings = trainings[trainings.selector == ALL].assign(
        gigaflops=lambda jobs: jobs.flops / 1e9, millions=lambda jobs: jobs.parameters / 1e6
    )
    runs = histories[histories.selector == ALL].groupby([*key, "teacher", "split"], as_index=False).seconds.sum()
    pretrainings = _jobs_with_memory(costs, "pretrain_teacher", ["dataset", "sampler", "teacher", "split"])
    teachers = [
        _teacher_jobs(pretrainings, run.teacher.split("+"), run.dataset, run.sampler, str(run.split))
        for run in runs.itertuples()
    ]
    runs = runs.assign(
        minutes=runs.seconds / 60,
        teacher_minutes=[jobs.seconds.sum() / 60 for jobs in teachers],
        teacher_memory=[jobs.memory.max() for jobs in teachers],
    )
    times = runs.groupby(key, as_index=False).agg(
        minutes=("minutes", "mean"),
        teacher_minutes=("teacher_minutes", "mean"),
        teacher_memory=("teacher_memory", "max"),
    )
    sizes = trainings.groupby(key, as_index=False).agg(
        gigaflops=("gigaflops", "mean"), millions=("millions", "mean"), memory=("memory", "max")
    )
    students = sizes.merge(times, on=key)
    students = students.assign(
        total_minutes=students.minutes + students.teacher_minutes,
        gigabytes=students[["memory", "teacher_memory"]].max(axis=1) / 1e9,
    )
    return students.drop(columns=["memory", "teacher_memory"])


def _jobs_with_memory(costs: pd.DataFrame, rule: str, names: list[str]) -> pd.DataFrame:
    """Costs of a rule's jobs with some of their names as columns, and their peak memory in bytes."""
    jobs = named_jobs(costs, rule, names)
    return jobs.assign(memory=jobs.max_vram.fillna(jobs.max_rss))


def named_jobs(costs: pd.DataFrame, rule: str, names: list[str]) -> pd.DataFrame:
    """Costs of a rule's jobs with some of their names as columns; without those that draw random rankings."""
    jobs = costs[costs["rule"] == rule]
    named = pd.DataFrame([json.loads(text) for text in jobs.wildcards], columns=[*names, "draw"], index=jobs.index)
    return jobs.join(named[named.draw.isna()].drop(columns="draw"), how="inner")


def _teacher_jobs(
    pretrainings: pd.DataFrame, teachers: Iterable[str], dataset: str, sampler: str, split: str
) -> pd.DataFrame:
    """Pretraining jobs of the teachers of one run.

    A teacher was pretrained on the split of the run or, where there is no such job, on all images ("all") of another
    dataset, possibly with another sampler.
    """
    same_sampler = pretrainings.sampler == sampler
    same_split = (pretrainings.dataset == dataset) & same_sampler & (pretrainings.split == split)
    all_images = pretrainings.split == "all"
    used = same_split & False
    for name in filter(None, teachers):
        jobs = pretrainings.teacher == name
        candidates = (jobs & same_split, jobs & all_images & same_sampler, jobs & all_images)
        used |= next((rows for rows in candidates if rows.any()), jobs & same_split)
    return pretrainings[used]
