"""A small version of benchmarks/calibrate_statistics.py: it asks the package what the package decides with."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

FILE = Path(__file__).parents[3] / "benchmarks/calibrate_statistics.py"


@pytest.fixture
def calibration(monkeypatch):
    specification = importlib.util.spec_from_file_location("calibrate_statistics", FILE)
    module = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(sys.modules, "calibrate_statistics", module)
    specification.loader.exec_module(module)
    monkeypatch.setattr(module, "DRAWS", 9)
    monkeypatch.setattr(module, "SPLITS", 5)
    return module


def test_every_test_and_interval_is_simulated(calibration):
    rows = pd.DataFrame([row for seed in range(3) for row in calibration.simulate(15, 2, seed)])
    table = pd.DataFrame(calibration._rates((15, 2), rows)).set_index("what")
    deciding, exploratory = ["encoders", "students"], ["encoders, corrected t", "students, corrected t"]
    assert list(table.index) == ["selector", "selector, better", "one ranking", *deciding, *exploratory, "level"]
    assert (table.studies == 3).all() and table.coverage.between(0, 1).all()
    decided = table.drop("level")
    assert decided.rejected.between(0, 1).all() and (decided["smallest detectable"] > 0).all()
    assert np.isfinite(rows.drop(columns=["rejected", "smallest_detectable"]).select_dtypes("number")).all(axis=None)
