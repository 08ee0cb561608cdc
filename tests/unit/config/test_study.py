import json
from pathlib import Path

import pytest
import torch
import yaml

from iqadistill.config import check_study
from iqadistill.config.experiments import kind_of, selectors_of, students_of, tables_of
from iqadistill.config.jobs import MlpJob, Plan
from iqadistill.config.study import study_schema
from iqadistill.errors import InputError

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def raw():
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
    with pytest.raises(InputError) as caught:
        check_study(raw)
    sentence = str(caught.value)
    assert "\n" not in sentence
    for part in parts:
        assert part in sentence, sentence


def test_every_shipped_study_is_valid():
    for file in [REPOSITORY / "config.yaml", *sorted((REPOSITORY / "studies").glob("*.yaml"))]:
        assert check_study(yaml.safe_load(file.read_text())).name


SHIPPED = [REPOSITORY / "config.yaml", *sorted((REPOSITORY / "studies").glob("*.yaml"))]


@pytest.mark.slow
@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_networks_of_every_shipped_study_can_be_built(file):
    study = check_study(yaml.safe_load(file.read_text()))
    entries = [*study.students.values(), *study.teachers.values()]
    networks = {}
    for entry in entries:
        if getattr(entry, "learns_from", "pixels") == "pixels":
            bare = entry.without_weights()
            training = {name for name in type(bare).model_fields if name in ("epochs", "lr", "splits", "schedule")}
            networks.setdefault(bare.model_dump_json(exclude=training), bare)
    for entry in networks.values():
        with torch.device("meta"):
            assert entry.create_network(entry.size or 224)


def test_committed_schema_is_that_of_the_models():
    assert json.loads((REPOSITORY / "schemas/study.schema.json").read_text()) == study_schema()


def test_every_setting_says_what_it_is():
    for name, model in study_schema()["$defs"].items():
        for key, entry in model.get("properties", {}).items():
            assert entry.get("description"), f"{name}.{key}"


@pytest.mark.parametrize(
    ("where", "key", "nearest"),
    [
        ((), "experimnts", "experiments"),
        (("evaluation",), "split", "splits"),
        (("samplers", "erp"), "counts", "count"),
        (("selectors", "residual"), "aplha", "alpha"),
        (("students", "mlp"), "epoch", "epochs"),
        (("experiments", 0), "dataset", "datasets"),
    ],
)
def test_unknown_key_is_named_with_the_nearest_valid_one(raw, where, key, nearest):
    raw["evaluation"] = {}
    place = raw
    for part in where:
        place = place[part]
    place[key] = 1
    refused(raw, key, f"did you mean '{nearest}'?")


@pytest.mark.parametrize("rate", [0, -0.1, 1.01, 2])
def test_keep_rate_outside_zero_to_one_is_refused(raw, rate):
    raw["keep"] = [0.5, rate]
    refused(raw, "keep.1", str(rate))


def test_h_above_the_patches_of_an_image_is_refused_before_any_work(raw):
    raw["selectors"]["residual"]["n_components"] = 9
    refused(raw, "selectors.residual.n_components", "h = 9", "8 patches")


def test_unknown_method_names_the_nearest(raw):
    raw["selectors"]["mine"] = {"method": "residal"}
    refused(raw, "selectors.mine.method", "did you mean 'residual'?")


def test_entry_without_method_lists_the_methods(raw):
    raw["samplers"]["mine"] = {"count": 3}
    refused(raw, "samplers.mine", "random_crops")


def test_experiment_naming_something_undefined_is_refused(raw):
    raw["experiments"][0]["selectors"] = ["residul"]
    refused(raw, "experiments[0]", "'residul'", "did you mean 'residual'?")


def test_experiment_whose_samplers_do_not_fit_its_datasets_is_refused(raw):
    raw["experiments"][0] |= {"datasets": ["gallery2d"], "samplers": ["erp"]}
    refused(raw, "experiments[0]", "no sampler fits")


def test_unscored_dataset_cannot_train(raw):
    raw["experiments"][0] |= {"datasets": ["noise360"]}
    refused(raw, "noise360", "no scores")


