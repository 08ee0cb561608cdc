"""The examples of CONTRIBUTING.md work as written: a study that uses all of them runs to its report."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("contributing")]

REPOSITORY = Path(__file__).parents[2]
# A path in backquotes on the line before a block, and the block.
EXAMPLE = re.compile(r"`([\w/]+\.(?:py|yaml))`[^`]*:?\n\n```(?:python|yaml)\n(.*?)```", re.DOTALL)


@pytest.fixture
def extended(workflow):
    """A copy of the workflow with the files of every example, and images with ratings."""
    for name, text in EXAMPLE.findall((REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")):
        file = workflow.folder / name
        assert not file.exists(), name
        file.write_text(text, encoding="utf-8")
    for folder in ("images", "references"):
        (workflow.folder / "data/lab" / folder).mkdir(parents=True)
    rows, generator = [], np.random.default_rng(0)
    for reference in range(5):
        scene = np.asarray(Image.fromarray(generator.integers(0, 255, (5, 6, 3), dtype=np.uint8)).resize((96, 80)))
        Image.fromarray(scene).save(workflow.folder / f"data/lab/references/{reference}.png")
        for level in range(3):
            noisy = scene + generator.normal(0, 20 * level, scene.shape)
            Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(
                workflow.folder / f"data/lab/images/{reference}_{level}.png"
            )
            rows.append(f"{reference}_{level}.png {reference}.png {90 - 30 * level + reference}")
    (workflow.folder / "data/lab/ratings.txt").write_text("\n".join(rows) + "\n")
    return workflow


def test_every_axis_has_an_example():
    names = [name for name, _ in EXAMPLE.findall((REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8"))]
    assert [name.split("/")[1] for name in names if "/" in name] == [
        "datasets",
        "sampling",
        "selection",
        "choosing",
        *["models"] * 5,
        "figures",
    ]
    assert "datasets.yaml" in names


def test_teacher_of_the_example_is_registered_validated_and_in_the_schema(extended):
    def in_the_copy(*arguments):
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=extended.folder,
            env={**os.environ, "PYTHONPATH": str(extended.folder)},
            capture_output=True,
            text=True,
            check=False,
        )

    schema = json.loads(in_the_copy("-m", "iqadistill.config", "schema").stdout)
    assert "#/$defs/WideCnnSettings" in str(schema["properties"]["teachers"])
    assert schema["$defs"]["WideCnnSettings"]["properties"]["width"]["default"] == 64
    program = "from iqadistill.models.registry import TEACHERS; TEACHERS.create({'model': 'wide_cnn', 'widths': 8})"
    assert "teacher wide_cnn.widths: unknown key; did you mean 'width'?" in in_the_copy("-c", program).stderr


def test_study_of_the_examples_runs_to_its_report(extended):
    study = extended.study(
        "extended",
        datasets={"lab": {}},
        samplers={"centre_crop": {"size": 48}, "grid_crops": {"count": 4, "size": 48}},
        selectors={"norm": {}},
        teachers={"wide_cnn": {"width": 8, "epochs": 1}},
        students={
            "mlp": {"hidden": [8], "dropout": [0.0], "epochs": 2},
            "small_cnn": {"width": 4, "epochs": 1, "splits": 1},
            "guided_cnn": {"width": 4, "epochs": 1, "splits": 1, "guide": "wide_cnn"},
        },
        evaluation={"splits": 2, "bootstrap": 100},
        experiments=[
            {"figure": "levels", "samplers": ["centre_crop"], "students": ["small_cnn", "guided_cnn"]},
            {"figure": "rate_sweep", "samplers": ["grid_crops"]},
            {"figure": "label_efficiency", "samplers": ["grid_crops"], "budgets": [4], "choosers": ["densest"]},
        ],
    )
    extended.run_forked("--cores", "2", "--configfile", study)
    results = extended.folder / "results/studies/extended"
    metrics = pd.read_parquet(results / "metrics.parquet")
    assert {"centre_crop", "grid_crops"} <= set(metrics.sampler) and {"mlp", "small_cnn", "guided_cnn"} <= set(
        metrics.student
    )
    assert "norm" in set(metrics.selector) and set(metrics.dataset) == {"lab"}
    assert set(pd.read_parquet(results / "tables/levels.parquet").student) == {"small_cnn", "guided_cnn"}
    assert set(metrics.teacher[metrics.student == "guided_cnn"]) == {"wide_cnn"}
    (history,) = extended.folder.glob("results/train_student/**/guided_cnn/0.history.parquet")
    assert set(dict(pd.read_parquet(history).parts[0])) == {"quality", "guide"}
    choices = pd.read_parquet(results / "tables/label_efficiency.parquet")
    assert set(choices.chooser) == {"all", "random", "densest"}
    assert (results / "report/index.html").is_file()
