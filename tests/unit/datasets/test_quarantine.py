"""Whatever is wrong with one image: it stops the run by name, or is left out with its reason and the rest is used."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from iqadistill.config.jobs.plan import Plan
from iqadistill.config.load import check_study
from iqadistill.datasets import index_dataset
from iqadistill.errors import InputError
from iqadistill.sampling.image_checks import PatchRule
from iqadistill.sampling.registry import SAMPLERS

CROP = PatchRule(64)
RELATIVE = PatchRule(224, longer_side=512)


def write(folder, size, score="3", damage=None):
    """Three good images of 200 x 100 pixels and odd.png."""
    for name, pixels in (("a", (200, 100)), ("b", (200, 100)), ("c", (200, 100)), ("odd", size)):
        Image.new("RGB", pixels, "red").save(folder / f"{name}.png")
    if damage is not None:
        (folder / "odd.png").write_bytes(damage)
    (folder / "images.csv").write_text(f"image,mos\na.png,1\nb.png,3\nodd.png,{score}\nc.png,5\n")
    return folder


def index(folder, **settings):
    return index_dataset("own", folder, source="images", **settings)[0].to_pandas()


@pytest.mark.parametrize(
    ("settings", "wrong", "reason"),
    [
        ({}, {"damage": b"not an image"}, "cannot be decoded"),
        ({}, {"damage": b""}, "cannot be decoded"),
        ({"rules": [CROP]}, {"size": (63, 200)}, "63 x 200 pixels, expected at least 64 x 64"),
        ({"rules": [CROP]}, {"size": (1, 1)}, "1 x 1 pixels"),
        ({"rules": [RELATIVE]}, {"size": (2560, 1080)}, "expected at least 1120 x 1120"),
        ({"rules": [RELATIVE]}, {"size": (1024, 229)}, "expected at least 448 x 448"),
        ({"rules": [PatchRule(8), CROP, PatchRule(300, None, "enlarge")]}, {"size": (40, 80)}, "at least 64 x 64"),
        ({"kind": "sphere"}, {"size": (128, 128)}, "128x128 pixels, but a panorama is twice as wide"),
        ({"kind": "sphere"}, {"size": (127, 64)}, "127x64 pixels"),
        ({}, {"score": "NA"}, "has no finite mos"),
        ({}, {"score": "nan"}, "has no finite mos"),
        ({}, {"score": "-inf"}, "has no finite mos"),
        ({}, {"score": ""}, "has no finite mos"),
        ({}, {"score": "N/A"}, "has no finite mos"),
    ],
)
def test_quarantine_covers_every_reason(tmp_path, settings, wrong, reason):
    write(tmp_path, **{"size": (200, 100), **wrong})
    images = index(tmp_path, on_error="quarantine", **settings).set_index("image_id")
    assert images.status.to_dict() == {"a": "ok", "b": "ok", "odd": "quarantined", "c": "ok"}
    assert reason in images.reason["odd"] and "odd.png" in images.reason["odd"]
    assert images.quality[["a", "b", "c"]].tolist() == [0, 0.5, 1] and np.isnan(images.width["odd"])
    with pytest.raises(InputError, match=r"odd\.png") as caught:
        index(tmp_path, on_error="stop", **settings)
    assert reason in str(caught.value)


def test_dataset_without_a_usable_image_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"every image is quarantined; the first: .*a\.png: 200 x 100"):
        index(write(tmp_path, (200, 100)), on_error="quarantine", rules=[PatchRule(999)])


def test_pipe_in_place_of_an_image_is_not_waited_for(tmp_path):
    write(tmp_path, (200, 100))
    (tmp_path / "odd.png").unlink()
    os.mkfifo(tmp_path / "odd.png")
    assert index(tmp_path, on_error="quarantine").status.tolist() == ["ok", "ok", "quarantined", "ok"]


def test_missing_image_is_quarantined(tmp_path):
    write(tmp_path, (200, 100))
    (tmp_path / "odd.png").unlink()
    assert index(tmp_path, on_error="quarantine").status.tolist() == ["ok", "ok", "quarantined", "ok"]


def test_score_that_is_no_number_is_a_mistake_in_the_table(tmp_path):
    with pytest.raises(InputError, match="row 4: mos 'good' is not a number"):
        index(write(tmp_path, (200, 100), score="good"), on_error="quarantine")


def test_dark_16_bit_images_are_named_once(tmp_path):
    write(tmp_path, (200, 100))
    for name in ("b.png", "odd.png"):
        Image.fromarray(np.full((100, 200), 4000, np.uint16)).save(tmp_path / name)
    with pytest.warns(UserWarning) as caught:
        index(tmp_path)
    (warning,) = caught
    assert str(warning.message).startswith(f"{tmp_path.as_posix()}/b.png: 2 of 4 images")


@pytest.mark.parametrize("small_images", ["refuse", "enlarge"])
@pytest.mark.parametrize("size", [(1, 1), (2, 1), (1, 3)])
def test_crops_of_the_smallest_images_have_a_pixel(size, small_images):
    rule = PatchRule(224, 1024, small_images)
    assert rule.crop_side(*size) == 1


METHODS = ["random_crops", "grid_crops", "placed_crops"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("settings", [{}, {"longer_side": 128}, {"small_images": "enlarge"}])
@pytest.mark.parametrize("size", [(64, 64), (63, 99), (300, 70), (128, 64), (129, 64)])
def test_the_rule_is_what_the_sampler_asks_for(tmp_path, method, settings, size):
    """An image that the index accepts can be sampled, and one that it refuses cannot."""
    sampler = SAMPLERS.create({"method": method, "size": 64, "count": 3, **settings})
    write(tmp_path, size)
    images = index_dataset("own", tmp_path, source="images")[0]
    try:
        sampler.rule.check(*size, "odd")
    except InputError:
        with pytest.raises(InputError, match="odd"):
            sampler.sample(images, seed=0)
    else:
        assert min(sampler.sample(images, seed=0)["size"].to_pylist()) >= 1


def study(on_error, **sampler):
    return check_study(
        {
            "name": "own",
            "datasets": {"mine": {"source": "images", "root": "x", "on_error": on_error}},
            "samplers": {"crops": {"method": "random_crops", "count": 4, "size": 64, **sampler}},
            "encoders": {"tiny": {"model": "test_resnet", "weights": "none", "size": 64}},
            "selectors": {"residual": {"n_components": 4}},
            "keep": [0.5, 1.0],
            "students": {"mlp": {}},
            "experiments": [{"figure": "rate_sweep"}],
        }
    )


def index_job(on_error, **sampler):
    plan = Plan(study(on_error, **sampler))
    return next(job for job in plan.jobs.values() if job.rule == "index_dataset")


def test_index_knows_the_rules_of_samplers_where_it_quarantines():
    job = index_job("quarantine", longer_side=128)
    assert [PatchRule(**json.loads(rule)) for rule in job.params["patches"]] == [PatchRule(64, 128)]
    assert index_job("quarantine").output != job.output == index_job("quarantine", longer_side=128, count=9).output


def test_index_is_the_same_for_all_samplers_where_nothing_is_quarantined():
    assert index_job("stop").output == index_job("stop", longer_side=128).output
    assert index_job("stop").params["patches"] == []
