import json
from pathlib import Path

import pytest
import torch
import yaml

from iqadistill.config import check_study
from iqadistill.config.checks.image_checks import same_images
from iqadistill.config.experiments import kind_of, selectors_of, students_of, tables_of
from iqadistill.config.jobs.plan import Plan
from iqadistill.config.jobs.trainings import MlpJob
from iqadistill.config.study import study_schema
from iqadistill.errors import InputError
from iqadistill.models.settings import TrainingSettings

REPOSITORY = Path(__file__).parents[3]
SHIPPED = [REPOSITORY / "config.yaml", *sorted((REPOSITORY / "studies").glob("*.yaml"))]


@pytest.fixture
def raw():
    """Contents of a study file."""
    return {
        "name": "small",
        "datasets": {"gallery2d": {}, "gallery360": {}, "noise360": {}},
        "samplers": {"random_crops": {"count": 8, "size": 32}, "erp": {"count": 8, "size": 32}},
        "encoders": {"tiny": {"model": "test_resnet", "weights": "none"}},
        "selectors": {
            "residual": {"n_components": 4},
            "residual_ab": {"n_components": 2, "alpha": [0.1, 1.0], "beta": [0.1, 1.0]},
        },
        "keep": [0.5, 1.0],
        "students": {"mlp": {}},
        "experiments": [{"figure": "rate_sweep"}],
    }


def refused(raw, *parts):
    """Assert that the study is refused with a one-line error message that contains all parts."""
    with pytest.raises(InputError) as caught:
        check_study(raw)
    message = str(caught.value)
    assert "\n" not in message
    assert all(part in message for part in parts), message


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_shipped_studies_are_valid(file):
    assert check_study(yaml.safe_load(file.read_text())).name


@pytest.mark.slow
@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_networks_of_shipped_studies_can_be_built(file):
    study = check_study(yaml.safe_load(file.read_text()))
    entries = [*study.students.values(), *study.teachers.values()]
    networks = {}
    for entry in entries:
        if getattr(entry, "learns_from", "pixels") == "pixels":
            bare = entry.without_weights()
            networks.setdefault(bare.model_dump_json(exclude={"splits", *TrainingSettings.model_fields}), bare)
    for entry in networks.values():
        with torch.device("meta"):
            assert entry.create_network(entry.size or 224)


def test_committed_schema_is_up_to_date():
    assert json.loads((REPOSITORY / "schemas/study.schema.json").read_text()) == study_schema()


def test_every_setting_has_a_description():
    for name, model in study_schema()["$defs"].items():
        for key, entry in model.get("properties", {}).items():
            assert entry.get("description"), f"{name}.{key}"


@pytest.mark.parametrize(
    ("where", "key", "nearest"),
    [
        ((), "experimnts", "experiments"),
        (("evaluation",), "split", "splits"),
        (("evaluation",), "protocols", "protocol"),
        (("samplers", "erp"), "counts", "count"),
        (("selectors", "residual"), "aplha", "alpha"),
        (("students", "mlp"), "epoch", "epochs"),
        (("experiments", 0), "dataset", "datasets"),
    ],
)
def test_unknown_key_suggests_the_nearest(raw, where, key, nearest):
    raw["evaluation"] = {}
    section = raw
    for part in where:
        section = section[part]
    section[key] = 1
    refused(raw, key, f"'{nearest}'")


@pytest.mark.parametrize("rate", [0, -0.1, 1.01, 2])
def test_keep_rate_outside_zero_to_one_is_refused(raw, rate):
    raw["keep"] = [0.5, rate]
    refused(raw, "keep.1", str(rate))


def test_more_components_than_patches_are_refused(raw):
    raw["selectors"]["residual"]["n_components"] = 9
    refused(raw, "selectors.residual.n_components", "9", "8")


@pytest.mark.parametrize(
    ("section", "name", "settings", "parts"),
    [
        ("selectors", "mine", {"method": "residal"}, ["selectors.mine.method", "'residual'"]),
        ("samplers", "mine", {"count": 3}, ["samplers.mine", "random_crops"]),
        ("selectors", "kcenter", {"alpha": 0.3}, ["selectors.kcenter.alpha"]),
        ("datasets", "gallery36", {}, ["datasets.gallery36.source", "'gallery360'"]),
        ("students", "adtrs", {"pretrained": False}, ["students.adtrs", "weights: none"]),
        ("students", "rkiqt", {"stem_pretrained": "packaged"}, ["students.rkiqt", "stem_weights: packaged"]),
        ("teachers", "cnn", {"model": "regressor", "pretrained": True}, ["teachers.cnn", "weights: hub"]),
    ],
    ids=[
        "unknown method",
        "missing method",
        "setting of another method",
        "unknown source",
        "former key of a student",
        "former key of a stem",
        "former key of a teacher",
    ],
)
def test_invalid_entry_is_refused(raw, section, name, settings, parts):
    raw.setdefault(section, {})[name] = settings
    refused(raw, *parts)


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


