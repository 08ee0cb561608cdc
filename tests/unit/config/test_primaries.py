import copy
import json
from pathlib import Path

import pytest
import yaml

from iqadistill.config import Plan, check_study
from iqadistill.errors import InputError

DEMO = yaml.safe_load((Path(__file__).parents[3] / "config.yaml").read_text(encoding="utf-8"))
BASE = {"dataset": "gallery360", "sampler": "lat", "encoder": "lite0", "student": "mlp"}


def demo(*primary):
    return check_study({**copy.deepcopy(DEMO), "primary": list(primary)})


def test_both_variants_are_written_out():
    (one,) = Plan(demo({**BASE, "selector": "residual", "keep": 0.2, "against": {"selector": "all"}})).primaries
    assert (one.first.selector, one.first.keep) == ("residual", 0.2)
    assert (one.second.selector, one.second.keep, one.draws) == ("all", 1.0, 0)


def test_primary_comparison_is_trained_though_no_experiment_asks_for_it():
    plan = Plan(demo({**BASE, "selector": "residual", "keep": 0.3, "against": {"selector": "kcenter"}}))
    variants = {variant for variants in plan.mlp_jobs.values() for variant in variants}
    assert {("residual", 0.3), ("kcenter", 0.3)} <= variants


def test_random_rankings_are_one_job_of_a_table_and_student():
    wanted = [
        {**BASE, "selector": name, "keep": 0.2, "against": {"selector": "random"}} for name in ("residual", "kcenter")
    ]
    plan = Plan(demo(*wanted, {**wanted[0], "keep": 0.4, "draws": 199}))
    (job,) = (job for job in plan.jobs.values() if job.rule == "train_random_draws")
    assert job.params["draws"] == "[[0.2, 99], [0.4, 199]]"
    assert job.output in plan.jobs["results/studies/demo/comparisons.parquet"].inputs["random"]


def test_study_without_primary_comparisons_trains_no_random_rankings():
    assert "train_random_draws" not in {job.rule for job in Plan(demo()).jobs.values()}


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"dataset": "gallery361"}, ["primary[0].dataset", "gallery360"]),
        ({"student": "mpl"}, ["primary[0].student", "mlp"]),
        ({"selector": "residul", "keep": 0.2}, ["primary[0].selector", "residual"]),
        ({"selector": "residual"}, ["primary[0].keep"]),
        ({"keep": 0.2}, ["primary[0].keep"]),
        ({"selector": "random", "keep": 0.2}, ["primary[0].against.selector", "random"]),
        ({"sampler": None, "selector": "residual", "keep": 0.2}, ["primary[0].sampler", "missing"]),
        ({"sampler": "random_crops", "selector": "residual", "keep": 0.2}, ["primary[0].sampler", "sphere"]),
        ({"dataset": "noise360", "selector": "residual", "keep": 0.2}, ["primary[0].dataset", "scores"]),
        ({"against": {}}, ["primary", "exactly one"]),
        ({"against": {"selector": "all", "student": "adtrs"}}, ["primary", "exactly one"]),
    ],
)
def test_unusable_comparison_is_refused_by_its_key(changed, named):
    given = {**BASE, "against": {"selector": "random"}, **changed}
    with pytest.raises(InputError) as error:
        demo({key: value for key, value in given.items() if value is not None})
    assert all(value in str(error.value) for value in named), error.value


def test_more_than_three_are_refused():
    one = {**BASE, "selector": "residual", "keep": 0.2, "against": {"selector": "random"}}
    with pytest.raises(InputError, match="primary"):
        demo(*[one] * 4)


def test_deep_student_is_trained_on_each_random_ranking_and_split():
    given = {**BASE, "student": "adtrs", "selector": "residual", "keep": 0.2, "against": {"selector": "random"}}
    plan, without = Plan(demo(given)), Plan(demo())
    splits = len(plan.splits_of("gallery360")[: plan.study.students["adtrs"].splits])
    drawn = [job for job in plan.jobs.values() if job.names.get("draw") is not None]
    assert [job.rule for job in drawn].count("train_student") == 9 * splits
    rankings = [job for job in drawn if job.rule == "select_patches"]
    assert len({job.output for job in rankings}) == 9
    assert {job.params["seed"] for job in rankings} == {f"{plan.study.seed}/{draw}" for draw in range(9)}
    compared = plan.jobs["results/studies/demo/comparisons.parquet"]
    assert len(compared.inputs["drawn"]) == len(json.loads(compared.params["drawn"])) == 9 * splits
    evaluated = plan.jobs["results/studies/demo/metrics.parquet"].inputs["predictions"]
    assert not set(compared.inputs["drawn"]) & set(evaluated)
    assert set(evaluated) - set(without.jobs["results/studies/demo/metrics.parquet"].inputs["predictions"])
    for job in drawn:
        (file,) = job.inputs.get("selection", [rankings[0].output])
        assert plan.jobs[file].names["draw"] == job.names["draw"] or job.rule == "select_patches"
    assert not plan.random_draws and all(job.draw is None for job in plan.student_jobs)


def test_number_of_rankings_of_a_deep_student_is_a_setting():
    given = {**BASE, "student": "adtrs", "selector": "residual", "keep": 0.2, "against": {"selector": "random"}}
    few, more = (Plan(demo({**given, **draws})) for draws in ({}, {"draws": 19}))
    assert (few.primaries[0].draws, more.primaries[0].draws) == (9, 19)
    assert len(more.draw_jobs) == 19 * len(few.draw_jobs) / 9
