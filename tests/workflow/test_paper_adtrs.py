"""paper_adtrs from miniatures of the official archives on a web server to its report."""

import pandas as pd
import pytest
from overlay import write_miniature

pytestmark = [pytest.mark.whole, pytest.mark.xdist_group("paper_adtrs")]

DATASETS = {"live", "csiq", "tid2013", "livec", "koniq10k"}


def test_paper_runs_from_the_download_to_the_report(workflow, mirror, tmp_path_factory):
    arguments, study = write_miniature(workflow, mirror, tmp_path_factory.mktemp("official"), "paper_adtrs")
    workflow.run_forked(*arguments)
    results = workflow.folder / "results/studies/paper_adtrs"
    metrics = pd.read_parquet(results / "metrics.parquet")
    deep = metrics[metrics.student == "adtrs"]
    assert set(deep.dataset) >= DATASETS and deep.srcc.notna().all()
    assert {"all", "random", "residual", "kcenter"} <= set(deep[deep.dataset == "livec"].selector)
    assert {file.stem for file in (results / "figures").glob("*.svg")} == set(study.experiments)
    page = (results / "report/index.html").read_text()
    assert "TReS" in page and "illustration" in page
    assert "Nothing to be done" in workflow.run("-n", *arguments).stdout
