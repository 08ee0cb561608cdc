"""The work of jobs of tiny studies, counted by hand: trainings, passes, operations."""

import copy

import pytest
from tiny_study import IMAGES, RAW, SCORED, TRAIN, one, plan_of, works_of

from iqadistill.models.students.adtrs import AdtrsSettings
from iqadistill.pricing.deep_network_work import CACHED_PATCH
from iqadistill.pricing.embedding_work import RESIDUAL_CALLS
from iqadistill.pricing.evaluation_work import EIGENVECTORS
from iqadistill.pricing.networks import count_encoder, count_network
from iqadistill.pricing.study_work import StudyWork


def test_passes_of_an_encoder_and_of_predictions(works):
    assert one(works, "embed_patches").forward_passes == IMAGES * 4
    assert one(works, "predict", student="adtrs").forward_passes == SCORED * 4
    assert one(works, "embed_patches").cut == IMAGES * 4 * 64**2


def test_passes_of_adtrs_see_two_views(works):
    work = one(works, "train_student", student="adtrs")
    assert work.training_passes == pytest.approx(2 * TRAIN * 3 * 2)  # epochs, images, patches of each, views
    assert work.forward_passes == pytest.approx(2 * SCORED * 0.05 * 4)  # validation after each epoch
    counted = count_network(plan_of(RAW).study.deep_students["adtrs"], 64)
    assert work.training_flops == pytest.approx(3 * work.training_passes * counted.flops)


def test_passes_of_teachers_and_of_their_student(works):
    for split in "01":
        assert one(works, "pretrain_teacher", teacher="nar", split=split).training_passes == pytest.approx(
            2 * TRAIN * 4
        )
        assert one(works, "pretrain_teacher", teacher="cnn", split=split).training_passes == pytest.approx(3 * TRAIN)
    work = one(works, "train_student", student="rkiqt", split=0)
    assert work.training_passes == pytest.approx(2 * TRAIN * 4)
    # a patch is seen twice, flipped or not: with two teachers, 1.5 new passes of the two; 8 references once
    assert work.forward_passes == pytest.approx(2 * TRAIN * 4 * 1.5 + 8 + 2 * SCORED * 0.05 * 4)


def test_kept_patches_alone_are_trained_on():
    raw = copy.deepcopy(RAW)
    raw["experiments"].append({"name": "kept", "figure": "rate_sweep", "students": ["rkiqt"]})
    plan = plan_of(raw)
    counted = StudyWork(plan)
    passes = {
        job.names["keep"]: counted.of(job).training_passes
        for job in plan.jobs.values()
        if job.rule == "train_student" and job.names["student"] == "rkiqt"
    }
    assert passes[0.5] == pytest.approx(passes[1.0] / 2)


def test_random_rankings_of_a_deep_student_are_counted_as_its_trainings():
    def counts(**primary):
        raw = {**copy.deepcopy(RAW), "primary": [primary] if primary else []}
        plan = plan_of(raw)
        counted = StudyWork(plan)
        found = {"select_patches": [], "train_student": [], "predict": []}
        for job in plan.jobs.values():
            if job.rule in found:
                found[job.rule].append(counted.of(job))
        return found

    given = {"dataset": "gallery2d", "student": "rkiqt", "selector": "residual", "keep": 0.5}
    before, after = counts(), counts(**given, draws=11, against={"selector": "random"})
    added = {rule: len(works) - len(before[rule]) for rule, works in after.items()}
    assert added == {"select_patches": 11, "train_student": 2 * (1 + 11), "predict": 2 * (1 + 11)}
    assert sum(work.trainings for work in after["train_student"]) == 3 + 2 * 12
    passes = [sum(work.training_passes for work in found["train_student"]) for found in (before, after)]
    assert passes[1] > 4 * passes[0]


def test_mlps_cost_three_times_their_forward_pass(works, plan):
    width = count_encoder(plan.study.encoders["tiny"], 64).width
    parameters = width * 8 + 8 + 8 + 1
    kept = 4 + 2 + 2  # of an image: all, residual, random
    expected = 2 * parameters * 3 * 5 * (3 * TRAIN * kept + SCORED * 0.05 * 4 * 3)
    work = one(works, "train_mlps")
    assert work.mlp_flops == pytest.approx(expected)
    assert work.disk == 4 * 9 * parameters


def test_predictions_take_as_many_patches_as_the_plan_says(works):
    capped = works_of(evaluation__max_test_patches=3)
    assert one(capped, "predict", student="adtrs").forward_passes == SCORED * 3
    assert one(capped, "predict_mlps").mlp_flops == pytest.approx(one(works, "predict_mlps").mlp_flops * 3 / 4)


def test_kept_patches_alone_score_where_the_student_says_so():
    changes = {
        "experiments": [{"figure": "rate_sweep", "students": ["adtrs"]}],
        "students__adtrs__test_patches": "kept",
    }
    works = works_of(**changes)
    passes = {job.names["keep"]: work.forward_passes for job, work in works["predict"]}
    assert passes == {0.5: SCORED * 2, 1.0: SCORED * 4}


