import copy
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
        ({"student": "adtrs", "selector": "residual", "keep": 0.2}, ["primary[0].student", "pixels"]),
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
