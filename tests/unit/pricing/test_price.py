"""Prices of tiny studies, counted by hand: jobs, trainings, passes, operations, seconds, and the schedule of jobs."""

import copy
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from iqadistill.config import Plan, check_study
from iqadistill.models.registry import STUDENTS, TEACHERS
from iqadistill.pricing.images import count_images
from iqadistill.pricing.networks import count_backbone, count_encoder, count_network
from iqadistill.pricing.price import LAUNCH, ON_CARD, WEIGHTS_ROW, price_study, wall_seconds
from iqadistill.pricing.rates import Rates, card_rates
from iqadistill.pricing.table import price_markdown, price_text
from iqadistill.pricing.work import COPIED, VIEWED, StudyWork
from iqadistill.training.deep.cost import forward_cost

IMAGES, SCORED = 527, 510  # of gallery2d
TRAIN = SCORED * 0.75

RAW = {
    "name": "tiny",
    "datasets": {"gallery2d": {}},
    "samplers": {"random_crops": {"count": 4, "size": 64}},
    "encoders": {"tiny": {"model": "test_resnet", "weights": "none"}},
    "selectors": {"residual": {"n_components": 2}},
    "keep": [0.5, 1.0],
    "teachers": {
        "nar": {
            "model": "nar_teacher", "backbone": "test_resnet", "weights": "none", "pretrain_on": "target",
            "pristine": "target", "pristine_patches": 8, "cells": 1, "epochs": 2,
        },
        "cnn": {
            "model": "regressor", "backbone": "test_resnet", "weights": "none", "epochs": 3, "patches_per_epoch": 1,
        },
    },
    "students": {
        "mlp": {"hidden": [8], "dropout": [0.0], "epochs": 5},
        "adtrs": {"backbone": "test_resnet", "weights": "none", "splits": 1, "epochs": 2, "patches_per_epoch": 3},
        "rkiqt": {
            "backbone": "test_vit", "weights": "none", "splits": 2, "epochs": 2, "nar": "nar", "conv": "cnn",
            "decoder_heads": 2,
        },
    },
    "evaluation": {"splits": 3, "test_fraction": 0.2, "val_fraction": 0.05},
    "experiments": [{"figure": "rate_sweep"}, {"figure": "students", "students": ["adtrs", "rkiqt"]}],
}  # fmt: skip


def plan_of(raw):
    return Plan(check_study(copy.deepcopy(raw)))


@pytest.fixture(scope="module")
def plan():
    return plan_of(RAW)


@pytest.fixture(scope="module")
def works(plan):
    """The work of every job, by rule."""
    counted, found = StudyWork(plan), {}
    for job in plan.jobs.values():
        found.setdefault(job.rule, []).append((job, counted.of(job)))
    return found


def one(works, rule, **names):
    """The work of the one job of a rule with these names."""
    (work,) = [work for job, work in works[rule] if names.items() <= job.names.items()]
    return work


@pytest.fixture(scope="module")
def price(plan):
    return price_study(plan, card_rates(), cores=2)


def test_rows_are_the_jobs_of_the_plan(plan, price):
    assert {stage.name: stage.jobs for stage in price.stages if stage.jobs} == {
        rule: len(plan.outputs(rule)) for rule in {job.rule for job in plan.jobs.values()}
    }
    assert price.total.jobs == len(plan.jobs)
    assert [stage.name for stage in price.stages][-2:] == [LAUNCH, WEIGHTS_ROW]


def test_trainings_are_counted_one_by_one(price):
    trainings = {stage.name: stage.trainings for stage in price.stages if stage.trainings}
    # all patches, residual and random at a half: 3 variants x 3 splits; teachers of 2 splits; 1 ADTRS and 2 RKIQT
    assert trainings == {"train_mlps": 9, "pretrain_teacher": 4, "train_student": 3}
    assert price.total.trainings == 16


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


def test_networks_are_counted_as_they_are_after_training(plan):
    for settings in (plan.study.deep_students["adtrs"], plan.study.deep_students["rkiqt"], plan.study.teachers["cnn"]):
        counted, cost = count_network(settings, 64), forward_cost(settings.create_network(64), 64)
        assert (counted.parameters, counted.flops) == (cost.parameters, cost.flops)
        assert counted.activations > 0
    settings = plan.study.encoders["tiny"]
    assert count_encoder(settings, 64).width == settings.create("cpu").width


def test_no_gradient_passes_through_a_frozen_backbone():
    nar = {"model": "nar_teacher", "backbone": "test_resnet", "weights": "none"}
    frozen, free = (TEACHERS.create({**nar, "freeze_backbone": choice}) for choice in (True, False))
    counted = count_network(frozen, 64)
    assert counted.frozen_flops == 2 * count_backbone(frozen, 64)  # of the patch and of its reference
    assert counted.training_flops == 3 * counted.flops - 2 * counted.frozen_flops
    assert count_network(free, 64).training_flops == 3 * counted.flops


