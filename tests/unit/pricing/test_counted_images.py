"""Images of datasets, counted before they are there."""

import copy

import numpy as np
from PIL import Image
from tiny_study import RAW, plan_of

from iqadistill.config import Plan, check_study
from iqadistill.pricing.images import count_images
from iqadistill.pricing.price import price_study
from iqadistill.pricing.rates import Rates
from iqadistill.pricing.table import price_text


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
    assert (koniq.total, koniq.pixels, koniq.effort) == (10073, 1024 * 768, 1024 * 768 / 4)  # JPEG files
    assert kadid.effort == kadid.pixels and kadid.stored >= kadid.download
    retrieved = next(stage for stage in price_study(plan, Rates()).stages if stage.name == "retrieve_dataset")
    assert retrieved.download == kadid.download + koniq.download < retrieved.disk


def test_reduced_jpegs_take_a_fraction_of_the_effort():
    raw = copy.deepcopy(RAW)
    raw["datasets"] = {"spaq": {}, "kadid10k": {}}
    raw["experiments"] = raw["experiments"][:1]
    plan = plan_of(raw)
    spaq, kadid = count_images(plan, "spaq"), count_images(plan, "kadid10k")
    assert spaq.effort_of(0.1) < 0.7 * spaq.effort < spaq.effort < spaq.effort_of(0.9)
    assert kadid.effort_of(0.1) > kadid.effort
    assert spaq.bytes_of(512 / 4032) == 512 * 384 * 3


def test_gallery_is_of_the_size_that_these_tests_suppose():
    images = count_images(plan_of(RAW), "gallery2d")
    assert (images.width, images.height) == (512, 384) and images.effort == images.pixels
