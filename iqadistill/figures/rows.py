"""The rows of a study's tables that one experiment shows."""

import json
from typing import Any

import pandas as pd

from iqadistill.figures.drawing.variants import ALL, LABEL_ONLY, PANEL, RANDOM
from iqadistill.figures.experiment import Experiment


def experiment_rows(rows: pd.DataFrame, experiment: Experiment) -> pd.DataFrame:
    """Rows of an experiment's embedding tables, selectors, keep rates and students, with their controls.

    Args:
        rows: Any table with the variant columns and `dataset`.
        experiment: The experiment.
    """
    tables = pd.DataFrame(experiment.tables, columns=PANEL)
    trained = rows.merge(tables, on=PANEL)
    trained = trained[trained.selector.isin([*experiment.selectors, RANDOM, ALL])]
    trained = trained[trained.keep.round(6).isin([round(rate, 6) for rate in (*experiment.keep, 1.0)])]
    trained = trained[trained.student.isin(experiment.students)]
    controls = rows[(rows.student == LABEL_ONLY) & rows.dataset.isin(tables.dataset)]
    return pd.concat([trained, controls], ignore_index=True)


def cross_rows(rows: pd.DataFrame, experiment: Experiment) -> pd.DataFrame:
    """Rows of an experiment's students on datasets they were not trained on.

    Args:
        rows: Any table with the variant columns and `dataset`.
        experiment: The experiment; students were trained on its embedding tables and tested on `tested_on`.
    """
    tables = pd.DataFrame(experiment.tables, columns=["train_dataset", "sampler", "encoder"])
    rows = rows.merge(tables, on=["train_dataset", "sampler", "encoder"])
    return rows[rows.dataset.isin(experiment.tested_on) & rows.student.isin(experiment.students)]


def training_costs(histories: pd.DataFrame, costs: pd.DataFrame) -> pd.DataFrame:
    """Patches and seconds of each variant.

    Args:
        histories: Table "history" of the training jobs with `dataset`.
        costs: Table "costs"; its column `wildcards` holds the names of each job as JSON.

    Returns:
        A row a variant: dataset, sampler, encoder, selector, keep, `patches` and `train_seconds` (mean over splits),
        `select_seconds` (ranking every image once; none for all patches).
    """
    key = [*PANEL, "selector", "keep"]
    runs = histories.groupby([*key, "split"], as_index=False).agg(
        patches=("num_patches", "last"), train_seconds=("seconds", "sum")
    )
    variants = runs.groupby(key, as_index=False)[["patches", "train_seconds"]].mean()
    names = [*PANEL, "selector"]
    selecting = _named_jobs(costs, "select_patches", names)[[*names, "seconds"]]
    return variants.merge(selecting.rename(columns={"seconds": "select_seconds"}), on=names, how="left").fillna(
        {"select_seconds": 0.0}
    )


def student_costs(histories: pd.DataFrame, costs: pd.DataFrame) -> pd.DataFrame:
    """Work, size, training time and memory of each deep student on all patches.

    Args:
        histories: Table "history" of the training jobs with `dataset`.
        costs: Table "costs"; its column `wildcards` holds the names of each job as JSON.

    Returns:
        A row a student: dataset, sampler, encoder, student, `gigaflops` (a patch), `millions` (of parameters), `minutes` (of
        training, mean over splits; a training that was killed and went on counts whole), `teacher_minutes` (its teachers' jobs,
        also where others share them), `total_minutes`, `gigabytes` (of 1e9 bytes: the most that its training or that of a teacher
        held on a card, or in a process where no card was granted).
    """
    key = [*PANEL, "student"]
    weighed = _jobs(costs, "train_student", [*PANEL, "selector", "student"])
    weighed = weighed[weighed.selector == ALL].assign(
        gigaflops=lambda jobs: jobs.flops / 1e9, millions=lambda jobs: jobs.parameters / 1e6
    )
    runs = histories[histories.selector == ALL].groupby([*key, "teacher", "split"], as_index=False).seconds.sum()
    teachers = _jobs(costs, "pretrain_teacher", ["dataset", "sampler", "teacher", "split"])
    taught = [_taught(run, teachers) for run in runs.itertuples()]
    runs = runs.assign(
        minutes=runs.seconds / 60,
        teacher_minutes=[jobs.seconds.sum() / 60 for jobs in taught],
        teacher_memory=[jobs.memory.max() for jobs in taught],
    )
    spent = runs.groupby(key, as_index=False).agg(
        minutes=("minutes", "mean"),
        teacher_minutes=("teacher_minutes", "mean"),
        teacher_memory=("teacher_memory", "max"),
    )
    sizes = weighed.groupby(key, as_index=False).agg(
        gigaflops=("gigaflops", "mean"), millions=("millions", "mean"), memory=("memory", "max")
    )
    found = sizes.merge(spent, on=key)
    found = found.assign(
        total_minutes=found.minutes + found.teacher_minutes,
        gigabytes=found[["memory", "teacher_memory"]].max(axis=1) / 1e9,
    )
    return found.drop(columns=["memory", "teacher_memory"])


def _jobs(costs: pd.DataFrame, rule: str, names: list[str]) -> pd.DataFrame:
    """Costs of a rule's jobs with some of their names as columns, and the memory that each held."""
    jobs = _named_jobs(costs, rule, names)
    return jobs.assign(memory=jobs.max_vram.fillna(jobs.max_rss))


def _named_jobs(costs: pd.DataFrame, rule: str, names: list[str]) -> pd.DataFrame:
    """Costs of a rule's jobs with some of their names as columns."""
    jobs = costs[costs["rule"] == rule]
    return jobs.join(pd.DataFrame([json.loads(text) for text in jobs.wildcards], columns=names, index=jobs.index))


def _taught(run: Any, teachers: pd.DataFrame) -> pd.DataFrame:
    """The jobs of the teachers of one student's training."""
    here = (teachers.dataset == run.dataset) & (teachers.sampler == run.sampler) & (teachers.split == str(run.split))
    elsewhere = teachers.split == "all"  # on all images of another dataset, maybe by a sampler of its own
    taken = here & False
    for name in filter(None, run.teacher.split("+")):
        own = teachers.teacher == name
        found = (own & here, own & elsewhere & (teachers.sampler == run.sampler), own & elsewhere)
        taken |= next((jobs for jobs in found if jobs.any()), own & here)
    return teachers[taken]
