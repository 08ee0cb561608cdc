"""Figures of a study: what each plans, and refuses since it cannot show it."""

import json

import pytest
from small_study import refused, small_study

from iqadistill.config import check_study
from iqadistill.config.jobs.plan import Plan


@pytest.fixture
def raw():
    return small_study()


@pytest.mark.parametrize("figure", ["controls", "dimension", "overlap", "kept_patches"])
def test_figure_of_one_keep_rate_refuses_several(raw, figure):
    raw["keep"] = [0.2, 0.5, 1.0]
    experiment = {"figure": figure, "datasets": ["gallery2d"], "selectors": ["residual"]}
    raw["experiments"].append({**experiment, "keep": [0.2, 0.5]})
    refused(raw, "experiments[1]", "keep", "[0.2, 0.5]")
    raw["experiments"][1] = experiment
    refused(raw, "experiments[1]", "keep", "[0.2, 0.5]")
    raw["experiments"][1] = {**experiment, "keep": [0.2]}
    assert check_study(raw)


@pytest.mark.parametrize("key", ["selectors", "keep"])
def test_figure_of_all_patches_refuses_selectors_and_keep_rates(raw, key):
    values = {"selectors": ["residual"], "keep": [0.5]}
    raw["experiments"].append({"figure": "pooling", "datasets": ["gallery2d"], key: values[key]})
    refused(raw, f"experiments[1] (pooling).{key}")


def test_figure_of_at_most_one_keep_rate_takes_none_or_one(raw):
    experiment = {"figure": "distortions", "datasets": ["gallery2d"]}
    raw["experiments"].append(experiment)
    assert check_study(raw)
    raw["experiments"][1] = {**experiment, "selectors": ["residual"]}
    refused(raw, "experiments[1] (distortions).keep: missing")
    raw["experiments"][1] |= {"keep": [0.2, 0.5]}
    refused(raw, "experiments[1] (distortions).keep", "[0.2, 0.5]")
    raw["experiments"][1] |= {"keep": [0.5]}
    assert check_study(raw)


def test_figure_of_distortions_refuses_labels_without_types(raw):
    raw["datasets"]["livec"] = {}
    raw["experiments"].append({"figure": "distortions", "datasets": ["gallery2d", "livec"]})
    refused(raw, "experiments[1] (distortions).datasets", "'livec' name no types of distortion")


def test_budget_trains_on_all_patches_and_ranks_for_the_test_images(raw):
    raw["selectors"] |= {"position": {}, "random": {}}
    raw["experiments"] = [{"figure": "budget", "datasets": ["gallery2d"]}]
    planned = Plan(check_study(raw))
    assert list(planned.mlp_jobs.values()) == [[("all", 1.0)]]
    (job,) = (job for job in planned.jobs.values() if job.rule == "score_budgets")
    assert json.loads(job.params["selectors"]) == ["residual", "position"]
    assert list(json.loads(job.params["weighted"])) == ["position"]
    assert len(job.inputs["selections"]) == 2 and job.inputs["scores"] == planned.outputs("predict_patches")
    (timed,) = (job for job in planned.jobs.values() if job.rule == "time_budgets")
    assert list(json.loads(timed.params["selectors"])) == ["position", "residual"]
    assert [names["student"] for names in json.loads(timed.params["names"])] == ["mlp"]
    assert timed.inputs["weights"] == planned.outputs("train_mlps")
    for output in (*job.inputs["selections"], *job.inputs["scores"], *job.inputs["embeddings"]):
        assert output in planned.jobs
    raw["experiments"] = [{"figure": "rate_sweep", "datasets": ["gallery2d"]}]
    assert Plan(check_study(raw)).outputs("predict_patches", "score_budgets", "plot_budgets") == []


def test_budget_refuses_selectors_with_the_names_of_its_own_rows(raw):
    raw["selectors"]["learned"] = {"method": "herding"}
    raw["experiments"].append({"figure": "budget", "datasets": ["gallery2d"]})
    refused(raw, "experiments[1] (budget).selectors", "learned")


def test_budget_refuses_what_it_cannot_show(raw):
    raw["students"]["adtrs"] = {"backbone": "test_resnet", "weights": "none"}
    raw["experiments"].append({"figure": "budget", "datasets": ["gallery2d"], "students": ["adtrs"]})
    refused(raw, "experiments[1] (budget).students", "'adtrs'", "mlp")
    raw["experiments"][1] = {"figure": "budget", "datasets": ["gallery2d"], "keep": [0.5]}
    refused(raw, "experiments[1] (budget).keep")
    raw["experiments"][1] = {"figure": "budget", "datasets": ["noise360"]}
    refused(raw, "experiments[1] (budget).datasets", "'noise360'")


def test_damage_trains_on_all_patches_and_reads_rankings_and_patch_scores(raw):
    raw["datasets"] = {"gallery2d_local": {}}
    raw["selectors"] |= {"position": {}, "random": {}}
    raw["experiments"] = [{"figure": "damage"}]
    planned = Plan(check_study(raw))
    assert list(planned.mlp_jobs.values()) == [[("all", 1.0)]]
    (job,) = (job for job in planned.jobs.values() if job.rule == "score_damage")
    assert json.loads(job.params["selectors"]) == ["residual", "position", "random"]
    assert len(job.inputs["selections"]) == 3 and job.inputs["scores"] == planned.outputs("predict_patches")
    (drawn,) = (job for job in planned.jobs.values() if job.rule == "plot_damage")
    assert drawn.inputs["damage"] == job.output and drawn.inputs["damaged_patches"] == job.file(".patches.parquet")


def test_damage_refuses_what_it_cannot_show(raw):
    raw["datasets"] |= {"gallery2d_local": {}, "own": {"source": "images"}}
    raw["experiments"].append({"figure": "damage", "datasets": ["own", "gallery2d_local"]})
    assert check_study(raw)  # only the user's images.csv tells whether there are regions
    raw["experiments"][1] = {"figure": "damage", "datasets": ["gallery2d_local"], "keep": [0.5]}
    refused(raw, "experiments[1] (damage).keep")
    raw["experiments"][1] = {"figure": "damage", "datasets": ["gallery2d"]}
    refused(raw, "experiments[1] (damage).datasets", "'gallery2d'", "gallery360_local")


def test_figure_that_ranks_embeddings_of_its_own_refuses_positions(raw):
    raw["selectors"]["position"] = {}
    raw["experiments"].append({"figure": "copies", "datasets": ["gallery2d"], "selectors": ["position"]})
    refused(raw, "experiments[1] (copies).selectors", "'position'")


def test_dimension_figure_refuses_selector_without_components(raw):
    raw["experiments"].append({"figure": "dimension", "selectors": ["residual", "random"], "keep": [0.5]})
    refused(raw, "experiments[1]", "n_components", "'random'")
