"""A study file: its keys, its entries, and the datasets that it names."""

import json
from pathlib import Path

import pytest
import torch
import yaml
from small_study import refused, small_study

from iqadistill.config import check_study
from iqadistill.config.checks.image_checks import same_images
from iqadistill.config.experiments import kind_of, tables_of
from iqadistill.config.study import study_schema
from iqadistill.models.settings import TrainingSettings

REPOSITORY = Path(__file__).parents[3]
SHIPPED = [REPOSITORY / "config.yaml", *sorted((REPOSITORY / "studies").glob("*.yaml"))]


@pytest.fixture
def raw():
    return small_study()


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


def test_local_gallery_holds_the_contents_of_its_gallery(raw):
    raw["datasets"] |= {"gallery2d_local": {}}
    study = check_study(raw)
    assert same_images(study, "gallery2d", "gallery2d_local") and not same_images(study, "gallery2d_local", "noise360")
