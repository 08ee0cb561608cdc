"""What studies share, and what they keep apart."""

import copy
from collections import Counter
from pathlib import Path

import pytest
import yaml

from iqadistill.config import Plan, check_study
from iqadistill.config.jobs import SHARED, check_layout
from iqadistill.errors import InputError

REPOSITORY = Path(__file__).parents[3]
SHIPPED = [REPOSITORY / "config.yaml", *sorted((REPOSITORY / "studies").glob("*.yaml"))]


def plan_of(raw):
    return Plan(check_study(copy.deepcopy(raw)))


@pytest.fixture
def raw():
    return {
        "name": "first",
        "datasets": {"gallery2d": {}, "koniq10k": {}},
        "samplers": {"random_crops": {"count": 8, "size": 32}},
        "encoders": {"tiny": {"model": "test_resnet", "weights": "none"}},
        "selectors": {"residual": {"n_components": 4}},
        "keep": [0.5, 1.0],
        "teachers": {"cnn": {"model": "regressor", "backbone": "test_resnet", "weights": "none"}},
        "students": {"mlp": {}, "rkiqt": {"backbone": "test_vit", "weights": "none", "conv": "cnn", "splits": 1}},
        "experiments": [{"figure": "rate_sweep"}, {"figure": "students", "students": ["rkiqt"]}],
    }


def shared(plan):
    """Shared paths with all that decides what lies there."""
    return {
        output: (job.rule, dict(job.inputs), dict(job.params))
        for output, job in plan.jobs.items()
        if job.rule in SHARED
    }


def test_shipped_studies_share_no_path_with_different_params():
    plans = [plan_of(yaml.safe_load(file.read_text())) for file in SHIPPED]
    seen, both = {}, Counter()
    for plan in plans:
        for output, facts in shared(plan).items():
            assert seen.setdefault(output, facts) == facts, output
            both[output] += 1
    assert max(both.values()) > 1  # what agrees is shared


def test_every_job_has_a_path_of_its_own():
    for file in SHIPPED:
        plan = plan_of(yaml.safe_load(file.read_text()))
        assert len(plan.jobs) > 20
        assert len({job.benchmark for job in plan.jobs.values()}) == len(plan.jobs)


def test_every_input_is_a_result_of_the_plan_or_a_file_of_the_user():
    plan = plan_of(yaml.safe_load((REPOSITORY / "config.yaml").read_text()))
    results = {output.rsplit("/", 1)[0] for output in plan.jobs}
    for job in plan.jobs.values():
        for given in job.inputs.values():
            for file in [given] if isinstance(given, str) else given:
                folder = file.rsplit("/", 1)[0].replace("/tables", "/figures")
                assert folder in results or file.startswith("data/"), (job.output, file)


@pytest.mark.parametrize(
    ("change", "rules"),
    [
        (lambda raw: raw.update(name="second"), set()),
        (
            lambda raw: raw.update(seed=7),
            {"render_dataset", "index_dataset", "split_dataset", "sample_patches", "embed_patches", "select_patches"}
            | {"pretrain_teacher"},
        ),
        (
            lambda raw: raw["samplers"]["random_crops"].update(count=6),
            {"sample_patches", "embed_patches", "select_patches", "pretrain_teacher"},
        ),
        (lambda raw: raw["encoders"]["tiny"].update(pooling="stages"), {"embed_patches", "select_patches"}),
        (lambda raw: raw["selectors"]["residual"].update(alpha=0.2), {"select_patches"}),
        (lambda raw: raw.update(evaluation={"splits": 5}), {"split_dataset", "pretrain_teacher"}),
        (lambda raw: raw["teachers"]["cnn"].update(lr=0.1), {"pretrain_teacher"}),
        (lambda raw: raw["students"]["rkiqt"].update(lr=0.1), set()),
    ],
    ids=["name", "seed", "sampler", "encoder", "selector", "splits", "teacher", "student"],
)
def test_changed_setting_moves_what_depends_on_it_and_nothing_else(raw, change, rules):
    before = shared(plan_of(raw))
    change(raw)
    after = shared(plan_of(raw))
    assert {facts[0] for output, facts in after.items() if output not in before} == rules
    assert all(before[output] == facts for output, facts in after.items() if output in before)


def test_index_depends_on_no_sampler(raw):
    before = shared(plan_of(raw))
    raw["samplers"]["grid_crops"] = {"count": 4, "size": 300}
    after = shared(plan_of(raw))
    indexes = {output for output, facts in before.items() if facts[0] == "index_dataset"}
    assert indexes and indexes <= set(after)


def test_more_splits_of_a_deep_student_leave_the_first_ones_as_they_are(raw):
    few = plan_of(raw)
    raw["students"]["rkiqt"]["splits"] = 3
    more = plan_of(raw)
    trained = [output for output, job in few.jobs.items() if job.rule == "train_student"]
    assert trained and all(few.jobs[output] == more.jobs[output] for output in trained)
    assert sum(job.rule == "train_student" for job in more.jobs.values()) == 3 * len(trained)


def test_replaced_added_or_deleted_image_changes_the_index_job(raw, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    raw["datasets"] = {"own": {"source": "images", "root": "own"}}
    (tmp_path / "own").mkdir()
    (tmp_path / "own/a.png").write_bytes(b"one")
    (tmp_path / "own/images.csv").write_text("image,mos\na.png,3\n")

    def index_job():
        return next(job for job in plan_of(raw).jobs.values() if job.rule == "index_dataset")

    first = index_job()
    assert index_job() == first
    (tmp_path / "own/a.png").write_bytes(b"another")
    replaced = index_job()
    (tmp_path / "own/b.png").write_bytes(b"two")
    added = index_job()
    (tmp_path / "own/a.png").unlink()
    jobs = [first, replaced, added, index_job()]
    assert len({job.params["files"] for job in jobs}) == 4
    assert len({job.output for job in jobs}) == 1  # the same dataset


def test_results_of_an_older_layout_are_refused_by_name(tmp_path):
    check_layout(tmp_path / "results")
    (tmp_path / "results/index_dataset").mkdir(parents=True)
    (tmp_path / "results/index_dataset/own-0123abcd.parquet").touch()
    check_layout(tmp_path / "results")
    (tmp_path / "results/index_dataset/own.parquet").touch()
    with pytest.raises(InputError, match=r"index_dataset/own\.parquet"):
        check_layout(tmp_path / "results")
