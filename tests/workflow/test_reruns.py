"""A finished study reruns what an edit touches, and nothing else."""

import re

import pyarrow.parquet as pq
import pytest

from iqadistill.tables import read_table

pytestmark = pytest.mark.xdist_group("finished")
ARGUMENTS = ["--cores", "2", "--configfile", "small.yaml"]


def planned(workflow):
    """Rules a dry run would run."""
    printed = workflow.run("-n", *ARGUMENTS).stdout
    return set(re.findall(r"^(\w+) +\d+$", printed, flags=re.MULTILINE)) - {"total", "all"}


@pytest.fixture
def edited(finished):
    """Replace text in a file of the copy for the length of a test."""
    before = {}

    def edit(name, old, new):
        path = finished.folder / name
        before.setdefault(path, path.read_text())
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    yield edit
    for path, text in before.items():
        path.write_text(text)


def test_study_ends_with_its_report_tables_and_figures(finished):
    study = finished.folder / "results/studies/small"
    assert (study / "report/index.html").stat().st_size > 10_000
    for name in ("rate_sweep", "overlap"):
        for suffix in ("svg", "png"):
            assert (study / f"figures/{name}.{suffix}").stat().st_size > 1000
        for suffix in ("csv", "parquet"):
            assert (study / f"tables/{name}.{suffix}").stat().st_size > 50
    metrics = read_table(study / "metrics.parquet", "metrics").to_pandas()
    assert set(metrics["selector"]) >= {"all", "random", "residual"} and set(metrics["split"]) == {0, 1, 2}


def test_all_splits_are_disjoint_between_roles(finished):
    splits = pq.read_table(finished.folder / "results/split_dataset/own.parquet").to_pandas()
    assert (splits.groupby(["split", "image_id"])["role"].nunique() == 1).all()


def test_second_run_does_nothing(finished):
    assert "Nothing to be done" in finished.run(*ARGUMENTS).stdout


def test_edited_comment_reruns_nothing(finished, edited):
    edited("iqadistill/tables.py", "import os\n", "# a remark\nimport os\n")
    assert planned(finished) == set()


def test_edited_function_reruns_its_stage_and_what_follows(finished, edited):
    edited("iqadistill/selection/base.py", "def keep_count(", "MARK = 1\n\n\ndef keep_count(")
    stages = planned(finished)
    assert {"select_patches", "train_student", "predict", "evaluate", "compare", "render_report"} <= stages
    assert not stages & {"index_dataset", "split_dataset", "sample_patches", "embed_patches"}


def test_changed_setting_reruns_its_stage_and_what_follows(finished, edited):
    edited("small.yaml", "n_components: 3", "n_components: 2")
    stages = planned(finished)
    assert "select_patches" in stages and "render_report" in stages and "embed_patches" not in stages