def test_two_experiments_of_one_name_are_refused(raw):
    raw["experiments"] *= 2
    refused(raw, "'rate_sweep' is given twice")


def test_setting_that_the_method_does_not_take_is_refused(raw):
    raw["selectors"]["kcenter"] = {"alpha": 0.3}
    refused(raw, "selectors.kcenter.alpha", "unknown key")


@pytest.mark.parametrize(
    ("section", "entry", "settings", "key"),
    [
        ("students", "adtrs", {"pretrained": False}, "weights: none"),
        ("students", "rkiqt", {"stem_pretrained": "packaged"}, "stem_weights: packaged"),
        ("teachers", "cnn", {"model": "regressor", "pretrained": True}, "weights: hub"),
    ],
)
def test_renamed_key_is_refused_with_the_present_one(raw, section, entry, settings, key):
    raw.setdefault(section, {})[entry] = settings
    refused(raw, f"{section}.{entry}", key)


def test_grids_is_no_key_of_a_study(raw):
    raw["grids"] = {"mine": ["residual"]}
    refused(raw, "grids", "unknown key")


def test_missing_section_is_named(raw):
    del raw["encoders"]
    refused(raw, "encoders")


def test_unknown_source_names_the_nearest(raw):
    raw["datasets"]["gallery36"] = {}
    refused(raw, "datasets.gallery36.source", "did you mean 'gallery360'?")


def test_list_value_makes_a_grid_of_selectors(raw):
    study = check_study(raw)
    assert study.grids["residual_ab"] == (
        "residual_ab.alpha-0.1.beta-0.1",
        "residual_ab.alpha-0.1.beta-1.0",
        "residual_ab.alpha-1.0.beta-0.1",
        "residual_ab.alpha-1.0.beta-1.0",
    )
    chosen = study.selectors["residual_ab.alpha-1.0.beta-0.1"]
    assert (chosen.alpha, chosen.beta, chosen.method) == (1.0, 0.1, "residual")


def test_grids_join_an_experiment_only_by_name(raw):
    study = check_study(raw)
    assert selectors_of(study, study.experiments[0]) == ["residual", "random"]
    raw["experiments"][0]["selectors"] = ["residual_ab"]
    study = check_study(raw)
    assert len(selectors_of(study, study.experiments[0])) == 4


def test_random_and_all_patches_are_always_trained_as_controls(raw):
    raw["experiments"][0] |= {"selectors": ["residual"], "datasets": ["gallery2d"]}
    assert Plan(check_study(raw)).mlp_jobs == {
        MlpJob("gallery2d", "random_crops", "tiny", "mlp"): [("all", 1.0), ("random", 0.5), ("residual", 0.5)]
    }


def test_samplers_meet_only_datasets_of_their_kind(raw):
    study = check_study(raw)
    tables = {(t.dataset, t.sampler) for t in tables_of(study, study.experiments[0])}
    assert tables == {("gallery2d", "random_crops"), ("gallery360", "erp")}


def test_mirror_is_for_archives_only(raw):
    raw["datasets"]["kadid10k"] = {"url": "https://example.org/mirror"}
    assert check_study(raw).datasets["kadid10k"].url == "https://example.org/mirror"
    raw["datasets"]["gallery2d"] = {"url": "https://example.org/mirror"}
    refused(raw, "datasets.gallery2d.url", "'gallery2d'")
    raw["datasets"]["gallery2d"] = {"url": "ftp://example.org"}
    refused(raw, "datasets.gallery2d.url", "ftp://example.org")


