"""paper_rkiqt from miniatures of the official archives on a web server to its report."""

import pandas as pd
import pytest
from overlay import write_miniature
from shared_results import shared_results

pytestmark = [pytest.mark.whole, pytest.mark.xdist_group("paper_rkiqt")]

DATASETS = {"live", "csiq", "tid2013", "kadid10k", "livec", "koniq10k", "livefb", "spaq"}


def test_paper_runs_from_the_download_to_the_report(workflow, mirror, tmp_path_factory):
    arguments, study = write_miniature(workflow, mirror, tmp_path_factory.mktemp("official"), "paper_rkiqt")
    workflow.run_forked(*arguments)
    results = workflow.folder / "results/studies/paper_rkiqt"
    metrics = pd.read_parquet(results / "metrics.parquet")
    alone = metrics[metrics.student == "rkiqt_student"]
    assert set(alone.dataset) >= DATASETS and alone.srcc.notna().all()
    elsewhere = alone[(alone.train_dataset == "livefb") & (alone.dataset == "livec")]
    assert set(elsewhere.n) == {22}  # every image
    taught = shared_results(workflow.folder, "pretrain_teacher", "*", "*", "nar", suffix="/*.safetensors")
    assert {file.parts[-4].rpartition("-")[0] for file in taught} == {"kadid10k"}
    splits = {file.stem for file in taught}
    assert splits == {"0", "all"}  # for KADID-10k itself, and for the others
    assert {file.stem for file in (results / "figures").glob("*.svg")} == set(study.experiments)
    page = (results / "report/index.html").read_text()
    assert "arXiv 2312.00591" in page and "Cross-dataset evaluation" in page
    assert "Nothing to be done" in workflow.run("-n", *arguments).stdout
