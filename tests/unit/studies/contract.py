"""What a study promises: each of its experiments can be drawn from what its jobs would write, and shows all of it."""

import contextlib
import runpy
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pandas as pd
import yaml
from PIL import Image
from synthetic_tables import SyntheticTables

from iqadistill.config import Plan, check_study
from iqadistill.config.experiments import RANDOM, resolve, selectors_of, variants_of
from iqadistill.config.jobs.job import Job
from iqadistill.config.study import ExperimentSettings, Study
from iqadistill.figures.drawing.saving import with_suffix
from iqadistill.figures.registry import FIGURES

REPOSITORY = Path(__file__).parents[3]
SCRIPTS = REPOSITORY / "workflow_scripts"
STUDIES = [REPOSITORY / "config.yaml", *sorted((REPOSITORY / "studies").glob("*.yaml"))]

COLUMNS = {"metric": "distance", "n_components": "h"}
"""Columns of settings that a figure's table calls by another name."""


class BrokenPromise(Exception):
    """An experiment's figure cannot be drawn, or does not show all that the experiment asks for."""


class Named(dict):
    """What a script reads from `snakemake`: values by key or attribute."""

    __getattr__ = dict.__getitem__


@dataclass(frozen=True)
class Outcome:
    """What became of a study's experiments.

    Attributes:
        broken: What is wrong with an experiment, by its name.
        page: The report; empty where an experiment is broken.
    """

    broken: dict[str, str]
    page: str


def shipped_study(file: Path) -> Study:
    """A study as it is shipped."""
    return check_study(yaml.safe_load(file.read_text(encoding="utf-8")))


def draw_study(study: Study, folder: Path, tables: SyntheticTables | None = None) -> Outcome:
    """Draw every experiment and write the report, as the workflow's scripts do it, from synthetic tables.

    Args:
        study: The study; it may be one that the parser's checks would refuse.
        folder: Empty folder to write to.
        tables: Tables of the study; default: those that its jobs would write.
    """
    plan = Plan(study)
    tables = tables or SyntheticTables(plan)
    broken = {}
    with contextlib.chdir(folder), _saved_as_tables(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "solver published stopped")  # a figure may show that it does
        summary = tables.write()
        for experiment in study.experiments:
            try:
                check_shown(study, experiment, summary, _draw(plan, experiment.name))
            except Exception as error:  # whatever breaks a figure breaks a run after all the work is done
                broken[experiment.name] = f"{type(error).__name__}: {error}"
        page = "" if broken else _report(plan)
    return Outcome(broken, page)


def check_shown(study: Study, experiment: ExperimentSettings, summary: pd.DataFrame, table: pd.DataFrame) -> None:
    """Check that a figure shows all that its experiment asks for, and tells it apart.

    Args:
        study: The study.
        experiment: Its experiment.
        summary: Table "summary" that the figure was drawn from.
        table: The table of the figure's numbers.

    Raises:
        BrokenPromise: Rows of a variant are missing, or the figure's table does not tell the experiment's entries
            apart.
    """
    spec = FIGURES.spec(experiment.figure)
    selectors = selectors_of(study, experiment)
    if table.empty:
        raise BrokenPromise("the figure is empty")
    if spec.needs and len(selectors) > 1:
        columns = [COLUMNS[name] if COLUMNS.get(name) in table else name for name in spec.needs]
        if not set(columns) <= set(table):
            columns = ["selector"]  # told apart by name
        if set(columns) - set(table) or len(table[columns].drop_duplicates()) < len(selectors):
            raise BrokenPromise(f"selectors that agree in {' and '.join(spec.needs)}: {selectors}")
    if spec.reads != "metrics":
        missing = set(selectors) - set(table.selector) if "selector" in table else set()
        if missing:
            raise BrokenPromise(f"selectors that are not shown: {sorted(missing)}")
        return
    asked = _asked_for(study, experiment)
    _check_rows(_as_tested(study, asked), summary, "without numbers")
    # a figure that tells selectors apart by their settings draws random and all patches as a band and a line; one of
    # selectors among random rankings shows differences from them
    if spec.needs or spec.among_rankings:
        asked = asked[asked.selector.isin(set(selectors) - ({RANDOM} if spec.among_rankings else set()))]
    _check_rows(asked, table, "not shown")


