"""Datasets that are embedded in parts, each by a job of its own."""

import json
from collections import Counter
from pathlib import Path

import pytest
from small_study import refused, small_study

from iqadistill.config import Plan, check_study
from iqadistill.errors import InputError
from iqadistill.evaluation.scoring_time import read_scoring_time, write_scoring_time
from iqadistill.pricing.price import price_study
from iqadistill.pricing.rates import card_rates
from iqadistill.pricing.study_work import StudyWork

EMBEDDING = {"embed_patches", "embed_shard", "gather_shards"}


def plan(shards=None, **changes):
    raw = {**small_study(), "datasets": {"gallery2d": {}}, "samplers": {"random_crops": {"count": 8, "size": 32}}}
    raw["datasets"]["gallery2d"] = {} if shards is None else {"shards": shards}
    return Plan(check_study({**raw, **changes}))


def gathered(planned):
    (job,) = [job for job in planned.jobs.values() if job.rule == "gather_shards"]
    return job


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("shards", [0, -1, 1.5, 1001, "many"])
def test_shards_are_a_number_of_jobs(shards):
    raw = small_study()
    raw["datasets"]["gallery2d"] = {"shards": shards}
    refused(raw, "datasets.gallery2d.shards", str(shards))


def test_one_shard_is_the_plan_without_any(folder):
    assert plan(1).jobs == plan().jobs
    assert not {job.rule for job in plan(1).jobs.values()} & {"embed_shard", "gather_shards"}


def test_shards_change_the_jobs_that_embed_and_the_list_of_costs_alone(folder):
    one, three = plan().jobs, plan(3).jobs
    table = gathered(plan(3)).output
    assert one[table].rule == "embed_patches"
    assert Counter(three[output].rule for output in three.keys() - one.keys()) == {"embed_shard": 3}
    different = {output for output in one if three[output] != one[output]}
    assert {three[output].rule for output in different} == {"gather_shards", "collect_costs"}
    assert all(three[output].input_files == one[output].input_files for output in different - {table})


def test_shards_read_what_one_job_reads_and_are_gathered_in_order(folder):
    planned, (whole,) = plan(11), [job for job in plan().jobs.values() if job.rule == "embed_patches"]
    shards = [job for job in planned.jobs.values() if job.rule == "embed_shard"]
    assert [job.output for job in shards] == gathered(planned).inputs["shards"]
    assert [job.file(".json") for job in shards] == gathered(planned).inputs["times"]
    assert [(job.params["number"], job.wildcards["shard"]) for job in shards] == [
        (number, f"{number + 1}-of-11") for number in range(11)
    ]
    for job in shards:
        assert job.inputs == whole.inputs and job.modules == whole.modules
        assert job.params == {**whole.params, "number": job.params["number"], "shards": 11}
        assert job.lasting == whole.lasting == whole.output
    logs = {job.log for job in planned.jobs.values()} | {whole.log}
    assert len(logs) == len(planned.jobs) + 1


def test_gathering_is_given_what_decides_its_parts(folder):
    job, (whole,) = gathered(plan(3)), [job for job in plan().jobs.values() if job.rule == "embed_patches"]
    assert (job.params, job.modules) == (whole.params, whole.modules)
    assert job.modules and {"encoder", "weights_file"} <= job.params.keys()


def test_costs_list_shards_but_do_not_keep_their_files(folder):
    (costs,) = [job for job in plan(3).jobs.values() if job.rule == "collect_costs"]
    listed = [(fact["rule"], bool(fact["sidecar"])) for fact in json.loads(costs.params["jobs"])]
    assert [fact for fact in listed if fact[0] in EMBEDDING] == [("embed_shard", False)] * 3 + [("gather_shards", True)]
    assert not any("embed_shard" in file for file in costs.input_files)


def test_table_that_exists_keeps_the_number_of_its_shards(folder):
    table = Path(gathered(plan(3)).output)
    table.parent.mkdir(parents=True)
    time = table.with_suffix(".json")
    one, three = plan().jobs, plan(3).jobs
    for made, jobs in ((1, one), (3, three)):
        table.touch()
        write_scoring_time(time, 2.0, images=3, patches=24, shards=made)
        for asked in (1, 3, 8):
            planned = plan(asked)
            assert planned.jobs == jobs
            sentence = planned.made_in_other_shards([str(table)])
            assert bool(sentence) == (asked != made)
            assert not sentence or f"delete this file, or set shards to {made}" in sentence
            assert bool(list(planned.tables_of_other_shards())) == (asked != made)
        table.unlink()
        assert plan(3).jobs == three  # no table, whatever lies beside it
    time.unlink()
    table.touch()
    assert plan(3).jobs == three and not plan(3).made_in_other_shards([str(table)])
    for damaged in ("", "{", "[]", '{"cost": {}}'):
        time.write_text(damaged)
        assert plan(3).jobs == three and not plan(3).made_in_other_shards([str(table)])


def test_time_of_a_table_names_its_shards_if_there_are_several(tmp_path):
    file = tmp_path / "time.json"
    write_scoring_time(file, 2.0, images=3, patches=24)
    assert read_scoring_time(file) == (2.0, 1) and json.loads(file.read_text()).keys() == {"cost"}
    write_scoring_time(file, 2.0, images=3, patches=24, shards=8)
    assert read_scoring_time(file) == (2.0, 8)
    for damaged in ("", "[]", '{"cost": {}}', '{"cost": null}'):
        file.write_text(damaged)
        with pytest.raises(InputError, match=r"time\.json"):
            read_scoring_time(file)


def test_work_of_shards_is_that_of_one_job(folder):
    def works(planned):
        counted = StudyWork(planned)
        return [(job, counted.of(job)) for job in planned.jobs.values() if job.rule in EMBEDDING]

    ((_, whole),) = works(plan())
    *shards, (_, gathering) = works(plan(4))
    for name in ("forward_passes", "encoder_flops", "decoded", "cut", "disk"):
        assert sum(getattr(work, name) for _, work in shards) == pytest.approx(getattr(whole, name))
    assert gathering.flops == 0 and gathering.disk == whole.disk
    assert all(work.memory < whole.memory for _, work in shards)
    stages = {stage.name: stage for stage in price_study(plan(4), card_rates(), cores=4, cards=4).stages}
    assert (stages["embed_shard"].jobs, stages["gather_shards"].jobs) == (4, 1) and "embed_patches" not in stages
    assert 0 < stages["gather_shards"].seconds < stages["embed_shard"].largest
