"""Students without patches: published methods on whole images, and predictions of other tools."""

import copy

import pytest

from iqadistill.config import Plan, check_study
from iqadistill.errors import InputError

SHOWN = ["mlp", "brisque", "niqe", "tool"]


@pytest.fixture
def raw():
    """Contents of a study file."""
    return {
        "name": "rivals",
        "datasets": {"gallery2d": {}, "gallery360": {}, "own": {"source": "images"}, "div2k": {}},
        "samplers": {"random_crops": {"count": 8, "size": 32}, "lat": {"count": 8, "size": 32, "fov": 45}},
        "encoders": {"tiny": {"model": "test_resnet", "weights": "none"}},
        "selectors": {"residual": {"n_components": 4}},
        "keep": [0.5, 1.0],
        "students": {
            "mlp": {},
            "brisque": {},
            "niqe": {"pristine": "div2k"},
            "tool": {"model": "external", "files": {"gallery2d": "tool/gallery2d.csv", "own": "tool/own.csv"}},
        },
        "experiments": [{"figure": "students", "datasets": ["gallery2d", "own"], "students": SHOWN}],
    }


def planned(raw):
    return Plan(check_study(copy.deepcopy(raw)))


def refused(raw, match):
    with pytest.raises(InputError, match=match):
        planned(raw)


def test_students_without_patches_are_one_job_a_dataset(raw):
    jobs = [job for job in planned(raw).jobs.values() if job.rule in ("predict_images", "read_predictions")]
    assert [job.output.removeprefix("results/") for job in jobs] == [
        "predict_images/rivals/gallery2d/brisque.parquet",
        "predict_images/rivals/gallery2d/niqe.parquet",
        "read_predictions/rivals/gallery2d/tool.parquet",
        "predict_images/rivals/own/brisque.parquet",
        "predict_images/rivals/own/niqe.parquet",
        "read_predictions/rivals/own/tool.parquet",
    ]
    assert [job.inputs.get("file") for job in jobs[2::3]] == ["tool/gallery2d.csv", "tool/own.csv"]
    assert "files" not in jobs[2].params["student"]


def test_predictions_of_every_student_are_evaluated(raw):
    plan = planned(raw)
    evaluated = next(job for job in plan.jobs.values() if job.rule == "evaluate").inputs["predictions"]
    assert set(plan.outputs("predict_mlps", "predict_images", "read_predictions")) == set(evaluated)


def test_pristine_images_are_indexed_but_not_split(raw):
    plan = planned(raw)
    niqe, brisque = (plan.jobs[f"results/predict_images/rivals/own/{name}.parquet"] for name in ("niqe", "brisque"))
    assert niqe.inputs["pristine"] == [plan.images_file("div2k")] and brisque.inputs["pristine"] == []
    assert plan.images_file("div2k") in plan.outputs("index_dataset")
    assert not any("div2k" in file for file in plan.outputs("split_dataset", "sample_patches"))


def test_changed_predictions_are_read_again(raw, tmp_path):
    def params():
        plan = Plan(check_study(copy.deepcopy(raw)), tmp_path)
        return dict(plan.jobs["results/read_predictions/rivals/own/tool.parquet"].params)

    absent = params()
    (tmp_path / "tool").mkdir()
    (tmp_path / "tool/own.csv").write_text("image,prediction\n")
    assert params() != absent


def test_only_experiments_that_name_them_show_them(raw):
    raw["experiments"].append({"figure": "rate_sweep"})
    assert {job.dataset for job in planned(raw).image_jobs} == {"gallery2d", "own"}


@pytest.mark.parametrize("figure", ["rate_sweep", "pooling", "curves"])
def test_figures_of_patches_do_not_show_them(raw, figure):
    raw["experiments"].append({"figure": figure, "datasets": ["own"], "students": ["brisque"]})
    refused(raw, r"experiments\[1\].*students: 'brisque'.* name it in an experiment with figure students")


def test_costs_are_shown_of_methods_that_run_here(raw):
    cost = {"figure": "student_cost", "datasets": ["own"], "students": ["mlp", "brisque", "niqe"]}
    raw["experiments"].append(cost)
    assert planned(raw)
    raw["experiments"][1] = {**cost, "students": ["mlp", "tool"]}
    refused(raw, r"experiments\[1\].*students: what 'tool' costs is not known")


def test_panoramas_are_refused(raw):
    raw["experiments"][0] |= {"datasets": ["gallery360"], "students": ["mlp", "brisque"]}
    refused(raw, "students.brisque: BRISQUE scores flat images, and 'gallery360' holds panoramas")


def test_missing_file_of_a_dataset_is_named(raw):
    del raw["students"]["tool"]["files"]["own"]
    refused(raw, r"students\.tool\.files: no predictions for 'own', which experiments\[0\]")


@pytest.mark.parametrize(
    ("pristine", "match"),
    [
        ("div2", r"students\.niqe\.pristine: 'div2' is not defined under datasets; .*'div2k'"),
        ("gallery360", r"students\.niqe\.pristine: 'gallery360' has no pristine photographs"),
        ("own", r"students\.niqe\.pristine: 'own' holds the images of 'own'"),
    ],
)
def test_unsuitable_pristine_images_are_refused(raw, pristine, match):
    raw["students"]["niqe"]["pristine"] = pristine
    refused(raw, match)
