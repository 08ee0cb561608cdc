"""A finished study reruns what an edit touches, and nothing else."""

import os
import re

import pyarrow.parquet as pq
import pytest
from shared_results import shared_result

from iqadistill.tables import read_table

pytestmark = pytest.mark.xdist_group("finished")
ARGUMENTS = ["--cores", "2", "--configfile", "small.yaml"]


def planned_after_code_edit(workflow):
    """Rules that would run, by a process of its own: the test process has imported the package before the edit."""
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
        path.write_text(path.read_text().replace(old, new, 1))

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
    splits = pq.read_table(shared_result(finished.folder, "split_dataset", "own", "splits")).to_pandas()
    assert (splits.groupby(["split", "image_id"])["role"].nunique() == 1).all()


def test_second_run_does_nothing(finished):
    assert not finished.dry_run(*ARGUMENTS).jobs
    assert "Nothing to be done" in finished.run(*ARGUMENTS).stdout


def test_edited_comment_reruns_nothing(finished, edited):
    edited("iqadistill/tables.py", "import json\n", "# a remark\nimport json\n")
    assert planned_after_code_edit(finished) == set()


def test_edited_function_reruns_its_stage_and_what_follows(finished, edited):
    edited("iqadistill/selection/base.py", "def keep_count(", "MARK = 1\n\n\ndef keep_count(")
    stages = planned_after_code_edit(finished)
    assert {"select_patches", "train_mlps", "predict_mlps", "evaluate", "compare", "render_report"} <= stages
    assert not stages & {"index_dataset", "split_dataset", "sample_patches", "embed_patches"}


def test_changed_setting_reruns_its_stage_and_what_follows(finished, edited):
    edited("small.yaml", "n_components: 3", "n_components: 2")
    stages = finished.dry_run(*ARGUMENTS).rules
    assert "select_patches" in stages and "render_report" in stages and "embed_patches" not in stages


def test_edit_elsewhere_reruns_nothing_of_a_stage(finished, edited):
    edited("iqadistill/datasets/retrieval/unpackers.py", "\nfrom ", "\nMARK = 1\nfrom ")
    edited("iqadistill/models/rkiqt/nar_teacher.py", "\nfrom ", "\nMARK = 1\nfrom ")
    edited("iqadistill/figures/sensitivity.py", "\nfrom ", "\nMARK = 1\nfrom ")
    assert planned_after_code_edit(finished) == set()


def test_edited_figure_redraws_that_figure_alone(finished, edited):
    edited("iqadistill/figures/overlap.py", "\nfrom ", "\nMARK = 1\nfrom ")
    assert planned_after_code_edit(finished) == {"plot_selection", "render_report"}


def test_added_selector_reruns_no_other_selection_and_no_embedding(finished, edited):
    edited("small.yaml", "selectors:\n", "selectors:\n  kcenter: {}\n")
    planned = finished.dry_run(*ARGUMENTS)
    assert planned.counts["select_patches"] == 1 and planned.counts["embed_patches"] == 0


def test_other_study_with_the_same_names_leaves_the_first_as_it_is(finished):
    other = finished.study("other", seed=5, samplers={"grid_crops": {"count": 4, "size": 32}})
    finished.run_forked("--cores", "2", "--configfile", other)
    assert not finished.dry_run(*ARGUMENTS).jobs


def test_images_csv_that_is_saved_anew_reruns_nothing(finished):
    labels = finished.folder / "data/images.csv"
    times = labels.stat()
    labels.touch()
    try:
        assert finished.dry_run(*ARGUMENTS).rules == set()
    finally:
        os.utime(labels, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_replaced_image_reruns_the_index_and_what_follows(finished):
    image = finished.folder / "data/03.png"
    before, times = image.read_bytes(), image.stat()
    image.write_bytes((finished.folder / "data/04.png").read_bytes())
    try:
        assert {"index_dataset", "embed_patches", "render_report"} <= finished.dry_run(*ARGUMENTS).rules
    finally:
        image.write_bytes(before)
        os.utime(image, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert finished.dry_run(*ARGUMENTS).rules == set()