def test_counting_downloads_no_weights(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a download")

    monkeypatch.setattr("timm.models._builder.load_pretrained", refuse)
    assert count_network(STUDENTS.create({"model": "adtrs", "backbone": "resnet18", "weights": "hub"}), 64).flops
    raw = copy.deepcopy(RAW)
    raw["encoders"]["tiny"] = {"model": "resnet18", "weights": "hub"}
    price = price_study(plan_of(raw), Rates())
    weights = next(stage for stage in price.stages if stage.name == WEIGHTS_ROW)
    assert weights.download == pytest.approx(4 * 11.18e6, rel=0.01)


def test_seconds_follow_the_rates(plan):
    price = price_study(plan, Rates())
    by_name = {stage.name: stage.seconds for stage in price.stages}
    slower = {
        stage.name: stage.seconds for stage in price_study(plan, replace(Rates(), training=Rates().training / 2)).stages
    }
    assert {name for name in by_name if slower[name] > by_name[name]} == {"train_student", "pretrain_teacher"}
    assert by_name[LAUNCH] == len(plan.jobs) * Rates().launch
    assert price.cards == 0 and price_study(plan, card_rates()).cards == 1


def test_jobs_run_side_by_side_as_far_as_they_need_not_wait(plan):
    durations = dict.fromkeys(plan.jobs, 1.0)
    rates = replace(Rates(), launch=0.0)
    assert wall_seconds(plan, durations, rates, cores=1, cards=0) == len(plan.jobs)
    many = wall_seconds(plan, durations, rates, cores=1000, cards=0)
    assert many == 11  # the longest chain, from render_dataset by way of select_patches and train_mlps to the report
    assert many < wall_seconds(plan, durations, rates, cores=3, cards=0) < len(plan.jobs)
    cards = [wall_seconds(plan, durations, replace(rates, card=True), cores=1000, cards=count) for count in (1, 1000)]
    assert cards[0] > cards[1] == many


def test_own_images_are_counted_in_their_folder(tmp_path):
    raw = copy.deepcopy(RAW)
    raw["datasets"] = {"own": {"source": "images", "root": "photographs"}}
    raw["experiments"] = raw["experiments"][:1]
    study = check_study(raw)
    absent = price_study(Plan(study, tmp_path), Rates())
    assert "photographs is absent" in absent.missing[0] and "Left out" in price_text(absent)
    assert absent.total.jobs == len(Plan(study).jobs) and absent.total.flops == 0
    (tmp_path / "photographs").mkdir()
    for number in range(3):
        pixels = np.zeros((40, 60, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photographs" / f"{number}.png")
    images = count_images(Plan(study, tmp_path), "own")
    assert (images.total, images.scored, images.pixels, images.missing) == (3, 3, 2400, "")
    present = price_study(Plan(study, tmp_path), Rates())
    assert not present.missing and present.total.flops > 0


def test_official_datasets_are_counted_by_the_registry():
    raw = copy.deepcopy(RAW)
    raw["datasets"] = {"kadid10k": {}, "koniq10k": {}}
    raw["experiments"] = raw["experiments"][:1]
    plan = plan_of(raw)
    kadid, koniq = count_images(plan, "kadid10k"), count_images(plan, "koniq10k")
    assert (kadid.total, kadid.scored, kadid.download) == (10206, 10125, 3067408471)
    assert (koniq.total, koniq.pixels, koniq.effort) == (10073, 1024 * 768, 1024 * 768 / 2)  # JPEG files
    assert kadid.effort == kadid.pixels and kadid.stored >= kadid.download
    retrieved = next(stage for stage in price_study(plan, Rates()).stages if stage.name == "retrieve_dataset")
    assert retrieved.download == kadid.download + koniq.download < retrieved.disk


def test_text_names_stages_sums_and_rates(price):
    lines = price_text(price).splitlines()
    assert lines[0].split()[:3] == ["stage", "jobs", "trainings"]
    total = next(line for line in lines if line.startswith("total"))
    assert total.split()[1:3] == [str(price.total.jobs), "16"]
    assert "30 TFLOP/s" in lines[-1] and "2 cores and 1 card" in price_text(price)
    assert max(map(len, lines[: len(price.stages) + 2])) <= 130


def test_markdown_has_a_row_a_study(price):
    header, _, row = price_markdown([("tiny", price)]).splitlines()
    assert header.startswith("| study | jobs | trainings |")
    assert [cell.strip() for cell in row.split("|")][1:4] == ["tiny", str(price.total.jobs), "16"]


def works_of(**changes):
    """The work of every job, by rule, of the tiny study with other entries."""
    raw = copy.deepcopy(RAW)
    for path, value in changes.items():
        *parents, key = path.split("__")
        entry = raw
        for parent in parents:
            entry = entry[parent]
        entry[key] = value
    plan = plan_of(raw)
    counted, found = StudyWork(plan), {}
    for job in plan.jobs.values():
        found.setdefault(job.rule, []).append((job, counted.of(job)))
    return found


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
    for name in ("forward_passes", "forward_flops", "cut", "decoded"):
        assert getattr(one(flipped, "predict", student="adtrs"), name) == 2 * getattr(
            one(works, "predict", student="adtrs"), name
        )


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


# Of gallery2d's images as they are held: 512 x 384 pixels, 382.5 of training, 25.5 of validation
HELD = TRAIN * 512 * 384 * 3
PATCH = 3 * 64**2


def reading(**student):
    """Images decoded, and crops cut, in the training of ADTRS: 2 epochs of 3 of its 4 patches."""
    entry = {**RAW["students"]["adtrs"], **student}
    work = one(works_of(students__adtrs=entry), "train_student", student="adtrs")
    images = count_images(plan_of(RAW), "gallery2d")
    return work.decoded / images.pixels, work.cut / 64**2


def test_gallery_is_of_the_size_that_these_tests_suppose():
    images = count_images(plan_of(RAW), "gallery2d")
    assert (images.width, images.height) == (512, 384) and images.effort == images.pixels


def test_images_are_decoded_once_where_their_patches_fit():
    assert reading() == pytest.approx((TRAIN + SCORED * 0.05, (TRAIN + SCORED * 0.05) * 4))


def test_images_that_are_held_are_decoded_once_and_fresh_crops_copied_from_them():
    validated = SCORED * 0.05
    copied = TRAIN * 3 * 2 * COPIED
    assert reading(crops="fresh") == pytest.approx((TRAIN + validated, validated * 4 + copied))
    # as many GiB as hold no more than half of the images: each epoch decodes all, of which windows are held
    half = reading(crops="fresh", memory_gb=HELD / 2 / 2**30, mix_patches=1)
    assert half == pytest.approx((2 * TRAIN + validated, validated * 4 + copied))


def test_images_are_decoded_in_each_epoch_where_nothing_fits():
    validated = SCORED * 0.05
    decoded, cut = reading(memory_gb=0.5 * TRAIN * 4 * PATCH / 2**30, mix_patches=1)
    assert decoded == pytest.approx(2 * (TRAIN + validated))
    assert cut == pytest.approx(2 * validated * 4 + TRAIN * 3 * 2 * COPIED)


def test_memory_of_a_training_follows_its_setting():
    entry = {**RAW["students"]["adtrs"], "crops": "fresh", "mix_patches": 1}
    memory = [
        one(works_of(students__adtrs={**entry, "memory_gb": gb}), "train_student", student="adtrs").memory
        for gb in (2.0, 0.0625)
    ]
    # too little for the images, so that the patches of an epoch are read at once, and the next ones meanwhile
    assert memory[0] - memory[1] == pytest.approx(HELD - 2 * TRAIN * 3 * PATCH)


def test_viewports_take_longer_to_cut_than_crops():
    raw = copy.deepcopy(RAW) | {"datasets": {"gallery360": {}}, "experiments": [{"figure": "rate_sweep"}]}
    cut = []
    for projection in ("viewport", "crop"):
        raw["samplers"] = (
            {"lat": {"count": 4, "size": 64, "projection": projection}}
            if projection == "viewport"
            else {"erp": {"count": 4, "size": 64, "projection": projection}}
        )
        plan = plan_of(raw)
        (job,) = [job for job in plan.jobs.values() if job.rule == "embed_patches"]
        cut.append(StudyWork(plan).of(job).cut)
    assert cut[0] == VIEWED * cut[1]


def test_teachers_see_every_fresh_crop(works):
    fresh = works_of(students__rkiqt__crops="fresh")
    passes = [one(found, "train_student", student="rkiqt", split=0).forward_passes for found in (works, fresh)]
    assert passes[1] - passes[0] == pytest.approx(2 * TRAIN * 4 * 0.5)  # of two passes of a patch instead of 1.5


def test_reduced_jpegs_take_a_fraction_of_the_effort():
    raw = copy.deepcopy(RAW)
    raw["datasets"] = {"spaq": {}, "kadid10k": {}}
    raw["experiments"] = raw["experiments"][:1]
    plan = plan_of(raw)
    spaq, kadid = count_images(plan, "spaq"), count_images(plan, "kadid10k")
    assert spaq.effort_of(512 / 4032) < spaq.effort / 2 < spaq.effort < spaq.effort_of(0.9)
    assert kadid.effort_of(0.1) > kadid.effort
    assert spaq.bytes_of(512 / 4032) == 512 * 384 * 3


def test_cards_are_priced_for_the_rules_that_ask_for_one():
    rules = [
        rule
        for file in Path(__file__).parents[3].glob("rules/*.smk")
        for rule in re.split("^rule ", file.read_text(), flags=re.M)
    ]
    assert {rule.split(":")[0] for rule in rules if "gpu=GPU" in rule} == set(ON_CARD)
