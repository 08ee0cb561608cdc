"""paper_selection360 from miniatures of the official archives on a web server to its report."""

import pandas as pd
import pytest
from overlay import write_miniature
from shared_results import shared_result

pytestmark = pytest.mark.xdist_group("paper_selection360")

DATASETS = {"cviq", "oiqa", "mvaqd"}


def test_paper_runs_from_the_download_to_the_report(workflow, mirror, tmp_path_factory):
    arguments, study = write_miniature(workflow, mirror, tmp_path_factory.mktemp("official"), "paper_selection360")
    workflow.run_forked(*arguments)
    counts = {name: len(pd.read_parquet(shared_result(workflow.folder, "index_dataset", name))) for name in DATASETS}
    assert counts == {"cviq": 204, "oiqa": 126, "mvaqd": 47}
    results = workflow.folder / "results/studies/paper_selection360"
    metrics = pd.read_parquet(results / "metrics.parquet")
    assert set(metrics.dataset) >= DATASETS and metrics.srcc.notna().all()
    assert {file.stem for file in (results / "figures").glob("*.svg")} == set(study.experiments)
    assert (results / "report/index.html").stat().st_size > 10_000
    assert sorted(name for name, _ in mirror.asked) == ["cviq.zip", "mvaqd.zip", "oiqa.zip"]
    assert "Nothing to be done" in workflow.run("-n", *arguments).stdout
