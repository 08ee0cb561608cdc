from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.stats import spearmanr

from iqadistill.datasets import gallery_scenes, index_dataset, noise_ceiling, render_dataset
from iqadistill.datasets.galleries.distortions import DISTORTIONS, LEVELS
from iqadistill.datasets.galleries.psnr_matching import match_settings, nearest_quantiser, psnr
from iqadistill.datasets.galleries.random_draws import draw_score, random_stream
from iqadistill.datasets.simulated_scores import PROXIES, kadid_summary, opinion_type
from iqadistill.errors import InputError
from iqadistill.images.decoding import read_image
from iqadistill.provenance import file_digest

LABELS = Path(__file__).parents[5] / "shared/labels/kadid10k/dmos.csv"
KADID_TYPES = {"gaussian_blur": 1, "jpeg2000": 9, "jpeg": 10, "white_noise": 11}


@pytest.fixture(scope="module")
def panoramas(tmp_path_factory):
    """A rendered gallery of two panoramas: its folder, images table and metadata."""
    root, folder = tmp_path_factory.mktemp("pristine"), tmp_path_factory.mktemp("rendered")
    for name, scene in (("one", 0), ("two", 2)):
        Image.fromarray(read_image(gallery_scenes()[scene].path)).resize((128, 64)).save(root / f"{name}.png")
    render_dataset("panoramas", folder, seed=3, root=root, workers=2)
    return folder, *index_dataset("panoramas", folder, source="panoramas")


def test_scenes_share_no_photograph():
    scenes = gallery_scenes(grey=True)
    digests = [file_digest(scene.path) for scene in scenes]
    assert (
        len({(s.package, s.file) for s in scenes}) == len({s.name for s in scenes}) == len(set(digests)) == len(scenes)
    )
    assert len(gallery_scenes()) >= 11 and not any(scene.grey for scene in gallery_scenes())
    assert sum("motorcycle" in scene.file for scene in scenes) == 1  # the stereo pair is one scene


@pytest.mark.parametrize("name", DISTORTIONS)
def test_psnr_falls_with_distortion_level(name):
    image = np.asarray(Image.fromarray(read_image(gallery_scenes()[2].path)).resize((160, 96)))
    levels = DISTORTIONS[name].settings or (20, 28, 34, 42, 48)
    quality = [psnr(DISTORTIONS[name].apply(image, level, random_stream(0)), image) for level in levels]
    assert quality == sorted(quality, reverse=True) and quality[0] > quality[-1] + 2
    assert DISTORTIONS[name].apply(image, levels[0], random_stream(0)).shape == image.shape


def test_quantisers_match_the_psnr_of_jpeg2000(panoramas):
    folder, _, _ = panoramas
    pristine = sorted(folder.glob("*/pristine.png"))
    settings = match_settings(pristine)

    def mean_psnr(name, setting):
        pairs = [read_image(path) for path in pristine]
        return np.mean([psnr(DISTORTIONS[name].apply(p, setting, random_stream(0)), p) for p in pairs])

    for name in ("h264", "hevc"):
        for level in range(5):
            target = mean_psnr("jpeg2000", settings["jpeg2000"][level])
            chosen = settings[name][level]
            others = [q for q in (chosen - 1, chosen + 1) if 1 <= q <= 51]
            distance = abs(mean_psnr(name, chosen) - target)
            assert all(distance <= abs(mean_psnr(name, q) - target) for q in others)


def test_nearest_quantiser_of_a_linear_psnr():
    assert nearest_quantiser(lambda q: 60 - q, 32.4) == 28
    assert nearest_quantiser(lambda q: 60 - q, 99) == 1
    assert nearest_quantiser(lambda q: 60 - q, 0) == 51


def test_rendered_gallery_has_all_distortions_and_levels(panoramas):
    _, images, facts = panoramas
    rows = images.to_pandas()
    distorted = rows[~rows.is_reference]
    assert len(distorted) == 2 * len(DISTORTIONS) * len(LEVELS)
    assert not distorted.duplicated(["reference_id", "distortion", "level"]).any()
    assert rows[rows.is_reference].score.isna().all() and distorted.score.between(1, 5).all()
    assert facts["scores"].startswith("simulated") and "proxy" in facts["scores"]
    assert 0.85 < float(facts["noise_ceiling"]) < 0.97


def test_proxy_scores_are_marked(panoramas):
    listing = pd.read_csv(panoramas[0] / "images.csv")
    marked = listing[listing.proxy.astype(bool)]
    assert set(marked.distortion) == {"h264", "hevc"} == set(PROXIES)
    assert all(DISTORTIONS[name].settings is None for name in PROXIES)  # matched by PSNR to their proxies


def test_rendering_does_not_depend_on_worker_count(panoramas, tmp_path):
    folder, _, _ = panoramas
    root = tmp_path / "root"
    root.mkdir()
    for name in ("one", "two"):
        Image.open(folder / name / "pristine.png").save(root / f"{name}.png")
    render_dataset("panoramas", tmp_path / "again", seed=3, root=root, workers=1)
    for file in sorted(folder.rglob("*.*")):
        assert (tmp_path / "again" / file.relative_to(folder)).read_bytes() == file.read_bytes(), file.name


def test_failed_rendering_leaves_no_images_csv(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    Image.new("RGB", (64, 40)).save(root / "not_two_to_one.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/images.csv").write_text("of an earlier run")
    with pytest.raises(InputError, match=r"not_two_to_one\.png: .*64x40"):
        render_dataset("panoramas", tmp_path / "out", seed=0, root=root)
    assert not (tmp_path / "out/images.csv").exists()


def test_noise_panoramas_have_no_scores(tmp_path):
    render_dataset("noise360", tmp_path, seed=0, width=64)
    images, facts = index_dataset("noise360", tmp_path, source="noise360")
    assert images["score"].null_count == len(images) == 6 and facts["scores"] == "none" and "noise_ceiling" not in facts


def test_drawn_scores_have_mean_and_deviation_of_kadid():
    table = kadid_summary()
    drawn = np.array([draw_score(0, "x", f"scene{i}", "jpeg", 3) for i in range(800)])
    row = table.loc[("jpeg", 3)]
    assert drawn.mean() == pytest.approx(row["mean"], abs=4 * row["std"] / 800**0.5)
    assert drawn.std() == pytest.approx(row["std"], rel=0.1)


def test_noise_ceiling_is_the_srcc_of_expected_scores(panoramas):
    _, images, _ = panoramas
    rows = images.to_pandas().dropna(subset="score")
    expected = [kadid_summary().loc[(opinion_type(r.distortion), r.level), "mean"] for r in rows.itertuples()]
    assert noise_ceiling(images) == pytest.approx(spearmanr(rows.score, expected).statistic)


@pytest.mark.skipif(not LABELS.is_file(), reason="KADID-10k's label file is not next to the project")
def test_kadid_summary_matches_the_label_file():
    labels = pd.read_csv(LABELS)
    parts = labels.dist_img.str.extract(r"I\d+_(\d+)_(\d+)\.png").astype(int)
    for name, number in KADID_TYPES.items():
        for level in LEVELS:
            scores = labels.dmos[(parts[0] == number) & (parts[1] == level)]
            row = kadid_summary().loc[(name, level)]
            assert row["n"] == len(scores) == 81
            assert row["mean"] == pytest.approx(scores.mean(), abs=1e-4)
            assert min(abs(row["std"] - scores.std(ddof=ddof)) for ddof in (0, 1)) < 1e-4
