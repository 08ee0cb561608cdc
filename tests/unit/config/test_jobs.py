"""Which results studies share, and which depend on a study's settings."""

import copy
from collections import Counter
from pathlib import Path

import pytest
import yaml

from iqadistill.config import Plan, check_study
from iqadistill.config.jobs.layout import SHARED, check_layout
from iqadistill.encoders.backends.timm import TimmSettings
from iqadistill.errors import InputError
from iqadistill.models.students.adtrs import AdtrsSettings
from iqadistill.models.teachers.nar_teacher import NarTeacherSettings

REPOSITORY = Path(__file__).parents[3]
SHIPPED = [REPOSITORY / "config.yaml", *sorted((REPOSITORY / "studies").glob("*.yaml"))]


def plan(raw):
    return Plan(check_study(copy.deepcopy(raw)))


@pytest.fixture
def raw():
    """Contents of a study file."""
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


def shared_jobs(planned):
    """Outputs shared between studies -> rule, inputs and parameters that determine their content."""
    return {
        output: (job.rule, dict(job.inputs), dict(job.params))
        for output, job in planned.jobs.items()
        if job.rule in SHARED
    }


def test_shipped_studies_do_not_overwrite_each_other():
    plans = [plan(yaml.safe_load(file.read_text())) for file in SHIPPED]
    seen, both = {}, Counter()
    for planned in plans:
        for output, facts in shared_jobs(planned).items():
            assert seen.setdefault(output, facts) == facts, output
            both[output] += 1
    assert max(both.values()) > 1  # equal settings share results


def test_places_and_weights_are_inputs_where_they_count(raw):
    raw["selectors"]["position"] = {}
    mean = plan(raw)
    raw["evaluation"] = {"pooling": "weighted"}
    weighted = plan(raw)
    for planned, read in ((mean, 0), (weighted, 1)):
        jobs = planned.jobs.values()
        assert {len(job.inputs["patches"]) for job in jobs if job.rule == "predict_mlps"} == {read}
        for job in jobs:
            if job.rule == "select_patches":
                placed = job.names["selector"] == "position"
                assert len(job.inputs["patches"]) == len(job.inputs["images"]) == placed


def test_resnet50_is_the_same_network_in_all_studies_and_defaults():
    entries = [Registered() for Registered in (TimmSettings, AdtrsSettings, NarTeacherSettings)]
    for file in SHIPPED:
        study = check_study(yaml.safe_load(file.read_text()))
        entries += [*study.encoders.values(), *study.teachers.values(), *study.students.values()]
    networks = {getattr(entry, key, None) for entry in entries for key in ("model", "backbone")}
    assert {name for name in networks if name and name.startswith("resnet50")} == {"resnet50.tv_in1k"}


def test_jobs_have_distinct_paths():
    for file in SHIPPED:
        jobs = plan(yaml.safe_load(file.read_text())).jobs
        assert len(jobs) > 10
        assert len({job.benchmark for job in jobs.values()}) == len(jobs)


def test_headline_shares_all_but_mlps_and_what_is_drawn(raw):
    raw["experiments"].append({"figure": "controls", "keep": [0.5], "students": ["mlp"]})
    assert not plan(raw).has_headline
    with pytest.raises(InputError, match="headline: true"):
        plan(raw).headline  # noqa: B018
    raw["experiments"][1]["headline"] = True
    planned = plan(raw)
    headline = planned.headline
    shared = set(headline.jobs) & set(planned.jobs)
    assert all(headline.jobs[output] == planned.jobs[output] for output in shared)
    own = {output: job for output, job in headline.jobs.items() if output not in shared}
    assert Counter(job.rule for job in own.values()) == {
        "evaluate": 1, "compare": 1, "collect_costs": 1, "plot_metrics": 1, "render_report": 1,
    }  # fmt: skip
    assert all(output.startswith("results/studies/first/headline/") for output in own)
    assert {job.rule for job in headline.jobs.values()} >= {"train_student", "pretrain_teacher", "predict"}
    for job in own.values():
        assert planned.job(job.rule, job.wildcards) == job
    assert not headline.has_headline


def test_headline_trains_mlps_of_its_own(raw):
    raw["experiments"][0]["headline"] = True
    raw["experiments"].append({"figure": "controls", "keep": [0.25], "students": ["mlp"]})
    planned = plan(raw)
    trained = planned.headline.outputs("train_mlps")
    assert trained and all(file.startswith("results/train_mlps/first/headline/") for file in trained)
    assert len(planned.headline.jobs[trained[0]].params["variants"]) < len(
        planned.jobs[trained[0].replace("/headline", "")].params["variants"]
    )


def test_job_inputs_are_results_or_user_files():
    jobs = plan(yaml.safe_load((REPOSITORY / "config.yaml").read_text())).jobs
    results = {output.rsplit("/", 1)[0] for output in jobs}
    for job in jobs.values():
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
def test_changed_setting_moves_only_dependent_results(raw, change, rules):
    before = shared_jobs(plan(raw))
    change(raw)
    after = shared_jobs(plan(raw))
    assert {facts[0] for output, facts in after.items() if output not in before} == rules
    assert all(before[output] == facts for output, facts in after.items() if output in before)


def test_student_entries_show_kept_patches_beside_all(raw):
    raw["students"] = {"mlp": {"test_patches": ["all", "kept"]}, "rkiqt": raw["students"]["rkiqt"]}
    raw["experiments"] = [{"figure": "students", "students": ["mlp", "rkiqt"]}]
    before = plan(raw).jobs
    raw["students"]["rkiqt"]["test_patches"] = "kept"
    after = plan(raw).jobs
    scored = {job.names["student"]: job.params["test_patches"] for job in after.values() if "predict" in job.rule}
    assert scored == {"mlp.test_patches-all": "all", "mlp.test_patches-kept": "kept", "rkiqt": "kept"}
    trained = [{k: job.params for k, job in jobs.items() if job.rule == "train_student"} for jobs in (before, after)]
    assert trained[0] == trained[1]  # nothing is trained again


