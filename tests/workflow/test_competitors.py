"""Published methods and predictions of other tools beside a student, from their files to figure and report."""

import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from skimage import data

from iqadistill.tables import read_table
from iqadistill.training.competitors.may_have_seen import read_may_have_seen

pytestmark = pytest.mark.xdist_group("competitors")

STUDENTS = ["mlp", "brisque", "niqe", "tool", "trained_tool"]


@pytest.fixture
def study(workflow):
    """A study of five students, with images, pristine photographs and the predictions of two tools."""
    workflow.write_images()
    shutil.copy(workflow.folder / "data/01.png", workflow.folder / "data/00.png")  # without noise it has no texture
    (workflow.folder / "pristine").mkdir()
    for name in ("chelsea", "coffee", "rocket"):
        Image.fromarray(getattr(data, name)()[:256, :256]).save(workflow.folder / f"pristine/{name}.png")
    labels = pd.read_csv(workflow.folder / "data/images.csv")
    noise = np.random.default_rng(1).normal(0, 5, len(labels))
    predicted = labels[["image"]].assign(prediction=labels.mos + noise)
    predicted.to_csv(workflow.folder / "tool.csv", index=False)
    pd.concat([predicted.assign(split=split) for split in range(3)]).to_csv(
        workflow.folder / "trained_tool.csv", index=False
    )
    return workflow.study(
        datasets={
            "own": {"source": "images", "root": "data"},
            "pristine": {"source": "pristine_images", "root": "pristine"},
        },
        students={
            "mlp": {"hidden": [8], "dropout": [0.0], "epochs": 3},
            "brisque": {},
            "niqe": {"pristine": "pristine", "patch": 32, "sharp": 0.25},
            "tool": {"model": "external", "files": {"own": "tool.csv"}},
            "trained_tool": {"model": "external", "files": {"own": "trained_tool.csv"}},
        },
        experiments=[
            {"figure": "students", "students": STUDENTS},
            {"figure": "student_cost", "students": ["mlp", "brisque", "niqe"]},
            {"figure": "distortions", "students": ["mlp", "brisque"]},
        ],
    )


def test_competitors_are_planned_beside_students(workflow, study):
    planned = workflow.dry_run("--cores", "2", "--configfile", study)
    assert planned.counts["predict_images"] == planned.counts["read_predictions"] == 2
    assert planned.counts["index_dataset"] == 2 and planned.counts["split_dataset"] == 1
    assert {job.resources.get("gpu") for job in planned.jobs if job.rule == "predict_images"} == {None}
    (evaluated,) = (job for job in planned.jobs if job.rule == "evaluate")
    assert len([file for file in evaluated.input if "predict" in file]) == 5


@pytest.mark.slow
def test_competitors_are_measured_compared_and_shown(workflow, study):
    workflow.run_forked("--cores", "2", "--configfile", study)
    results = workflow.folder / "results/studies/small"
    metrics = read_table(results / "metrics.parquet", "metrics")
    assert read_may_have_seen(metrics) == {("own", "tool")}
    assert metrics.to_pandas().groupby("student").split.nunique().to_dict() == dict.fromkeys(STUDENTS, 3)
    assert metrics.to_pandas().drop(columns="split").notna().all(axis=None)
    compared = pd.read_parquet(results / "comparisons.parquet")
    tested = {*compared.student, *compared.other_student}
    assert tested == set(STUDENTS) - {"tool"}
    table = pd.read_parquet(results / "tables/students.parquet")
    assert set(table.student) == set(STUDENTS) and set(table.sampler) == {"grid_crops"}
    assert set(table.student[table.delta_first.notna()]) == {"brisque", "niqe", "trained_tool"}
    costs = pd.read_parquet(results / "tables/student_cost.parquet").set_index("student")
    assert (costs.milliseconds > 0).all() and costs.patches.to_dict() == {"mlp": 6, "brisque": 0, "niqe": 0}
    types = pd.read_parquet(results / "tables/distortions.parquet")
    assert types.distortion.value_counts().to_dict() == {"all test images": 2}  # the labels name none
    page = (results / "report/index.html").read_text()
    assert "tool is one model for all splits, which may have seen the test images" in page
    assert "tool (may have seen these images)" in page
