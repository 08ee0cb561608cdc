"""Captions of figures, for the report's page and for the archive that Snakemake makes."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import jinja2

from iqadistill.figures.registry import FIGURES
from iqadistill.figures.rows import MIN_SPLITS

if TYPE_CHECKING:
    import pandas as pd

LABEL_ONLY = "label_only"
INTERVALS = f"95 % intervals from {MIN_SPLITS} splits on, corrected for the training images that splits share"


def render_text(
    figure: str,
    text: Literal["caption", "alt"],
    *,
    study: Mapping[str, Any],
    settings: Mapping[str, float],
    table: "pd.DataFrame | None" = None,
    simulated: Iterable[str] = (),
) -> str:
    """Caption or alternative text of a figure.

    Args:
        figure: Name of the figure.
        text: Which of them.
        study: Configuration of the study.
        settings: Values for the caption, e.g. `keep_rate`.
        table: Numbers in the figure; None before it is drawn, and the caption then gives no counts.
        simulated: Names of datasets in the figure whose scores are simulated, which the caption says.
    """
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    template = environment.from_string(getattr(FIGURES.spec(figure), text))
    splits = "all" if table is None else splits_in_words(table)
    rendered = template.render(study=study, settings=settings, table=table, splits=splits, intervals=INTERVALS).strip()
    names = " and ".join(simulated)
    return f"{rendered} The scores of {names} are simulated." if names and text == "caption" else rendered


def splits_in_words(rows: "pd.DataFrame") -> str:
    """Number of splits behind some means, for each student where they differ: "10" or "10 (mlp) and 5 (adtrs)".

    Args:
        rows: Rows of table "summary".
    """
    if not {"splits", "student"} <= set(rows.columns):
        return "all"
    rows = rows[(rows.student != LABEL_ONLY) & rows.splits.notna()]
    students: dict[int, list[str]] = {}
    for splits, student in rows[["splits", "student"]].drop_duplicates().itertuples(index=False, name=None):
        students.setdefault(int(splits), []).append(student)
    counts = sorted(students, reverse=True)
    if len(counts) == 1:
        return str(counts[0])
    return " and ".join(f"{count} ({', '.join(students[count])})" for count in counts)