def test_grids_is_not_a_study_key(raw):
    raw["grids"] = {"mine": ["residual"]}
    refused(raw, "grids:")


def test_missing_section_is_refused(raw):
    del raw["encoders"]
    refused(raw, "encoders")


def test_list_value_spans_a_selector_grid(raw):
    study = check_study(raw)
    assert study.grids["residual_ab"] == (
        "residual_ab.alpha-0.1.beta-0.1",
        "residual_ab.alpha-0.1.beta-1.0",
        "residual_ab.alpha-1.0.beta-0.1",
        "residual_ab.alpha-1.0.beta-1.0",
    )
    chosen = study.selectors["residual_ab.alpha-1.0.beta-0.1"]
    assert (chosen.alpha, chosen.beta, chosen.method) == (1.0, 0.1, "residual")


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


def test_url_is_for_archives_only(raw):
    raw["datasets"]["kadid10k"] = {"url": "https://example.org/mirror"}
    assert check_study(raw).datasets["kadid10k"].url == "https://example.org/mirror"
    raw["datasets"]["gallery2d"] = {"url": "https://example.org/mirror"}
    refused(raw, "datasets.gallery2d.url", "'gallery2d'")
    raw["datasets"]["gallery2d"] = {"url": "ftp://example.org"}
    refused(raw, "datasets.gallery2d.url", "ftp://example.org")


