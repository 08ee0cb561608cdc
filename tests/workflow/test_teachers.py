"""RKIQT in the workflow: teachers are trained once, students learn from them, and no tested image teaches."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image
from safetensors import safe_open
from shared_results import shared_result

pytestmark = pytest.mark.xdist_group("teachers")

SMALL = {"backbone": "test_resnet", "weights": "none", "size": 64, "epochs": 1}
MIXERS = {"cells": 2, "width": 4, "mixer_width": 8, "difference_depth": 1, "image_depth": 1}
TEACHERS = {
    "nar": {
        "model": "nar_teacher",
        **SMALL,
        **MIXERS,
        "pretrain_on": "other",
        "pristine": "fine",
        "pristine_patches": 6,
    },
    "nar_target": {"model": "nar_teacher", **SMALL, **MIXERS, "pretrain_on": "target", "pristine": "fine"},
    "cnn": {"model": "regressor", **SMALL},
    "inn": {"model": "regressor", **SMALL, "backbone": "rednet26"},
}
STUDENT = {"backbone": "test_vit", "weights": "none", "size": 64, "epochs": 1, "splits": 2, "decoder_heads": 2}
STUDENTS = {
    "rkiqt_inn": {**STUDENT, "nar": "nar", "conv": "cnn", "inv": "inn"},
    "rkiqt_student": STUDENT,
    "rkiqt_mcd": {**STUDENT, "nar": ["nar", "nar_target"], "generator": [[3], [3, 3]]},
}


@pytest.fixture
def arguments(workflow):
    """Two datasets, one to learn from and one to be tested on, and a folder of pristine images."""
    workflow.write_images()
    shutil.copytree(workflow.folder / "data", workflow.folder / "other")
    fine = workflow.folder / "fine"
    fine.mkdir()
    for place in range(3):
        pixels = np.random.default_rng(place).integers(0, 255, (80, 96, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(fine / f"{place}.png")
    study = workflow.study(
        datasets={
            "own": {"source": "images", "root": "data"},
            "other": {"source": "images", "root": "other"},
            "fine": {"source": "pristine_images", "root": "fine"},
        },
        samplers={"grid_crops": {"count": 2, "size": 64}},
        teachers=TEACHERS,
        students=STUDENTS,
        evaluation={"splits": 2, "bootstrap": 100},
        experiments=[
            {"figure": "students", "datasets": ["own"], "students": ["rkiqt_inn", "rkiqt_student"]},
            {"figure": "student_cost", "datasets": ["own"], "students": ["rkiqt_inn", "rkiqt_student"]},
        ],
    )
    return ["--cores", "2", "--configfile", study]


def test_teachers_are_shared_and_students_stand_alone(workflow, arguments):
    workflow.run_forked(*arguments)
    results = workflow.folder / "results"
    digest = re.compile(r"-[0-9a-f]{8}(?=/)")
    taught = {
        digest.sub("", file.relative_to(results / "pretrain_teacher").with_suffix("").as_posix())
        for file in results.glob("pretrain_teacher/**/*.safetensors")
    }
    assert taught == {"other/grid_crops/nar/all"} | {
        f"own/grid_crops/{name}/{split}" for name in ("cnn", "inn") for split in (0, 1)
    }
    metrics = pd.read_parquet(results / "studies/small/metrics.parquet")
    assert set(zip(metrics.student, metrics.teacher, strict=True)) >= {
        ("rkiqt_inn", "nar+cnn+inn"),
        ("rkiqt_student", ""),
    }
    places = [
        results / f"train_student/small/own/grid_crops/tiny/all/1.0/{name}/0" for name in ("rkiqt_inn", "rkiqt_student")
    ]
    with (
        safe_open(places[0].with_suffix(".safetensors"), "pt") as full,
        safe_open(places[1].with_suffix(".safetensors"), "pt") as alone,
    ):
        assert set(full.keys()) == set(alone.keys())
    facts = [json.loads(place.with_suffix(".json").read_text()) for place in places]
    assert facts[0]["cost"] == facts[1]["cost"] and facts[0]["size"] == facts[1]["size"] == 64
    history = pd.read_parquet(places[0].with_suffix(".history.parquet"))
    assert set(dict(history.parts[0])) == {"quality", "mcd", "conv", "inv"}
    costs = pd.read_parquet(results / "studies/small/tables/student_cost.parquet").set_index("student")
    assert costs.teacher_minutes["rkiqt_inn"] > 0 == costs.teacher_minutes["rkiqt_student"]
    assert costs.gigabytes.gt(0.1).all()
    teacher = json.loads(
        shared_result(workflow.folder, "pretrain_teacher", "own", "grid_crops", "cnn", suffix="/0.json").read_text()
    )
    assert teacher["cost"]["parameters"] > 0 < teacher["cost"]["flops"] and teacher["variant"]["split"] == "0"
    assert not workflow.dry_run(*arguments).jobs


def test_teacher_of_the_target_learns_from_the_same_split(workflow, arguments):
    study = Path(workflow.folder / "small.yaml")
    settings = yaml.safe_load(study.read_text())
    settings["experiments"] = [{"figure": "students", "datasets": ["own"], "students": ["rkiqt_mcd"]}]
    settings["teachers"]["nar"]["pretrain_on"] = "own"  # the images that its students are tested on
    study.write_text(yaml.safe_dump(settings))
    planned = "\n".join(workflow.dry_run(*arguments).outputs)
    assert re.search(r"pretrain_teacher/own-\w{8}/grid_crops-\w{8}/nar-\w{8}/0\.safetensors", planned)
    assert "/all.safetensors" not in planned
    assert "rkiqt_mcd.generator-3-3.nar-nar_target" in planned