def test_scoring_of_a_student_comes_before_that_of_the_evaluation_and_trains_nothing_again(raw):
    raw["students"] = {"mlp": {"max_test_patches": [2, 3]}, "rkiqt": raw["students"]["rkiqt"]}
    raw["students"]["rkiqt_again"] = raw["students"]["rkiqt"]
    raw["experiments"] = [{"figure": "students", "students": ["mlp", "rkiqt", "rkiqt_again"]}]
    raw["evaluation"] = {"max_test_patches": 4, "flip": True}
    before = plan(raw).jobs
    raw["students"]["rkiqt"] = {**raw["students"]["rkiqt"], "max_test_patches": 1, "flip": False}
    after = plan(raw).jobs
    scored = {job.names["student"]: job.params for job in after.values() if job.rule in ("predict_mlps", "predict")}
    limits = {name: params["max_test_patches"] for name, params in scored.items()}
    assert limits == {"mlp.max_test_patches-2": 2, "mlp.max_test_patches-3": 3, "rkiqt": 1, "rkiqt_again": 4}
    assert {name: params.get("flip") for name, params in scored.items() if "mlp" not in name} == {
        "rkiqt": False,
        "rkiqt_again": True,
    }
    different = {output for output, job in after.items() if before[output] != job}
    assert different and {after[output].rule for output in different} == {"predict", "render_report"}


def test_index_does_not_depend_on_samplers(raw):
    before = shared_jobs(plan(raw))
    raw["samplers"]["grid_crops"] = {"count": 4, "size": 300}
    after = shared_jobs(plan(raw))
    indexes = {output for output, facts in before.items() if facts[0] == "index_dataset"}
    assert indexes and indexes <= set(after)


def test_additional_splits_keep_existing_student_jobs(raw):
    few = plan(raw)
    raw["students"]["rkiqt"]["splits"] = 3
    more = plan(raw)
    trained = [output for output, job in few.jobs.items() if job.rule == "train_student"]
    assert trained and all(few.jobs[output] == more.jobs[output] for output in trained)
    assert sum(job.rule == "train_student" for job in more.jobs.values()) == 3 * len(trained)


def test_changed_image_files_change_index_job(raw, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    raw["datasets"] = {"own": {"source": "images", "root": "own"}}
    (tmp_path / "own").mkdir()
    (tmp_path / "own/a.png").write_bytes(b"one")
    (tmp_path / "own/images.csv").write_text("image,mos\na.png,3\n")

    def index_job():
        return next(job for job in plan(raw).jobs.values() if job.rule == "index_dataset")

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


def test_results_of_older_layout_are_refused(tmp_path):
    check_layout(tmp_path / "results")
    (tmp_path / "results/index_dataset").mkdir(parents=True)
    (tmp_path / "results/index_dataset/own-0123abcd.parquet").touch()
    check_layout(tmp_path / "results")
    (tmp_path / "results/index_dataset/own.parquet").touch()
    with pytest.raises(InputError, match=r"index_dataset/own\.parquet"):
        check_layout(tmp_path / "results")


@pytest.fixture
def official(raw):
    """Function from the kinds of splits of koniq10k and the splits of a student to the plan of a study of 3 splits."""

    def build(kinds, splits=None):
        raw["evaluation"] = {"splits": 3}
        raw["datasets"] = {"koniq10k": {"splits": kinds}, "livec": {}}
        raw["students"]["rkiqt"]["splits"] = splits
        raw["experiments"] = [
            {"figure": "students", "datasets": ["koniq10k"], "students": ["mlp", "rkiqt"]},
            {"figure": "cross_dataset", "datasets": ["koniq10k"], "tested_on": ["livec"], "students": ["rkiqt"]},
        ]
        return plan(raw)

    return build


@pytest.mark.parametrize(
    ("kinds", "splits", "trained", "tested"),
    [
        (["random", "official"], None, {0, 1, 2, 3}, {0, 1, 2}),
        (["random", "official"], 2, {0, 1}, {0, 1}),
        (["official"], 2, {3}, {3}),
        (["random"], None, {0, 1, 2}, {0, 1, 2}),
    ],
)
def test_official_split_is_one_more_training_of_students_on_all_splits(official, kinds, splits, trained, tested):
    planned = official(kinds, splits)
    assert {job.split for job in planned.student_jobs} == trained
    assert {test.job.split for test in planned.cross_tests} == tested


def test_jobs_of_statistics_are_told_the_official_split(official):
    jobs = official(["random", "official"]).jobs.values()
    given = {job.rule: job.params["official"] for job in jobs if "official" in job.params}
    assert given == dict.fromkeys(["evaluate", "compare", "plot_metrics", "render_report"], '{"koniq10k": 3}')


def test_every_figure_is_flagged_for_the_archive_and_has_a_caption():
    rules = (REPOSITORY / "rules/report.smk").read_text()
    assert rules.count("png=report(") == rules.count('caption="captions/figure.rst"') == 4
    for file in SHIPPED:
        for job in plan(yaml.safe_load(file.read_text())).jobs.values():
            if job.rule in ("plot_metrics", "plot_selection", "plot_budgets", "plot_damage"):
                assert len(job.params["caption"]) > 40, job.output
