"""The study's main numbers for machines: report/summary.json."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from iqadistill.atomic_writing import write_atomically
from iqadistill.report.answers import budget_objects, ratings_objects
from iqadistill.report.verdicts import verdict_objects

if TYPE_CHECKING:
    from iqadistill.report.page import Report


def write_summary(report: "Report", output: Path) -> None:
    """Write study, datasets, verdicts, answers, caveats and costs as one JSON object.

    Args:
        report: Contents of the report.
        output: Target file.
    """
    facts = {
        "study": report.study["name"],
        "title": report.title,
        "datasets": [
            {"name": one.name, "images": one.images, "contents": one.contents, "scores": one.scores}
            | {"noise_ceiling": one.ceiling}
            for one in report.datasets
        ],
        "verdicts": verdict_objects(report.verdicts),
        "budgets": budget_objects(report.budgets),
        "ratings": ratings_objects(report.ratings),
        "answers": report.answers,
        "caveats": report.caveats,
        "jobs": len(report.costs),
        "seconds": float(report.costs.seconds.sum()),
        "provenance": dict(report.provenance),
    }
    words = json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False)
    write_atomically(output, lambda path: path.write_text(words + "\n", encoding="utf-8"))
