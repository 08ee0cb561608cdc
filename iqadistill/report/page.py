"""The report: one self-contained HTML page that opens from disk."""

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import jinja2
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import yaml
from PIL import Image

from iqadistill.atomic_writing import write_atomically
from iqadistill.errors import InputError
from iqadistill.figures.captions import render_text, splits_in_words
from iqadistill.figures.drawing.saving import with_suffix
from iqadistill.figures.experiment import Experiment
from iqadistill.figures.registry import FIGURES
from iqadistill.figures.rows import MIN_SPLITS, with_shown_intervals
from iqadistill.report.answers import (
    budget_sentences,
    cost_sentence,
    enough_sentences,
    level_sentences,
    ratings_sentences,
)
from iqadistill.report.findings import caveats, notes, random_headlines
from iqadistill.report.published_tables import published_cross_table, published_table
from iqadistill.report.signatures import disagreement_warnings, training_notes, training_warnings
from iqadistill.report.spread import kinds_table, kinds_warnings, spread_table
from iqadistill.report.tables import (
    accuracy_tables,
    comparison_tables,
    cost_table,
    findings_table,
    official_table,
    ranking_table,
    stability_table,
)
from iqadistill.report.verdicts import verdict_sentence
from iqadistill.tables import read_metadata, read_rows

TEMPLATE = "report.html.j2"
SCALE = 0.55  # CSS pixels per pixel of the 200 dpi PNG, so that text in figures has the size of the text around them


@dataclass(frozen=True)
class DatasetFacts:
    """Facts about a dataset in the report.

    Attributes:
        name: Name of the dataset.
        images: Number of scored images.
        contents: Number of contents of the scored images.
        unscored: Number of images without a score.
        quarantined: Number of quarantined images.
        scores: Description of the scores from the metadata of its table "images".
        ceiling: Noise ceiling (SRCC), if it is known.
    """

    name: str
    images: int
    contents: int
    unscored: int
    quarantined: int
    scores: str = ""
    ceiling: float | None = None

    @property
    def simulated(self) -> bool:
        """Whether the scores are simulated, not given by people."""
        return self.scores.startswith("simulated")

    @property
    def kind(self) -> str:
        """Kind of distortions: synthetic ones make several images of one content, authentic ones do not."""
        return "synthetic" if self.contents < self.images else "authentic"


@dataclass(frozen=True)
class ReportFigure:
    """A saved figure.

    Attributes:
        name: Name of the experiment.
        kind: Name of the figure in the registry, which gives title and caption.
        figure_stem: Path of its images without suffix.
        table_stem: Path of its tables without suffix.
        datasets: Names of the datasets in the figure.
        settings: Values for the caption, e.g. `keep_rate`.
    """

    name: str
    kind: str
    figure_stem: Path
    table_stem: Path
    datasets: tuple[str, ...] = ()
    settings: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, experiment: Experiment, folder: Path) -> "ReportFigure":
        """The figure of an experiment in the folder of its study's results."""
        return cls(
            name=experiment.name,
            kind=experiment.figure,
            figure_stem=folder / "figures" / experiment.name,
            table_stem=folder / "tables" / experiment.name,
            datasets=tuple(sorted(experiment.datasets)),
            settings=experiment.caption_settings,
        )

    @property
    def table(self) -> pd.DataFrame:
        """Table of its numbers."""
        return read_rows(with_suffix(self.table_stem, "parquet")).to_pandas()


@dataclass(frozen=True)
class Report:
    """Contents of the page.

    Attributes:
        title: Title of the page.
        study: Configuration of the study.
        datasets: Facts about the datasets of the study.
        figures: Figures of the study.
        summary: Table "summary".
        comparisons: Table "comparisons".
        verdicts: Table "verdicts".
        costs: Table "costs".
        histories: Tables "history" of all students.
        official: Table "official".
        stability: Table "stability".
        published: Published results on its datasets, from `published_for`.
        published_cross: Published results of cross-dataset tests, from `published_cross_for`.
        provenance: Seed, git commit and package versions.
        sources: Registry name of each dataset entry.
        may_have_seen: Pairs of dataset and student of which the student may have seen the test images.
        budgets: Tables of the figures "budget"; without rows where there are none.
        ratings: Tables of the figures "label_efficiency"; likewise.
        warnings: Sentences for the list of caveats, besides those about splits and controls.
        notes: Sentences for the notes on the method, likewise.
    """

    title: str
    study: Mapping[str, Any]
    datasets: tuple[DatasetFacts, ...]
    figures: tuple[ReportFigure, ...]
    summary: pd.DataFrame
    comparisons: pd.DataFrame
    verdicts: pd.DataFrame
    costs: pd.DataFrame
    histories: pd.DataFrame
    official: pd.DataFrame
    stability: pd.DataFrame
    published: pd.DataFrame
    published_cross: pd.DataFrame
    provenance: Mapping[str, str]
    sources: Mapping[str, str] = field(default_factory=dict)
    may_have_seen: frozenset[tuple[str, str]] = frozenset()
    budgets: pd.DataFrame = field(default_factory=pd.DataFrame)
    ratings: pd.DataFrame = field(default_factory=pd.DataFrame)
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def answers(self) -> list[str]:
        """How well students do, how many patches and ratings are enough, and what it cost: the first screen."""
        ceilings = {facts.name: facts.ceiling for facts in self.datasets if facts.ceiling is not None}
        return [
            *level_sentences(with_shown_intervals(self.summary), self.verdicts, ceilings),
            *enough_sentences(self.comparisons),
            *budget_sentences(self.budgets),
            *ratings_sentences(self.ratings),
            cost_sentence(self.costs),
        ]

    @property
    def caveats(self) -> list[str]:
        """What changes a reader's conclusion."""
        return [
            *(_quarantine_caveat(facts) for facts in self.datasets if facts.quarantined),
            *self.warnings,
            *training_warnings(self.histories),
            *caveats(self.summary, self.may_have_seen),
        ]

    @property
    def method_notes(self) -> list[str]:
        """What else a reader should know of trainings, metrics and splits."""
        return [
            *self.notes,
            *training_notes(self.histories),
            *disagreement_warnings(self.summary),
            *notes(self.summary),
        ]


