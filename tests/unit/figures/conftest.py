import numpy as np
import pandas as pd
import pytest
from evaluation_tables import EvaluationTables, one_panel_tables


@pytest.fixture
def tables() -> EvaluationTables:
    """One panel's full keep-rate sweep with the label-only control."""
    return one_panel_tables()


@pytest.fixture
def panel() -> tuple[str, str, str]:
    return ("gallery360", "erp", "lite0_stages")


@pytest.fixture
def selection_frame():
    """A function that builds table "selection" from the order of the patches of each image."""

    def build(orders: dict[str, np.ndarray]) -> pd.DataFrame:
        frames, first = [], 0
        for image_id, order in orders.items():
            n = len(order)
            rank = np.empty(n, dtype=int)
            rank[order] = np.arange(n)
            frames.append(
                pd.DataFrame(
                    {"patch_id": first + np.arange(n), "image_id": image_id, "residual": rank / n, "rank": rank}
                )
            )
            first += n
        return pd.concat(frames, ignore_index=True)

    return build
