"""What the tables of a study's figures say outside their figures."""

from collections.abc import Iterable

import pandas as pd

from iqadistill.figures.convergence import stagnation_warnings
from iqadistill.report.page import ReportFigure


def convergence_notes(figures: Iterable[ReportFigure]) -> list[str]:
    """Sentences about selections that did not converge, from the figures "convergence".

    Args:
        figures: All figures of the study.
    """
    return [note for one in figures if one.kind == "convergence" for note in stagnation_warnings(one.table)]


def table_of(figures: Iterable[ReportFigure], kind: str) -> pd.DataFrame:
    """Tables of all figures of a kind, each row once; without rows where the study has none.

    Args:
        figures: All figures of the study.
        kind: Name of the figure.
    """
    tables = [one.table for one in figures if one.kind == kind]
    return pd.concat(tables, ignore_index=True).drop_duplicates() if tables else pd.DataFrame()
