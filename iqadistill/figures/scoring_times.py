"""Time to score an image with each student, from the costs of a study."""

import pandas as pd

from iqadistill.figures.drawing.variants import ALL, PANEL
from iqadistill.figures.experiment import Experiment
from iqadistill.figures.rows import named_jobs


def scoring_times(costs: pd.DataFrame, experiment: Experiment) -> pd.DataFrame:
    """Time to score an image with each student on all patches, reading the image included.

    Args:
        costs: Table "costs"; its column `wildcards` holds the names of each job as JSON.
        experiment: The experiment; a student on whole images stands in all of its embedding tables.

    Returns:
        One row per dataset, sampler, encoder and student: `milliseconds` for an image and the number of its `patches`,
        medians over the splits. The time of a student on embeddings includes the encoder's.
    """
    key = [*PANEL, "student"]
    deep = _measured(costs, "predict", [*key, "selector"])
    deep = deep[deep.selector == ALL].groupby(key, as_index=False)[["milliseconds", "patches"]].median()
    # a table that was gathered has the time of all of its shards
    tables = costs.assign(rule=costs["rule"].replace("gather_shards", "embed_patches"))
    encoders = _measured(tables, "embed_patches", PANEL).assign(per_patch=lambda jobs: jobs.milliseconds / jobs.patches)
    mlps = _measured(costs, "predict_mlps", key).merge(encoders[[*PANEL, "per_patch"]], on=PANEL)
    mlps["milliseconds"] += mlps.per_patch * mlps.patches
    whole = _measured(costs, "predict_images", ["dataset", "student"])
    whole = whole.merge(pd.DataFrame(experiment.tables, columns=PANEL), on="dataset")
    columns = [*key, "milliseconds", "patches"]
    return pd.concat([rows[columns] for rows in (deep, mlps, whole) if len(rows)] or [deep], ignore_index=True)


def _measured(costs: pd.DataFrame, rule: str, names: list[str]) -> pd.DataFrame:
    """Some names of a rule's jobs with the milliseconds and the number of patches for an image."""
    jobs = named_jobs(costs, rule, names)
    return jobs[names].assign(
        milliseconds=1000 * jobs.scoring_seconds / jobs.scored_images, patches=jobs.scored_patches / jobs.scored_images
    )
