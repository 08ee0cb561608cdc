"""Students of a study: what is trained of them, and which of their settings fit samplers and test patches."""

import pytest
from small_study import refused, small_study

from iqadistill.config import check_study
from iqadistill.config.experiments import students_of
from iqadistill.config.jobs.plan import Plan


@pytest.fixture
def raw():
    return small_study()


def with_deep_student(raw, **settings):
    """The study with a deep student."""
    raw["students"]["adtrs"] = {"backbone": "test_resnet", "weights": "none", **settings}
    return raw


def test_deep_student_is_trained_only_if_named(raw):
    study = check_study(with_deep_student(raw))
    assert Plan(study).student_jobs == []
    raw["experiments"].append({"figure": "students", "datasets": ["gallery2d"], "students": ["mlp", "adtrs"]})
    study = check_study(raw)
    jobs = Plan(study).student_jobs
    assert {(job.dataset, job.selector, job.keep, job.student) for job in jobs} == {("gallery2d", "all", 1.0, "adtrs")}
    assert [job.split for job in jobs] == list(range(10))


@pytest.mark.parametrize("figure", ["rate_sweep", "budget", "against_random", "label_efficiency"])
def test_figure_of_students_on_embeddings_needs_one(raw, figure):
    with_deep_student(raw)
    raw["students"].pop("mlp")
    named = {"name": "deep", "figure": "rate_sweep", "students": list(raw["students"])}
    raw["experiments"] = [{"figure": figure}, named]
    refused(raw, "experiments[0]", ".students", "embeddings", "add an mlp")


def test_deep_student_is_trained_per_selector_and_keep_rate(raw):
    raw["experiments"] = [
        {"figure": "rate_sweep", "datasets": ["gallery2d"], "selectors": ["residual"], "students": ["adtrs"]}
    ]
    study = check_study(with_deep_student(raw, splits=2))
    variants = {(job.selector, job.keep) for job in Plan(study).student_jobs}
    assert variants == {("all", 1.0), ("residual", 0.5), ("random", 0.5)}
    assert {job.split for job in Plan(study).student_jobs} == {0, 1}
    assert Plan(study).mlp_jobs == {}


def test_list_value_spans_a_student_grid_except_for_flips(raw):
    with_deep_student(raw, branches=["cnn", "fused"], flips=["horizontal", "vertical"])
    raw["experiments"].append({"figure": "students", "datasets": ["gallery2d"], "students": ["adtrs"]})
    study = check_study(raw)
    assert students_of(study, study.experiments[1]) == ["adtrs.branches-cnn", "adtrs.branches-fused"]
    assert study.students["adtrs.branches-cnn"].flips == ("horizontal", "vertical")
    assert study.students["mlp"].dropout == (0.5, 0.25)


def test_invalid_student_setting_is_refused(raw):
    refused(with_deep_student(raw, block=2), "students.adtrs.block", "'blocks'")
    raw["students"] = {"mine": {"model": "adtr"}}
    refused(raw, "students.mine.model", "'adtrs'")
    raw["students"] = {"mine": {}}
    refused(raw, "students.mine", "model", "adtrs")


def test_patience_needs_validation_images(raw):
    raw["experiments"].append({"figure": "students", "datasets": ["gallery2d"], "students": ["adtrs"]})
    refused(with_deep_student(raw, patience=2), "students.adtrs.patience", "val_fraction")


def test_image_relative_crops_need_student_size(raw):
    raw["samplers"]["random_crops"]["longer_side"] = 512
    raw["encoders"]["tiny"]["size"] = 32
    raw["experiments"].append({"figure": "students", "datasets": ["gallery2d"], "students": ["adtrs"]})
    refused(with_deep_student(raw), "students.adtrs.size", "32")


@pytest.fixture
def fresh(raw):
    """A study with a student that draws fresh crops."""
    raw["students"]["adtrs"] = {"backbone": "test_resnet", "weights": "none", "crops": "fresh"}
    raw["experiments"] = [{"figure": "students", "samplers": ["random_crops"], "students": ["adtrs"]}]
    return raw


def test_fresh_crops_of_all_patches_are_accepted(fresh):
    assert check_study(fresh).students["adtrs"].crops == "fresh"


def test_fresh_crops_need_random_crops_of_flat_images(fresh):
    fresh["experiments"][0]["samplers"] = ["erp"]
    refused(fresh, "students.adtrs.crops", "'erp'")
    fresh["samplers"]["random_crops"]["method"] = "grid_crops"
    fresh["experiments"][0]["samplers"] = ["random_crops"]
    refused(fresh, "students.adtrs.crops", "'random_crops'")


def test_fresh_crops_of_a_selector_are_refused(fresh):
    fresh["experiments"].append({"figure": "rate_sweep", "samplers": ["random_crops"], "students": ["adtrs"]})
    refused(fresh, "students.adtrs.crops", "crops: fixed")


def test_teacher_of_fresh_crops_needs_random_crops(fresh):
    fresh["teachers"] = {"cnn": {"model": "regressor", "backbone": "test_resnet", "weights": "none", "crops": "fresh"}}
    fresh["students"] = {"mlp": {}, "rkiqt": {"backbone": "test_vit", "weights": "none", "conv": "cnn"}}
    fresh["experiments"] = [{"figure": "students", "samplers": ["erp"], "students": ["rkiqt"]}]
    refused(fresh, "teachers.cnn.crops", "'erp'")


def test_limit_of_test_patches_and_kept_test_patches_are_refused_together(raw):
    raw["evaluation"] = {"max_test_patches": 4}
    assert all(
        job.params["max_test_patches"] == 4
        for job in Plan(check_study(raw)).jobs.values()
        if job.rule == "predict_mlps"
    )
    raw["evaluation"]["test_patches"] = "kept"
    refused(raw, "evaluation.max_test_patches", "remove")


def test_student_of_limited_and_kept_test_patches_is_refused(raw):
    raw["students"]["mlp"]["test_patches"] = "kept"
    raw["evaluation"] = {"max_test_patches": 4}
    refused(raw, "students.mlp.max_test_patches", "remove")
    raw["evaluation"] = {"test_patches": "kept"}
    raw["students"]["mlp"] = {"max_test_patches": 4}
    refused(raw, "students.mlp.max_test_patches", "remove")
    raw["students"]["mlp"]["test_patches"] = "all"
    check_study(raw)