@dataclass(frozen=True)
class PageFigure:
    """A figure as the template needs it.

    Attributes:
        name: Name of the experiment.
        title: Heading.
        caption: Rendered caption.
        alt: Alternative text of the image.
        width: Width of the image in CSS pixels.
        png: The image, base64-encoded PNG.
        links: Relative paths of its files by format.
    """

    name: str
    title: str
    caption: str
    alt: str
    width: int
    png: str
    links: Mapping[str, str]


def dataset_facts(images: pa.Table) -> DatasetFacts:
    """Facts about a dataset.

    Args:
        images: Table "images" with its file metadata: `scores`, and `noise_ceiling` if the scores are simulated.
    """
    facts = read_metadata(images)
    ok = pc.equal(images["status"], "ok")
    scored = images.filter(pc.and_(ok, pc.is_valid(images["score"])))
    return DatasetFacts(
        name=images["dataset"][0].as_py(),
        images=len(scored),
        contents=len(scored["reference_id"].unique()),
        unscored=pc.sum(ok).as_py() - len(scored),
        quarantined=len(images) - pc.sum(ok).as_py(),
        scores=facts.get("scores", ""),
        ceiling=float(facts["noise_ceiling"]) if "noise_ceiling" in facts else None,
    )


def _quarantine_caveat(facts: DatasetFacts) -> str:
    total = facts.images + facts.unscored + facts.quarantined
    return (
        f"{facts.name}: {facts.quarantined} of {total} images are quarantined; nothing here holds for them. The log of"
        " index_dataset says why."
    )


def render_report(report: Report, output: Path) -> None:
    """Write the page with embedded figures and relative links to their SVG, PNG, CSV and Parquet files.

    Args:
        report: Contents of the page.
        output: Target file, usually report/index.html beside figures/ and tables/.

    Raises:
        InputError: The image or table of a figure is missing.
    """
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_package_text),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    summary = with_shown_intervals(report.summary)
    kinds = {facts.name: facts.kind for facts in report.datasets}
    images = {facts.name: facts.images + facts.unscored for facts in report.datasets}
    models = {name: entry["model"] for name, entry in report.study["students"].items()}
    page = environment.get_template(TEMPLATE).render(
        report=report,
        splits=splits_in_words(report.summary),
        verdicts=[(row.verdict, verdict_sentence(row)) for _, row in report.verdicts.iterrows()],
        answers=report.answers,
        min_splits=MIN_SPLITS,
        headlines=random_headlines(report.comparisons),
        findings=findings_table(report.comparisons),
        warnings=report.caveats,
        notes=report.method_notes,
        figures=[_page_figure(figure, report, output.parent) for figure in report.figures],
        accuracy=accuracy_tables(summary, report.may_have_seen),
        official=official_table(report.official, report.may_have_seen),
        stability=stability_table(report.stability),
        spread=spread_table(report.summary, report.may_have_seen),
        kinds=kinds_table(report.summary, kinds),
        uneven_kinds=kinds_warnings(report.summary, kinds),
        comparisons=comparison_tables(report.comparisons),
        published=published_table(report.published, summary, report.sources, models, report.may_have_seen),
        published_cross=published_cross_table(report.published_cross, summary),
        costs=cost_table(report.costs),
        rankings=ranking_table(report.costs, report.study["selectors"], images),
        study=yaml.safe_dump(dict(report.study), sort_keys=False, allow_unicode=True, width=110),
    )

    def write(path: Path) -> None:
        path.write_text(page, encoding="utf-8")

    write_atomically(output, write)


def _package_text(name: str) -> str:
    return files("iqadistill.report").joinpath(name).read_text(encoding="utf-8")


def _page_figure(figure: ReportFigure, report: Report, folder: Path) -> PageFigure:
    spec = FIGURES.spec(figure.kind)
    image, numbers = with_suffix(figure.figure_stem, "png"), with_suffix(figure.table_stem, "parquet")
    for path in (image, numbers):
        if not path.is_file():
            raise InputError(f"{path}: file not found; run the plot stage of the experiment {figure.name}.")
    simulated = [facts.name for facts in report.datasets if facts.simulated and facts.name in figure.datasets]

    def text(name: Literal["caption", "alt"]) -> str:
        return render_text(
            figure.kind, name, study=report.study, settings=figure.settings, table=figure.table, simulated=simulated
        )

    files_by_format = {
        "SVG": with_suffix(figure.figure_stem, "svg"),
        "PNG": image,
        "CSV": with_suffix(figure.table_stem, "csv"),
        "Parquet": numbers,
    }
    return PageFigure(
        name=figure.name,
        title=spec.title if figure.name == figure.kind else f"{spec.title} ({figure.name})",
        caption=text("caption"),
        alt=text("alt"),
        width=round(Image.open(image).width * SCALE),
        png=base64.b64encode(image.read_bytes()).decode("ascii"),
        links={label: Path(os.path.relpath(path, folder)).as_posix() for label, path in files_by_format.items()},
    )
