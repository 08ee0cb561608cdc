"""Students of chosen training images in a study's plan."""

import copy
import json

import pytest

from iqadistill.config import Plan, check_study
from iqadistill.errors import InputError


@pytest.fixture
def raw():
    """Contents of a study file."""
    return {
        "name": "labels",
        "datasets": {"gallery2d": {}, "koniq10k": {"splits": ["random", "official"]}},
        "samplers": {"random_crops": {"count": 8, "size": 32}},
        "encoders": {"tiny": {"model": "test_resnet", "weights": "none"}},
        "selectors": {},
        "keep": [1.0],
        "students": {"mlp": {}, "adtrs": {"backbone": "test_resnet", "weights": "none"}},
        "evaluation": {"splits": 3},
        "experiments": [{"figure": "label_efficiency", "datasets": ["gallery2d"]}],
    }


def planned(raw):
    return Plan(check_study(copy.deepcopy(raw)))


def jobs(plan, rule):
    return [job for job in plan.jobs.values() if job.rule == rule]


def test_figure_reads_the_students_of_chosen_images(raw):
    plan = planned(raw)
    (job,), (figure,) = jobs(plan, "train_on_chosen"), jobs(plan, "plot_metrics")
    assert json.loads(job.params["budgets"]) == [10, 20, 40, 80] and job.params["draws"] == 99
    assert json.loads(job.params["choosers"]) == ["facility", "v_optimal"]
    assert figure.inputs["choices"] == [job.output]
    assert {"iqadistill.choosing.choosers.facility", "iqadistill.choosing.choosers.v_optimal"} <= set(job.modules)


def test_experiments_share_the_students_of_one_table(raw):
    other = {"name": "few", "figure": "label_efficiency", "datasets": ["gallery2d"], "budgets": [20, 5]}
    raw["experiments"].append({**other, "choosers": ["v_optimal"]})
    plan = planned(raw)
    (job,) = jobs(plan, "train_on_chosen")
    assert json.loads(job.params["budgets"]) == [5, 10, 20, 40, 80]
    assert [json.loads(figure.params["experiment"])["budgets"] for figure in jobs(plan, "plot_metrics")] == [
        [10, 20, 40, 80],
        [5, 20],
    ]


def test_official_split_is_left_out_beside_random_ones(raw):
    raw["experiments"][0]["datasets"] = ["koniq10k"]
    assert json.loads(jobs(planned(raw), "train_on_chosen")[0].params["splits"]) == [0, 1, 2]


def test_other_figures_read_no_students_of_chosen_images(raw):
    raw["experiments"] = [{"figure": "students", "datasets": ["gallery2d"], "students": ["mlp"]}]
    plan = planned(raw)
    assert not jobs(plan, "train_on_chosen") and jobs(plan, "plot_metrics")[0].inputs["choices"] == []


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"budgets": [1]}, r"experiments.0.budgets.0: .*greater than or equal to 2"),
        ({"choosers": ["facilty"]}, r"unknown value 'facilty'; did you mean 'facility'"),
        ({"choosers": ["random"]}, r"choosers: 'random' is what all others are compared with"),
        ({"students": ["adtrs"]}, r"students: 'adtrs' learns from pixels"),
        ({"figure": "students", "budgets": [10]}, r"budgets: figure students shows students of all training images"),
        ({"figure": "students", "choosers": ["facility"]}, r"choosers: figure students shows"),
    ],
)
def test_unfit_experiments_are_refused(raw, changed, message):
    raw["experiments"][0] |= changed
    with pytest.raises(InputError, match=message):
        planned(raw)