def test_flipped_patches_are_scored_as_well(works):
    flipped = works_of(evaluation__flip=True)
    once, twice = (one(found, "predict", student="adtrs") for found in (works, flipped))
    assert twice.forward_passes == 2 * once.forward_passes and twice.forward_flops == 2 * once.forward_flops
    assert (twice.cut, twice.decoded) == (once.cut, once.decoded)


def test_students_tested_elsewhere_take_the_other_datasets_sampler():
    works = works_of(
        datasets={"kadid10k": {}, "koniq10k": {"sampler": "many"}},
        samplers={"random_crops": {"count": 4, "size": 64}, "many": {"method": "random_crops", "count": 6, "size": 64}},
        teachers__nar__pristine="target",
        experiments=[
            {
                "figure": "cross_dataset",
                "datasets": ["kadid10k"],
                "tested_on": ["koniq10k"],
                "students": ["adtrs"],
                "samplers": ["random_crops"],
            }
        ],
        evaluation__flip=True,
    )
    assert one(works, "predict_cross", student="adtrs").forward_passes == 2 * 10073 * 6


def test_teachers_see_every_fresh_crop(works):
    fresh = works_of(students__rkiqt__crops="fresh")
    passes = [one(found, "train_student", student="rkiqt", split=0).forward_passes for found in (works, fresh)]
    assert passes[1] - passes[0] == pytest.approx(2 * TRAIN * 4 * 0.5)  # of two passes of a patch instead of 1.5


def test_teachers_outputs_are_kept_in_memory_and_then_on_disk(works):
    """Of 1.5 x TRAIN x 4 different patches, seen 2 x TRAIN x 4 times, as many are kept as there is room for."""
    before = one(works, "train_student", student="rkiqt", split=0)
    outputs = 1.5 * TRAIN * 4 * CACHED_PATCH

    def training(memory, disk):
        settings = {"teacher_memory_gb": memory * outputs / 2**30, "teacher_disk_gb": disk * outputs / 2**30}
        found = works_of(students__rkiqt={**RAW["students"]["rkiqt"], **settings})
        return one(found, "train_student", student="rkiqt", split=0)

    none, half, filed, ample = training(0, 0), training(0.5, 0), training(0.25, 0.25), training(9, 9)
    assert none.forward_passes - half.forward_passes == pytest.approx(2 * 0.5 * 0.5 * TRAIN * 4)  # of two teachers
    assert filed.forward_passes == pytest.approx(half.forward_passes)
    assert ample.forward_passes == pytest.approx(before.forward_passes)
    assert half.memory - none.memory == pytest.approx(outputs / 2)
    assert ample.memory - none.memory == pytest.approx(outputs)
    assert filed.temporary == pytest.approx(outputs / 4) == filed.memory - none.memory
    assert none.temporary == half.temporary == ample.temporary == 0


def test_teachers_of_any_student_are_counted(works):
    class TaughtSettings(AdtrsSettings):
        def teachers(self):
            return {"any": "cnn"}

    plan = plan_of(RAW)
    (job,) = (job for job in plan.jobs.values() if job.rule == "train_student" and job.names["student"] == "adtrs")
    plan.study.students["adtrs"] = TaughtSettings(**plan.study.students["adtrs"].model_dump())
    alone, taught = one(works, "train_student", student="adtrs"), StudyWork(plan).of(job)
    assert taught.forward_passes - alone.forward_passes == pytest.approx(3 * TRAIN * 2)  # every look at a patch
    assert taught.memory > alone.memory and taught.temporary == 0


def test_rankings_of_few_patches_take_what_calling_takes(works):
    (work,) = [work for job, work in works["select_patches"] if job.names["selector"] == "residual"]
    assert work.selection_calls == IMAGES * RESIDUAL_CALLS > work.selection_flops > 0
    assert all(work.selection_calls == 0 for job, work in works["select_patches"] if job.names["selector"] == "random")


def test_random_draws_score_test_images_alone():
    primary = {"dataset": "gallery2d", "student": "mlp", "selector": "residual", "keep": 0.5, "draws": 11}
    found = works_of(primary=[{**primary, "against": {"selector": "random"}}])
    work = one(found, "train_random_draws")
    width = count_encoder(plan_of(RAW).study.encoders["tiny"], 64).width
    parameters = width * 8 + 8 + 8 + 1
    passes = 3 * 5 * 3 * TRAIN * 11 * 2 + 3 * 11 * SCORED * 0.2 * 4  # three splits; training on half of the patches
    assert work.mlp_flops == pytest.approx(2 * parameters * passes)


def test_budgets_cost_a_regression_on_each_split():
    works = works_of(experiments=[{"figure": "budget", "samplers": ["random_crops"]}])
    width = count_encoder(plan_of(RAW).study.encoders["tiny"], 64).width
    expected = 3 * (2 * TRAIN * 4 * width**2 + EIGENVECTORS * width**3)
    assert one(works, "score_budgets").selection_flops == pytest.approx(expected)