def _asked_for(study: Study, experiment: ExperimentSettings) -> pd.DataFrame:
    """Rows of the summary that an experiment on metrics asks for."""
    resolved, variants = resolve(study, experiment), sorted(variants_of(study, experiment))
    tests = [(table, table.dataset) for table in resolved.tables]
    if experiment.figure == "cross_dataset":
        tests = [(table, name) for table in resolved.tables for name in resolved.tested_on if name != table.dataset]
    return pd.DataFrame(
        [
            {"dataset": tested, "train_dataset": table.dataset, "sampler": table.sampler, "encoder": table.encoder}
            | {"student": student, "selector": selector, "keep": keep}
            for table, tested in tests
            for student in resolved.students
            for selector, keep in variants
        ]
    )


def _as_tested(study: Study, asked: pd.DataFrame) -> pd.DataFrame:
    """Rows asked for as the summary has them: students on whole images have no sampler, encoder and selector."""
    whole = asked.student.map(lambda name: study.students[name].learns_from in ("images", "predictions"))
    columns = ["sampler", "encoder", "selector"]
    return asked.assign(**{name: asked[name].mask(whole, "") for name in columns})


def _check_rows(asked: pd.DataFrame, table: pd.DataFrame, what: str) -> None:
    """Check that a table has a row of all that is asked for."""
    for name in asked.columns.drop("train_dataset"):  # the dataset itself, unless the table has both
        if name not in table and asked[name].nunique() > 1:
            raise BrokenPromise(f"{name}s that are not told apart: {sorted(asked[name].unique())}")
    columns = [name for name in asked if name in table]
    found = asked[columns].drop_duplicates().merge(table[columns].drop_duplicates(), how="left", indicator="found")
    missing = found[found.found == "left_only"][columns]
    if len(missing):
        raise BrokenPromise(f"{len(missing)} variants {what}, the first: {missing.iloc[0].to_dict()}")


def _draw(plan: Plan, experiment: str) -> pd.DataFrame:
    """Run the script of an experiment's job; returns the table of its figure."""
    rules = ("plot_metrics", "plot_selection", "plot_budgets", "plot_damage")
    plots = [job for job in plan.jobs.values() if job.rule in rules]
    (job,) = (job for job in plots if job.wildcards["experiment"] == experiment)
    table = f"results/studies/{plan.study.name}/tables/{experiment}"
    _run(job, Named(svg=job.output, csv=f"{table}.csv"))
    return pd.read_parquet(f"{table}.parquet")


def _report(plan: Plan) -> str:
    """Run the script of the report's job; returns the page."""
    (job,) = (job for job in plan.jobs.values() if job.rule == "render_report")
    _run(job, Named(page=job.output, summary=str(Path(job.output).with_name("summary.json"))))
    return Path(job.output).read_text(encoding="utf-8")


def _run(job: Job, output: Named) -> None:
    """Run the script of a job in this process."""
    inputs = Named(job.inputs)
    if inputs.get("histories"):
        inputs["histories"] = [f"results/studies/{job.wildcards['study']}/histories.parquet"]  # all of them in one file
    snakemake = SimpleNamespace(input=inputs, output=output, params=Named(job.params), log=[job.log])
    runpy.run_path(str(SCRIPTS / f"{job.rule}.py"), {"snakemake": snakemake})


@contextlib.contextmanager
def _saved_as_tables() -> Iterator[None]:
    """Let the scripts write the numbers of a figure beside an image of one pixel, and raise what goes wrong."""

    def save(figure: Any, table: pd.DataFrame, figure_stem: Path, table_stem: Path) -> None:
        for stem in (figure_stem, table_stem):
            stem.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (1, 1)).save(with_suffix(figure_stem, "png"))
        table.to_parquet(with_suffix(table_stem, "parquet"))

    with (
        mock.patch("iqadistill.figures.drawing.saving.save_figure", save),
        mock.patch("iqadistill.console.job_log", contextlib.nullcontext),
        warnings.catch_warnings(),
    ):
        # random embeddings have no structure that a solver could reproduce in few iterations
        warnings.filterwarnings("ignore", "solver .* stopped before its tolerance", UserWarning)
        yield
