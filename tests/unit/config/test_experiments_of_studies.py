"""Experiments of a study: the names that they may use, and the students and tables that they ask for."""

import pytest
from small_study import refused, small_study

from iqadistill.config import check_study
from iqadistill.config.experiments import selectors_of, tables_of
from iqadistill.config.jobs.plan import Plan
from iqadistill.config.jobs.trainings import MlpJob


@pytest.fixture
def raw():
    return small_study()


def test_undefined_name_in_experiment_is_refused(raw):
    raw["experiments"][0]["selectors"] = ["residul"]
    refused(raw, "experiments[0]", "'residul'", "'residual'")


def test_experiment_without_fitting_sampler_is_refused(raw):
    raw["experiments"][0] |= {"datasets": ["gallery2d"], "samplers": ["erp"]}
    refused(raw, "experiments[0]", "sampler")


def test_training_on_unscored_dataset_is_refused(raw):
    raw["experiments"][0] |= {"datasets": ["noise360"]}
    refused(raw, "experiments[0]", "datasets", "'noise360'")


def test_duplicate_experiment_name_is_refused(raw):
    raw["experiments"] *= 2
    refused(raw, "experiments", "'rate_sweep'")


def test_grid_is_used_only_if_named(raw):
    study = check_study(raw)
    assert selectors_of(study, study.experiments[0]) == ["residual", "random"]
    raw["experiments"][0]["selectors"] = ["residual_ab"]
    study = check_study(raw)
    assert len(selectors_of(study, study.experiments[0])) == 4


def test_random_and_all_patches_are_always_trained(raw):
    raw["experiments"][0] |= {"selectors": ["residual"], "datasets": ["gallery2d"]}
    assert Plan(check_study(raw)).mlp_jobs == {
        MlpJob("gallery2d", "random_crops", "tiny", "mlp"): [("all", 1.0), ("random", 0.5), ("residual", 0.5)]
    }


def test_samplers_apply_to_datasets_of_their_kind(raw):
    study = check_study(raw)
    tables = {(t.dataset, t.sampler) for t in tables_of(study, study.experiments[0])}
    assert tables == {("gallery2d", "random_crops"), ("gallery360", "erp")}
