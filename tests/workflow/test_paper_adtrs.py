"""paper_adtrs from miniatures of the official archives on a web server to its report."""

import pandas as pd
import pytest
import yaml
from miniatures import expect_miniatures, serve

pytestmark = pytest.mark.xdist_group("paper_adtrs")

DATASETS = ("live", "csiq", "tid2013", "livec", "koniq10k")


@pytest.fixture
def arguments(workflow, mirror, tmp_path_factory):
    """The study as it is shipped but for the size of everything."""
    study = yaml.safe_load((workflow.folder / "studies/paper_adtrs.yaml").read_text())
    assert tuple(study["datasets"]) == DATASETS
    expect_miniatures(workflow.folder / "iqadistill/datasets/registry.yaml", DATASETS)
    folder = tmp_path_factory.mktemp("official")
    shipped = {experiment["name"]: experiment for experiment in study["experiments"]}
    network = {"backbone": "test_resnet", "weights": "none", "size": 64, "epochs": 1, "splits": 1}
    ablated = {**network, "consistency_weight": 0}
    study |= {
        "device": "cpu",
        "datasets": {name: {"url": serve(mirror, name, folder)} for name in DATASETS},
        "samplers": {name: {**study["samplers"][name], "count": 3, "size": 48} for name in study["samplers"]},
        "encoders": {"resnet50": {"model": "test_resnet", "weights": "none", "size": 48}},
        "selectors": {"residual": {"n_components": 2}, "random": {}},
        "keep": [0.4, 1.0],
        "students": {
            "mlp": {"hidden": [8], "dropout": [0.0], "epochs": 2},
            "adtrs": {**network, "crops": "fresh"},
            "adtrs_koniq10k": {**network, "crops": "fresh", "score_span": 100},
            "adtrs_fixed": network,
            "adtrs_ranking": ablated,
        },
        "evaluation": {"splits": 2, "bootstrap": 100},
        "experiments": [
            shipped["five_datasets"],
            shipped["koniq10k"],
            {**shipped["components"], "datasets": ["livec"], "students": ["adtrs", "adtrs_ranking"]},
            {**shipped["backbone_cost"], "datasets": ["livec"], "students": ["adtrs", "adtrs_ranking"]},
            {**shipped["distilled"], "selectors": ["residual"]},
        ],
    }
    study["samplers"]["random_crops_512"]["longer_side"] = 80
    (workflow.folder / "adtrs.yaml").write_text(yaml.safe_dump(study))
    return ["--cores", "2", "--configfile", "adtrs.yaml"]


def test_paper_runs_from_the_download_to_the_report(workflow, arguments):
    workflow.run_forked(*arguments)
    results = workflow.folder / "results/studies/paper_adtrs"
    metrics = pd.read_parquet(results / "metrics.parquet")
    deep = metrics[metrics.student.isin(["adtrs", "adtrs_koniq10k", "adtrs_fixed"])]
    assert set(deep.dataset) == set(DATASETS) and deep.srcc.notna().all()
    assert set(deep[deep.dataset == "livec"].selector) == {"all", "random", "residual"}
    figures = {file.stem for file in (results / "figures").glob("*.svg")}
    assert figures == {"five_datasets", "koniq10k", "components", "backbone_cost", "distilled"}
    page = (results / "report/index.html").read_text()
    assert "TReS" in page and "illustration" in page
    assert "Nothing to be done" in workflow.run("-n", *arguments).stdout