def test_user_dataset_is_a_source(raw, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    entry = {"title": "Ours", "kind": "sphere", "origin": "folder", "score": {}}
    (tmp_path / "datasets.yaml").write_text(yaml.safe_dump({"lab": entry}))
    raw["datasets"]["lab"] = {}
    study = check_study(raw)
    assert kind_of(study, "lab") == "sphere"
    assert ("lab", "erp") in {(t.dataset, t.sampler) for t in tables_of(study, study.experiments[0])}


def test_missing_official_split_is_refused(raw):
    raw["datasets"]["koniq10k"] = {"root": "data/koniq10k", "splits": ["random", "official"]}
    assert check_study(raw).datasets["koniq10k"].splits == ("random", "official")
    raw["datasets"]["gallery2d"] = {"splits": ["official"]}
    refused(raw, "datasets.gallery2d.splits", "official")


def test_image_relative_crops_need_encoder_size(raw):
    raw["samplers"]["random_crops"]["longer_side"] = 512
    refused(raw, "encoders.tiny.size", "random_crops", "32")
    raw["encoders"]["tiny"]["size"] = 32
    assert check_study(raw).samplers["random_crops"].longer_side == 512


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


@pytest.mark.parametrize("figure", ["controls", "dimension", "overlap", "kept_patches"])
def test_figure_of_one_keep_rate_refuses_several(raw, figure):
    raw["keep"] = [0.2, 0.5, 1.0]
    experiment = {"figure": figure, "datasets": ["gallery2d"], "selectors": ["residual"]}
    raw["experiments"].append({**experiment, "keep": [0.2, 0.5]})
    refused(raw, "experiments[1]", "keep", "[0.2, 0.5]")
    raw["experiments"][1] = experiment
    refused(raw, "experiments[1]", "keep", "[0.2, 0.5]")
    raw["experiments"][1] = {**experiment, "keep": [0.2]}
    assert check_study(raw)


@pytest.mark.parametrize("key", ["selectors", "keep"])
def test_figure_of_all_patches_refuses_selectors_and_keep_rates(raw, key):
    values = {"selectors": ["residual"], "keep": [0.5]}
    raw["experiments"].append({"figure": "pooling", "datasets": ["gallery2d"], key: values[key]})
    refused(raw, f"experiments[1] (pooling).{key}")


def test_figure_of_at_most_one_keep_rate_takes_none_or_one(raw):
    experiment = {"figure": "distortions", "datasets": ["gallery2d"]}
    raw["experiments"].append(experiment)
    assert check_study(raw)
    raw["experiments"][1] = {**experiment, "selectors": ["residual"]}
    refused(raw, "experiments[1] (distortions).keep: missing")
    raw["experiments"][1] |= {"keep": [0.2, 0.5]}
    refused(raw, "experiments[1] (distortions).keep", "[0.2, 0.5]")
    raw["experiments"][1] |= {"keep": [0.5]}
    assert check_study(raw)


def test_figure_of_distortions_refuses_labels_without_types(raw):
    raw["datasets"]["livec"] = {}
    raw["experiments"].append({"figure": "distortions", "datasets": ["gallery2d", "livec"]})
    refused(raw, "experiments[1] (distortions).datasets", "'livec' name no types of distortion")


def test_budget_trains_on_all_patches_and_ranks_for_the_test_images(raw):
    raw["selectors"] |= {"position": {}, "random": {}}
    raw["experiments"] = [{"figure": "budget", "datasets": ["gallery2d"]}]
    planned = Plan(check_study(raw))
    assert list(planned.mlp_jobs.values()) == [[("all", 1.0)]]
    (job,) = (job for job in planned.jobs.values() if job.rule == "score_budgets")
    assert json.loads(job.params["selectors"]) == ["residual", "position"]
    assert list(json.loads(job.params["weighted"])) == ["position"]
    assert len(job.inputs["selections"]) == 2 and job.inputs["scores"] == planned.outputs("predict_patches")
    (timed,) = (job for job in planned.jobs.values() if job.rule == "time_budgets")
    assert list(json.loads(timed.params["selectors"])) == ["position", "residual"]
    assert [names["student"] for names in json.loads(timed.params["names"])] == ["mlp"]
    assert timed.inputs["weights"] == planned.outputs("train_mlps")
    for output in (*job.inputs["selections"], *job.inputs["scores"], *job.inputs["embeddings"]):
        assert output in planned.jobs
    raw["experiments"] = [{"figure": "rate_sweep", "datasets": ["gallery2d"]}]
    assert Plan(check_study(raw)).outputs("predict_patches", "score_budgets", "plot_budgets") == []


def test_budget_refuses_selectors_with_the_names_of_its_own_rows(raw):
    raw["selectors"]["learned"] = {"method": "herding"}
    raw["experiments"].append({"figure": "budget", "datasets": ["gallery2d"]})
    refused(raw, "experiments[1] (budget).selectors", "learned")


def test_budget_refuses_what_it_cannot_show(raw):
    raw["students"]["adtrs"] = {"backbone": "test_resnet", "weights": "none"}
    raw["experiments"].append({"figure": "budget", "datasets": ["gallery2d"], "students": ["adtrs"]})
    refused(raw, "experiments[1] (budget).students", "'adtrs'", "mlp")
    raw["experiments"][1] = {"figure": "budget", "datasets": ["gallery2d"], "keep": [0.5]}
    refused(raw, "experiments[1] (budget).keep")
    raw["experiments"][1] = {"figure": "budget", "datasets": ["noise360"]}
    refused(raw, "experiments[1] (budget).datasets", "'noise360'")


def test_damage_trains_on_all_patches_and_reads_rankings_and_patch_scores(raw):
    raw["datasets"] = {"gallery2d_local": {}}
    raw["selectors"] |= {"position": {}, "random": {}}
    raw["experiments"] = [{"figure": "damage"}]
    planned = Plan(check_study(raw))
    assert list(planned.mlp_jobs.values()) == [[("all", 1.0)]]
    (job,) = (job for job in planned.jobs.values() if job.rule == "score_damage")
    assert json.loads(job.params["selectors"]) == ["residual", "position", "random"]
    assert len(job.inputs["selections"]) == 3 and job.inputs["scores"] == planned.outputs("predict_patches")
    (drawn,) = (job for job in planned.jobs.values() if job.rule == "plot_damage")
    assert drawn.inputs["damage"] == job.output and drawn.inputs["damaged_patches"] == job.file(".patches.parquet")


def test_damage_refuses_what_it_cannot_show(raw):
    raw["datasets"] |= {"gallery2d_local": {}, "own": {"source": "images"}}
    raw["experiments"].append({"figure": "damage", "datasets": ["own", "gallery2d_local"]})
    assert check_study(raw)  # only the user's images.csv tells whether there are regions
    raw["experiments"][1] = {"figure": "damage", "datasets": ["gallery2d_local"], "keep": [0.5]}
    refused(raw, "experiments[1] (damage).keep")
    raw["experiments"][1] = {"figure": "damage", "datasets": ["gallery2d"]}
    refused(raw, "experiments[1] (damage).datasets", "'gallery2d'", "gallery360_local")


def test_local_gallery_holds_the_contents_of_its_gallery(raw):
    raw["datasets"] |= {"gallery2d_local": {}}
    study = check_study(raw)
    assert same_images(study, "gallery2d", "gallery2d_local") and not same_images(study, "gallery2d_local", "noise360")


def test_figure_that_ranks_embeddings_of_its_own_refuses_positions(raw):
    raw["selectors"]["position"] = {}
    raw["experiments"].append({"figure": "copies", "datasets": ["gallery2d"], "selectors": ["position"]})
    refused(raw, "experiments[1] (copies).selectors", "'position'")


def test_dimension_figure_refuses_selector_without_components(raw):
    raw["experiments"].append({"figure": "dimension", "selectors": ["residual", "random"], "keep": [0.5]})
    refused(raw, "experiments[1]", "n_components", "'random'")


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
