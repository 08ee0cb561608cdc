"""What the workflow trained scores images by itself."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from iqadistill.cli import main

pytestmark = pytest.mark.xdist_group("finished")


def test_scores_are_the_workflows_own_predictions(finished, capsys, monkeypatch):
    """A grid of crops leaves nothing to chance, so the same images get the same scores."""
    monkeypatch.chdir(finished.folder)
    model = "results/train_mlps/small/own/grid_crops/tiny/mlp.safetensors"
    assert main(["score", "data", "--model", model, "--selector", "residual", "--keep", "0.5", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    predictions = pd.read_parquet("results/predict_mlps/small/own/grid_crops/tiny/mlp.parquet")
    chosen = predictions[(predictions.selector == "residual") & (predictions.keep == 0.5)]
    expected = chosen.groupby("image_id").prediction.agg(["mean", "std"])
    rows = pd.DataFrame(found["scores"]).set_index("path").rename(index=lambda path: Path(path).stem)
    np.testing.assert_allclose(rows.quality, expected["mean"][rows.index], atol=1e-5)
    np.testing.assert_allclose(rows.spread, expected["std"][rows.index], atol=1e-5)
    assert len(rows) == 15 and not found["result"]["simulated"]
    scale = found["result"]["scale"]
    assert (scale["column"], scale["worst"], scale["best"]) == ("mos", 20.0, 90.0)
