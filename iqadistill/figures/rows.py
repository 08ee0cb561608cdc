"""The rows of a study's tables that one experiment shows."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from iqadistill.figures.drawing.variants import ALL, LABEL_ONLY, PANEL, RANDOM


def experiment_rows(rows: pd.DataFrame, experiment: Mapping[str, Any]) -> pd.DataFrame:
    """Rows of an experiment's cells, selectors, keep rates and students, with their controls.

    Args:
        rows: Any table with the variant columns and `dataset`.
        experiment: `cells` (mappings of dataset, sampler, encoder), `selectors`, `keep`, `students`.
    """
    cells = pd.DataFrame(experiment["cells"])
    trained = rows.merge(cells, on=PANEL)
    trained = trained[trained.selector.isin([*experiment["selectors"], RANDOM, ALL])]
    trained = trained[trained.keep.round(6).isin([round(rate, 6) for rate in (*experiment["keep"], 1.0)])]
    trained = trained[trained.student.isin(experiment["students"])]
    controls = rows[(rows.student == LABEL_ONLY) & rows.dataset.isin(cells.dataset)]
    return pd.concat([trained, controls], ignore_index=True)


def cross_rows(rows: pd.DataFrame, experiment: Mapping[str, Any]) -> pd.DataFrame:
    """Rows of an experiment's students on datasets they were not trained on.

    Args:
        rows: Any table with the variant columns and `dataset`.
        experiment: `cells` (mappings of dataset, sampler, encoder) that were trained on, `tested_on`, `students`.
    """
    cells = pd.DataFrame(experiment["cells"]).rename(columns={"dataset": "train_dataset"})
    rows = rows.merge(cells, on=["train_dataset", "sampler", "encoder"])
    return rows[rows.dataset.isin(experiment["tested_on"]) & rows.student.isin(experiment["students"])]


def training_costs(histories: pd.DataFrame, costs: pd.DataFrame) -> pd.DataFrame:
    """Patches and seconds of each variant.

    Args:
        histories: Table "history" of the training jobs with `dataset`.
        costs: Table "costs"; a selector's job is named dataset/sampler/encoder/selector.

    Returns:
        A row a variant: dataset, sampler, encoder, selector, keep, `patches` and `train_seconds` (mean over splits),
        `select_seconds` (ranking every image once; none for all patches).
    """
    key = [*PANEL, "selector", "keep"]
    runs = histories.groupby([*key, "split"], as_index=False).agg(
        patches=("num_patches", "last"), train_seconds=("seconds", "sum")
    )
    variants = runs.groupby(key, as_index=False)[["patches", "train_seconds"]].mean()
    selecting = costs[costs["rule"] == "select_patches"].set_index("wildcards").seconds
    names = variants[[*PANEL, "selector"]].agg("/".join, axis=1)
    return variants.assign(select_seconds=names.map(selecting).fillna(0.0).to_numpy())


def student_costs(histories: pd.DataFrame, costs: pd.DataFrame) -> pd.DataFrame:
    """Work, size, training time and memory of each deep student on all patches.

    Args:
        histories: Table "history" of the training jobs with `dataset`.
        costs: Table "costs"; a deep student's job is named study/dataset/sampler/encoder/selector/keep/student/split, a teacher's
            study/dataset/sampler/teacher/split.

    Returns:
        A row a student: dataset, sampler, encoder, student, `gigaflops` (a patch), `millions` (of parameters), `minutes` (of
        training, mean over splits; a training that was killed and went on counts whole), `teacher_minutes` (its teachers' jobs,
        also where others share them), `total_minutes`, `gigabytes` (of 1e9 bytes: the most that its training or that of a teacher
        held on a card, or in a process where no card was granted).
    """
    key = [*PANEL, "student"]
    weighed = _jobs(costs, "train_network", [*PANEL, "selector", "keep", "student", "split"])
    weighed = weighed[weighed.selector == ALL].assign(
        gigaflops=lambda jobs: jobs.flops / 1e9, millions=lambda jobs: jobs.parameters / 1e6
    )
    runs = histories[histories.selector == ALL].groupby([*key, "teacher", "split"], as_index=False).seconds.sum()
    lessons = _jobs(costs, "pretrain_teacher", ["dataset", "sampler", "teacher", "split"])
    taught = [_taught(run, lessons) for run in runs.itertuples()]
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
    """Costs of a rule's jobs with the wildcards behind the study as columns."""
    jobs = costs[costs["rule"] == rule]
    wildcards = [text.split("/")[1:] for text in jobs.wildcards]
    named = pd.DataFrame(wildcards, columns=names, index=jobs.index)
    return jobs.join(named).assign(memory=jobs.max_vram.fillna(jobs.max_rss))


def _taught(run: Any, lessons: pd.DataFrame) -> pd.DataFrame:
    """The jobs of the teachers of one student's training."""
    here = (lessons.dataset == run.dataset) & (lessons.sampler == run.sampler) & (lessons.split == str(run.split))
    elsewhere = lessons.split == "all"  # on all images of another dataset, maybe by a sampler of its own
    taken = here & False
    for name in filter(None, run.teacher.split("+")):
        own = lessons.teacher == name
        found = (own & here, own & elsewhere & (lessons.sampler == run.sampler), own & elsewhere)
        taken |= next((jobs for jobs in found if jobs.any()), own & here)
    return lessons[taken]
