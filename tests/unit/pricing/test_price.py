"""Prices of tiny studies: jobs, trainings, seconds, the schedule of jobs, and prices as text."""

import copy
from dataclasses import replace

import pytest
from tiny_study import RAW, plan_of

from iqadistill.models.registry import STUDENTS
from iqadistill.pricing.networks import count_network
from iqadistill.pricing.price import LAUNCH, WEIGHTS_ROW, price_study, wall_seconds
from iqadistill.pricing.rates import Rates, card_rates
from iqadistill.pricing.table import price_markdown, price_text


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
    for seconds, hours in ((100.0, "< 0.1"), (200.0, "0.1"), (9e5, "250")):
        row = price_markdown([("tiny", replace(price, wall_seconds=seconds))]).splitlines()[-1]
        assert row.split("|")[5].strip() == hours


def test_temporary_files_are_named_below_the_table(price):
    assert "TMPDIR" not in price_text(price)
    filed = next(stage for stage in price.stages if stage.name == "train_student")
    stages = [replace(stage, temporary=2e9) if stage == filed else stage for stage in price.stages]
    text = price_text(replace(price, stages=tuple(stages)))
    assert "A job of train_student writes up to 2.0 GB to a temporary file, in the folder that TMPDIR names." in text
