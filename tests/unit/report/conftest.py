"""Small evaluation tables, shared with the tests of figures."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "figures"))

import pytest
from evaluation_tables import one_panel_tables


@pytest.fixture
def tables():
    """One panel's full keep-rate sweep with the label-only control."""
    return one_panel_tables()


@pytest.fixture
def panel() -> tuple[str, str, str]:
    return ("gallery360", "erp", "lite0_stages")
