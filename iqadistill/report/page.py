"""The report: one self-contained page that opens from disk."""

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import yaml
from PIL import Image

from iqadistill.errors import InputError
from iqadistill.figures.drawing.saving import with_ending
from iqadistill.figures.registry import FIGURES
from iqadistill.report.findings import caveats, random_headlines
from iqadistill.report.tables import (
    accuracy_tables,
    comparison_tables,
    cost_table,
    findings_table,
    published_table,
)
from iqadistill.tables import read_metadata, write_atomically

TEMPLATE = "report.html.j2"
SHOWN = 0.55  # screen pixels for a pixel of the 200 dpi PNG: letters come out at the size of the text around


@dataclass(frozen=True)
class DatasetFacts:
    """What the report says about a dataset; `scores` is the remark of its images table, `ceiling` an SRCC."""

    name: str
    images: int
    contents: int
    unscored: int
    quarantined: int
    scores: str = ""
    ceiling: float | None = None

    @property
    def simulated(self) -> bool:
        """Whether its scores were drawn, not given by people."""
        return self.scores.startswith("simulated")


@dataclass(frozen=True)
class ReportFigure:
    """A saved figure.

    Attributes:
        name: Name of the experiment.
        kind: Name of the figure, whose caption is shown.
        figure_stem: Path of its images without suffix.
        table_stem: Path of its table without suffix.
        datasets: Datasets that it shows.
        settings: What the caption may quote, e.g. `keep_rate`.
    """

    name: str
    kind: str
    figure_stem: Path
    table_stem: Path
    datasets: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """All that goes on the page.

    Attributes:
        title: Headline.
        study: Configuration of the study.
        datasets: Facts about its datasets.
        figures: Its figures.
        summary: Table "summary".
        comparisons: Table "comparisons".
        costs: Table "costs".
        published: What `published_for` gives for its datasets.
        provenance: Seed, commit and versions.
        sources: Registry name of each dataset entry.
        warnings: Further sentences to be read with care.
    """

    title: str
    study: Mapping[str, Any]
    datasets: tuple[DatasetFacts, ...]
    figures: tuple[ReportFigure, ...]
    summary: pd.DataFrame
    comparisons: pd.DataFrame
    costs: pd.DataFrame
    published: pd.DataFrame
    provenance: Mapping[str, str]
    sources: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def dataset_facts(images: pa.Table) -> DatasetFacts:
    """Counts and remarks of an images table.

    Args:
        images: Table "images" with its file metadata: `scores` and `noise_ceiling` where they are simulated.
    """
    facts = read_metadata(images)
    sound = pc.equal(images["status"], "ok")
    scored = images.filter(pc.and_(sound, pc.is_valid(images["score"])))
    return DatasetFacts(
        name=images["dataset"][0].as_py(),
        images=len(scored),
        contents=len(scored["reference_id"].unique()),
        unscored=pc.sum(sound).as_py() - len(scored),
        quarantined=len(images) - pc.sum(sound).as_py(),
        scores=facts.get("scores", ""),
        ceiling=float(facts["noise_ceiling"]) if "noise_ceiling" in facts else None,
    )


def render_report(report: Report, output: Path) -> None:
    """Write the page; figures are embedded, their SVG, CSV and Parquet linked by relative path.

    Args:
        report: What the page shows.
        output: Target, usually report/index.html beside figures/ and tables/.

    Raises:
        InputError: A figure or its table is missing.
    """
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_package_text),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template(TEMPLATE).render(
        report=report,
        headlines=random_headlines(report.comparisons),
        findings=findings_table(report.comparisons),
        warnings=[*report.warnings, *caveats(report.summary)],
        figures=[_page_figure(figure, report, output.parent) for figure in report.figures],
        accuracy=accuracy_tables(report.summary),
        comparisons=comparison_tables(report.comparisons),
        published=published_table(report.published, report.summary, report.sources),
        costs=cost_table(report.costs),
        study=yaml.safe_dump(dict(report.study), sort_keys=False, allow_unicode=True, width=110),
    )
    write_atomically(output, lambda temporary: temporary.write_text(page, encoding="utf-8"))


def _package_text(name: str) -> str:
    return files("iqadistill.report").joinpath(name).read_text(encoding="utf-8")


def _page_figure(figure: ReportFigure, report: Report, folder: Path) -> dict[str, str]:
    spec = FIGURES.spec(figure.kind)
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    image, numbers = with_ending(figure.figure_stem, "png"), with_ending(figure.table_stem, "parquet")
    for path in (image, numbers):
        if not path.is_file():
            raise InputError(f"{path}: no such file; run the plot stage that draws {figure.name}.")
    table = pd.read_parquet(numbers)
    context = {"study": report.study, "settings": figure.settings, "table": table}
    caption, alt = (environment.from_string(text).render(context).strip() for text in (spec.caption, spec.alt))
    simulated = [facts.name for facts in report.datasets if facts.simulated and facts.name in figure.datasets]
    if simulated:
        caption += f" The scores of {' and '.join(simulated)} are simulated."
    links = {"SVG": with_ending(figure.figure_stem, "svg"), "PNG": image} | {
        ending.upper() if ending == "csv" else "Parquet": with_ending(figure.table_stem, ending)
        for ending in ("csv", "parquet")
    }
    return {
        "name": figure.name,
        "title": spec.title if figure.name == figure.kind else f"{spec.title} ({figure.name})",
        "caption": caption,
        "alt": alt,
        "width": round(Image.open(image).width * SHOWN),
        "png": base64.b64encode(image.read_bytes()).decode("ascii"),
        "links": {label: Path(os.path.relpath(path, folder)).as_posix() for label, path in links.items()},
    }
