"""Local galleries: one damaged region an image, and a score that mixes by its visible area."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.stats import spearmanr

from iqadistill.datasets import index_dataset, noise_ceiling, render_dataset
from iqadistill.datasets.galleries import rendering
from iqadistill.datasets.galleries.distortions import DISTORTIONS, gaussian_blur
from iqadistill.datasets.galleries.local_damage import LOCAL_LEVELS, draw_local_score, draw_region, region_of
from iqadistill.datasets.galleries.random_draws import draw_score, random_stream
from iqadistill.datasets.galleries.scenes import gallery_scenes
from iqadistill.datasets.regions import Region
from iqadistill.datasets.registry import DatasetRecord, dataset_record
from iqadistill.datasets.simulated_scores import kadid_summary, opinion_type
from iqadistill.images.decoding import read_image

SCENES = gallery_scenes()[:2]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """Small local galleries of two scenes: folder by source."""
    folders = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rendering, "gallery_scenes", lambda grey=False: SCENES)
        for source in ("gallery360_local", "gallery2d_local"):
            folders[source] = tmp_path_factory.mktemp(source)
            render_dataset(source, folders[source], seed=5, workers=2, width=64)
    return folders


@pytest.fixture(scope="module")
def indexed(rendered):
    """Images tables with their facts, by source."""
    return {source: index_dataset(source, folder, source=source) for source, folder in rendered.items()}


@pytest.mark.parametrize("source", ["gallery360_local", "gallery2d_local"])
def test_pixels_differ_from_the_pristine_image_within_the_region_only(rendered, source):
    listing = pd.read_csv(rendered[source] / "images.csv")
    damaged = listing[~listing.is_reference]
    assert len(damaged) == len(SCENES) * len(DISTORTIONS) * len(LOCAL_LEVELS)
    assert listing[listing.is_reference].region.isna().all()
    changed = 0
    for row in damaged.itertuples():
        image, pristine = read_image(rendered[source] / row.image), read_image(rendered[source] / row.reference)
        mask = Region.parse(row.region, row.image).mask(*image.shape[:2])
        differs = (image != pristine).any(-1)
        assert not differs[~mask].any(), row.image
        changed += differs[mask].mean()
    assert changed / len(damaged) > 0.5


@pytest.mark.parametrize("source", ["gallery360_local", "gallery2d_local"])
def test_contents_are_those_of_the_gallery_and_labels_name_regions(indexed, source):
    images = indexed[source][0].to_pandas()
    assert set(images.reference_id) == {f"{scene.name}/pristine" for scene in SCENES}
    assert images.region.notna().tolist() == (~images.is_reference).tolist()
    assert images.region.dropna().str.split().str[0].nunique() == 3
    record, whole = dataset_record(source), dataset_record(source.removesuffix("_local"))
    assert isinstance(record, DatasetRecord) and record.local_damage_of == source.removesuffix("_local")
    assert record.references == whole.references and record.distorted == whole.distorted * len(LOCAL_LEVELS) // 5


def test_pristine_images_are_those_of_the_gallery(rendered, tmp_path, monkeypatch):
    monkeypatch.setattr(rendering, "gallery_scenes", lambda grey=False: SCENES[:1])
    monkeypatch.setattr(rendering, "_write_distorted", lambda *_: [{"level": None}])
    render_dataset("gallery360", tmp_path, seed=5, width=64)
    file = Path(SCENES[0].name) / "pristine.png"
    assert (tmp_path / file).read_bytes() == (rendered["gallery360_local"] / file).read_bytes()


def test_rendering_depends_on_the_seed_alone(rendered, tmp_path, monkeypatch):
    monkeypatch.setattr(rendering, "gallery_scenes", lambda grey=False: SCENES)
    render_dataset("gallery2d_local", tmp_path, seed=5, workers=1, width=64)
    for file in sorted(tmp_path.rglob("*.*")):
        assert file.read_bytes() == (rendered["gallery2d_local"] / file.relative_to(tmp_path)).read_bytes(), file.name
    assert region_of(5, "gallery2d_local", "coffee", "jpeg", 3) != region_of(6, "gallery2d_local", "coffee", "jpeg", 3)


def test_level_one_of_blur_changes_no_pixel():
    image = np.asarray(Image.fromarray(read_image(SCENES[0].path)).resize((64, 64)))
    np.testing.assert_array_equal(
        gaussian_blur(image, DISTORTIONS["gaussian_blur"].settings[0], random_stream(0)), image
    )
    assert 1 not in LOCAL_LEVELS


@pytest.mark.parametrize("kind", ["sphere", "flat"])
def test_drawn_regions_have_every_kind_and_lie_in_the_image(kind):
    regions = [draw_region(random_stream(0, number), kind) for number in range(900)]
    counts = pd.Series([region.kind for region in regions]).value_counts()
    assert counts.between(300 - 4 * 14.2, 300 + 4 * 14.2).all()
    for region in regions:
        assert Region.parse(str(region), "here") == region
        assert kind == "sphere" or region.left + region.width <= 1.0002
    halves = {(r.left, r.top, r.width, r.height) for r in regions if r.kind == "half"}
    four = {(0, 0, 0.5, 1), (0.5, 0, 0.5, 1), (0, 0, 1, 0.5), (0, 0.5, 1, 0.5)}
    assert halves == four if kind == "flat" else len(halves) > 200
    assert {r.width for r in regions if r.kind == "tile"} == {0.25, 0.1667}


def test_score_is_mixed_by_the_square_root_of_the_visible_area():
    label = (0, "gallery360_local", "coffee", "jpeg", 5)
    pristine, damaged = draw_score(*label[:3], "gaussian_blur", 1), draw_score(*label)
    tile = Region("tile", 0.25, 1 / 3, 0.25, 1 / 3)  # an eighth of the sphere
    weight = 0.125**0.5
    score, deviation = draw_local_score(*label, tile)
    assert score == pytest.approx((1 - weight) * pristine + weight * damaged, abs=2e-3)
    assert deviation == pytest.approx(np.hypot((1 - weight) * 0.1304, weight * 0.1822), abs=1e-3)
    whole, _ = draw_local_score(*label, Region("half", 0, 0, 1, 1))
    assert whole == pytest.approx(damaged) and damaged < score < pristine


@pytest.mark.parametrize("source", ["gallery360_local", "gallery2d_local"])
def test_noise_ceiling_knows_the_region(indexed, source):
    images, facts = indexed[source]
    rows = images.to_pandas().dropna(subset="score")
    means = kadid_summary()["mean"]
    expected = []
    for row in rows.itertuples():
        area = Region.parse(row.region, "").area("sphere" if source == "gallery360_local" else "flat") ** 0.5
        damaged = means[opinion_type(row.distortion), row.level]
        expected.append((1 - area) * means["gaussian_blur", 1] + area * damaged)
    ceiling = spearmanr(rows.score, expected).statistic
    assert float(facts["noise_ceiling"]) == pytest.approx(ceiling, abs=1e-4) and ceiling > 0.8
    assert facts["scores"].startswith("simulated") and "square root" in facts["scores"]
    assert noise_ceiling(images, dataset_record(source).kind) == pytest.approx(ceiling)
