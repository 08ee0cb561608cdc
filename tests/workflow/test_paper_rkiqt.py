"""paper_rkiqt from miniatures of the official archives on a web server to its report."""

import pandas as pd
import pytest
import yaml
from miniatures import expect_miniatures, serve
from shared_results import shared_results

pytestmark = pytest.mark.xdist_group("paper_rkiqt")

DATASETS = ("live", "csiq", "tid2013", "kadid10k", "livec", "koniq10k", "livefb", "spaq", "div2k")
SMALL = {"weights": "none", "size": 64, "epochs": 1}
MIXERS = {"cells": 2, "width": 4, "mixer_width": 8, "difference_depth": 1, "image_depth": 1, "pristine_patches": 4}


@pytest.fixture
def arguments(workflow, mirror, tmp_path_factory):
    """The study as it is shipped but for the size of everything."""
    study = yaml.safe_load((workflow.folder / "studies/paper_rkiqt.yaml").read_text())
    assert tuple(study["datasets"]) == DATASETS
    expect_miniatures(workflow.folder / "iqadistill/datasets/registry.yaml", DATASETS)
    folder = tmp_path_factory.mktemp("official")
    shipped = {experiment["name"]: experiment for experiment in study["experiments"]}
    student = {**SMALL, "backbone": "test_vit", "decoder_heads": 2, "splits": 1}
    study |= {
        "device": "cpu",
        "datasets": {name: {"url": serve(mirror, name, folder)} for name in DATASETS},
        "samplers": {"random_crops": {"count": 2, "size": 48}},
        "encoders": {"resnet50": {"model": "test_resnet", "weights": "none", "size": 48}},
        "selectors": {},
        "teachers": {
            "nar": {**study["teachers"]["nar"], **SMALL, **MIXERS, "backbone": "test_resnet", "precision": "no"},
            "cnn": {**SMALL, "model": "regressor", "backbone": "test_resnet"},
        },
        "students": {
            "rkiqt": {**student, "nar": "nar", "conv": "cnn"},
            "rkiqt_student": student,
            "rkiqt_plain": {**student, "head": "linear"},
        },
        "evaluation": {"splits": 2, "bootstrap": 100},
        "experiments": [
            {**shipped["eight_datasets"], "students": ["rkiqt_student"]},
            {**shipped["components"], "datasets": ["kadid10k"], "students": ["rkiqt_student", "rkiqt_plain", "rkiqt"]},
            {**shipped["cost"], "datasets": ["kadid10k"], "students": ["rkiqt", "rkiqt_student"]},
            {
                **shipped["elsewhere"],
                "datasets": ["livec"],
                "tested_on": ["csiq"],
                "students": ["rkiqt", "rkiqt_student"],
            },
        ],
    }
    (workflow.folder / "rkiqt.yaml").write_text(yaml.safe_dump(study))
    return ["--cores", "2", "--configfile", "rkiqt.yaml"]


def test_paper_runs_from_the_download_to_the_report(workflow, arguments):
    workflow.run_forked(*arguments)
    results = workflow.folder / "results/studies/paper_rkiqt"
    metrics = pd.read_parquet(results / "metrics.parquet")
    alone = metrics[metrics.student == "rkiqt_student"]
    assert set(alone.dataset) == set(DATASETS) - {"div2k"} and alone.srcc.notna().all()
    elsewhere = alone[alone.dataset != alone.train_dataset]
    assert set(zip(elsewhere.train_dataset, elsewhere.dataset, strict=True)) == {("livec", "csiq")}
    assert elsewhere.n.tolist() == [60]  # every distorted image
    taught = shared_results(workflow.folder, "pretrain_teacher", "*", "*", "nar", suffix="/*.safetensors")
    assert {file.parts[-4].rpartition("-")[0] for file in taught} == {"kadid10k"}
    splits = {file.stem for file in taught}
    assert splits == {"0", "all"}  # for KADID-10k itself, and for the others
    figures = {file.stem for file in (results / "figures").glob("*.svg")}
    assert figures == {"eight_datasets", "components", "cost", "elsewhere"}
    page = (results / "report/index.html").read_text()
    assert "arXiv 2312.00591" in page and "Cross-dataset evaluation" in page
    assert "Nothing to be done" in workflow.run("-n", *arguments).stdout
