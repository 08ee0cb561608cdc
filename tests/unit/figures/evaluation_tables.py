"""Small evaluation tables with known numbers."""

import pandas as pd

from iqadistill.table_schemas import SCHEMAS
from iqadistill.tables import as_table

SELECTORS = ["residual", "kcenter", "herding", "facility", "highest_residual"]
RATES = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]


class EvaluationTables:
    """Collects rows of the summary and comparison tables."""

    def __init__(self) -> None:
        self.rows: list[dict] = []
        self.pairs: list[dict] = []

    def add(self, panel: tuple[str, str, str], selector: str, keep: float, mean: float, **other: object) -> None:
        """Add SRCC and PLCC (0.01 higher) of one variant, with intervals of +-0.02."""
        for metric, shift in [("srcc", 0.0), ("plcc", 0.01)]:
            middle = mean + shift
            self.rows.append(
                variant(panel, selector, keep)
                | {
                    "metric": metric,
                    "mean": middle,
                    "median": middle - 0.005,
                    "std": 0.01,
                    "low": middle - 0.02,
                    "high": middle + 0.02,
                }
                | {"splits": 10, **other}
            )

    def compare(
        self,
        panel: tuple[str, str, str],
        left: tuple[str, float],
        right: tuple[str, float],
        delta: float,
        p_holm: float,
    ) -> None:
        """Add a paired test of two (selector, keep) in one panel, for SRCC and PLCC."""
        other = {f"other_{name}": value for name, value in variant(panel, *right).items() if name != "dataset"}
        for metric in ("srcc", "plcc"):
            self.pairs.append(
                variant(panel, *left)
                | other
                | {"family": f"against_{right[0]}", "metric": metric, "delta": delta, "low": delta - 0.01}
                | {"high": delta + 0.01, "p": p_holm / 4, "p_holm": p_holm, "test": "corrected_t", "draws": 0}
                | {"verdict": decided(delta, p_holm), "smallest_detectable": 0.015, "reason": ""}
            )

    @property
    def summary(self) -> pd.DataFrame:
        return as_table(pd.DataFrame(self.rows, columns=SCHEMAS["summary"].names), "summary").to_pandas()

    @property
    def comparisons(self) -> pd.DataFrame:
        return as_table(pd.DataFrame(self.pairs, columns=SCHEMAS["comparisons"].names), "comparisons").to_pandas()


def decided(delta: float, p_holm: float) -> str:
    """Verdict of a comparison that could not have been equivalent."""
    if p_holm < 0.05:
        return "better" if delta > 0 else "worse"
    return "undecided"


def variant(panel: tuple[str, str, str], selector: str, keep: float) -> dict:
    dataset, sampler, encoder = panel
    return {
        "dataset": dataset,
        "train_dataset": dataset,
        "sampler": sampler,
        "encoder": encoder,
        "selector": selector,
    } | {
        "keep": keep,
        "teacher": "",
        "student": "mlp",
    }


def add_sweep(tables: EvaluationTables, panel: tuple[str, str, str], best: float) -> None:
    """Add a sweep in which residual is close to random except at keep 0.1, and highest residual first is worst."""
    tables.add(panel, "all", 1.0, best)
    for keep in RATES:
        random = best - 0.05 * (1 - keep) ** 2
        tables.add(panel, "random", keep, random)
        tables.compare(panel, ("random", keep), ("all", 1.0), random - best, 0.001 if keep < 0.25 else 0.4)
        for position, name in enumerate(SELECTORS):
            delta = (0.02 if keep == 0.1 else 0.002) - 0.004 * position * (1 - keep)
            tables.add(panel, name, keep, random + delta)
            tables.compare(panel, (name, keep), ("random", keep), delta, 0.01 if position == 0 and keep == 0.1 else 0.6)
            tables.compare(panel, (name, keep), ("all", 1.0), random + delta - best, 0.001 if keep < 0.25 else 0.4)


def one_panel_tables() -> EvaluationTables:
    """One panel's full keep-rate sweep with the label-only control."""
    collected = EvaluationTables()
    add_sweep(collected, ("gallery360", "erp", "lite0_stages"), 0.87)
    collected.add(("gallery360", "", ""), "", 1.0, 0.92, student="label_only")
    return collected