def test_own_entry_is_a_source_with_its_kind(raw, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    entry = {"title": "Ours", "kind": "sphere", "origin": "folder", "score": {}}
    (tmp_path / "datasets.yaml").write_text(yaml.safe_dump({"lab": entry}))
    raw["datasets"]["lab"] = {}
    study = check_study(raw)
    assert kind_of(study, "lab") == "sphere"
    assert ("lab", "erp") in {(t.dataset, t.sampler) for t in tables_of(study, study.experiments[0])}


def test_official_split_that_a_source_does_not_have_is_refused(raw):
    raw["datasets"]["koniq10k"] = {"root": "data/koniq10k", "splits": ["random", "official"]}
    assert check_study(raw).datasets["koniq10k"].splits == ("random", "official")
    raw["datasets"]["gallery2d"] = {"splits": ["official"]}
    refused(raw, "datasets.gallery2d.splits", "no official split")


def test_crops_that_scale_with_the_picture_need_an_encoder_with_a_size(raw):
    raw["samplers"]["random_crops"]["longer_side"] = 512
    refused(raw, "encoders.tiny.size", "random_crops", "such as 32")
    raw["encoders"]["tiny"]["size"] = 32
    assert check_study(raw).samplers["random_crops"].longer_side == 512


def deep(raw, **settings):
    raw["students"]["adtrs"] = {"backbone": "test_resnet", "weights": "none", **settings}
    return raw


def test_deep_students_are_trained_only_where_an_experiment_names_them(raw):
    study = check_study(deep(raw))
    assert Plan(study).student_jobs == []
    raw["experiments"].append({"figure": "students", "datasets": ["gallery2d"], "students": ["mlp", "adtrs"]})
    study = check_study(raw)
    runs = Plan(study).student_jobs
    assert {(run.dataset, run.selector, run.keep, run.student) for run in runs} == {("gallery2d", "all", 1.0, "adtrs")}
    assert [run.split for run in runs] == list(range(10))


def test_deep_student_meets_selectors_and_keep_rates(raw):
    raw["experiments"] = [
        {"figure": "rate_sweep", "datasets": ["gallery2d"], "selectors": ["residual"], "students": ["adtrs"]}
    ]
    study = check_study(deep(raw, splits=2))
    variants = {(run.selector, run.keep) for run in Plan(study).student_jobs}
    assert variants == {("all", 1.0), ("residual", 0.5), ("random", 0.5)}
    assert {run.split for run in Plan(study).student_jobs} == {0, 1}
    assert Plan(study).mlp_jobs == {}


def test_list_in_a_deep_student_makes_a_grid_but_flips_stay_a_list(raw):
    deep(raw, branches=["cnn", "fused"], flips=["horizontal", "vertical"])
    raw["experiments"].append({"figure": "students", "datasets": ["gallery2d"], "students": ["adtrs"]})
    study = check_study(raw)
    assert students_of(study, study.experiments[1]) == ["adtrs.branches-cnn", "adtrs.branches-fused"]
    assert study.students["adtrs.branches-cnn"].flips == ("horizontal", "vertical")
    assert study.students["mlp"].dropout == (0.5, 0.25)


def test_wrong_setting_of_a_deep_student_is_named(raw):
    refused(deep(raw, block=2), "students.adtrs.block", "did you mean 'blocks'?")
    raw["students"] = {"mine": {"model": "adtr"}}
    refused(raw, "students.mine.model", "did you mean 'adtrs'?")
    raw["students"] = {"mine": {}}
    refused(raw, "students.mine", "no model", "adtrs")


def test_patience_needs_validation_images(raw):
    raw["experiments"].append({"figure": "students", "datasets": ["gallery2d"], "students": ["adtrs"]})
    refused(deep(raw, patience=2), "students.adtrs.patience", "val_fraction")


def test_crops_that_scale_with_the_picture_need_a_deep_student_with_a_size(raw):
    raw["samplers"]["random_crops"]["longer_side"] = 512
    raw["encoders"]["tiny"]["size"] = 32
    raw["experiments"].append({"figure": "students", "datasets": ["gallery2d"], "students": ["adtrs"]})
    refused(deep(raw), "students.adtrs.size", "such as 32")


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
def test_figure_of_all_patches_refuses_what_it_would_not_show(raw, key):
    values = {"selectors": ["residual"], "keep": [0.5]}
    raw["experiments"].append({"figure": "pooling", "datasets": ["gallery2d"], key: values[key]})
    refused(raw, f"experiments[1] (pooling).{key}", "all patches")


def test_figure_refuses_selectors_without_the_setting_it_shows(raw):
    raw["experiments"].append({"figure": "dimension", "selectors": ["residual", "random"], "keep": [0.5]})
    refused(raw, "experiments[1]", "n_components", "'random'")
