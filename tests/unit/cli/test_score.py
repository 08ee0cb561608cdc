"""The command `iqadistill score`."""

import json
import math
import re
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from tiny_results import CROPS, SIMULATED, VIEWPORTS, write_image, write_mlps, write_network

from iqadistill.cli import main
from iqadistill.errors import InputError
from iqadistill.images.decoding import read_image
from iqadistill.panorama import extract_viewports
from iqadistill.scoring import load_result, score_images
from iqadistill.scoring.table import printed_json
from iqadistill.tables import write_table
from iqadistill.training.deep.weights import rebuild_network, save_network
from iqadistill.training.mlp.trained_mlps import Variant, load_mlps
from iqadistill.training.sidecar import Sidecar

RATES = (("all", 1.0), ("residual", 0.4), ("residual", 0.8), ("random", 0.4))


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Trained results, written once: three splits of a deep student, MLPs on crops and MLPs on viewports."""
    folder = tmp_path_factory.mktemp("results")
    for split in (0, 1, 2):
        write_network(folder / "student", split)
    write_mlps(folder / "crops", scale=SIMULATED, rates=RATES)
    write_mlps(folder / "viewports", VIEWPORTS)
    return folder


@pytest.fixture(scope="module")
def network(results):
    """Weights of one split of the deep student."""
    return results / "student/0.safetensors"


@pytest.fixture(scope="module")
def mlps(results):
    """Weights of the MLPs on crops, which learned simulated scores."""
    return results / "crops/mlp.safetensors"


@pytest.fixture(scope="module")
def panorama_mlps(results):
    """Weights of the MLPs on viewports."""
    return results / "viewports/mlp.safetensors"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def image(folder):
    """An image of 160 x 120 pixels."""
    return write_image(folder / "images/one.png")


def score(capsys, *arguments):
    """Exit status and parsed JSON."""
    status = main(["score", *map(str, arguments), "--json", "--device", "cpu"])
    return status, json.loads(capsys.readouterr().out)


def error_line(capsys, *arguments):
    """The single line of the error message when nothing can be scored."""
    assert main(["score", *map(str, arguments), "--device", "cpu"]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1
    return printed.err


def copy_weights(folder, weights):
    """Copy weights and sidecar into a folder, so that a test can damage them; returns the copied weights."""
    for file in (weights, weights.with_suffix(".json")):
        shutil.copy(file, folder)
    return folder / weights.name


def test_quality_is_the_mean_score_of_the_crops(network, image):
    scored = next(score_images(load_result(network), [image]))
    model = rebuild_network(Sidecar.read(network.with_suffix(".json")), network)
    pixels = torch.from_numpy(read_image(image).copy()).permute(2, 0, 1)
    crops = [pixels[:, row.y : row.y + 64, row.x : row.x + 64] for row in scored.patches.itertuples()]
    with torch.no_grad():
        expected = model(torch.stack(crops) / 255).numpy()
    np.testing.assert_allclose(scored.patches.quality, expected, atol=1e-5)
    assert scored.quality == pytest.approx(expected.mean(), abs=1e-5) and len(crops) == 4


def test_panoramas_are_scored_on_viewports(folder, panorama_mlps):
    panorama = write_image(folder / "panorama.png", 256, 128)
    result = load_result(panorama_mlps, selector="residual")
    scored = next(score_images(result, [panorama]))
    pixels = torch.from_numpy(read_image(panorama).copy()).permute(2, 0, 1)
    patches = scored.patches
    views = extract_viewports(pixels, patches.yaw.to_numpy(), patches.pitch.to_numpy(), math.radians(60), 64) / 255
    mlps = load_mlps(panorama_mlps)
    with torch.no_grad():
        models = [mlps.model(Variant("residual", 0.4, split)) for split in (0, 1)]
        expected = [model(result.scorer.encoder.embed(views)).mean().item() for model in models]
    np.testing.assert_allclose(scored.by_split, expected, atol=1e-5)


def test_scores_are_averaged_over_splits(capsys, results, image):
    weights = [results / f"student/{split}.safetensors" for split in (0, 1, 2)]
    alone = [score(capsys, image, "--model", file)[1]["scores"][0] for file in weights]
    status, together = score(capsys, image, "--model", results / "student")
    qualities, row = [one["quality"] for one in alone], together["scores"][0]
    assert status == 0 and together["result"]["splits"] == [0, 1, 2] and together["failures"] == []
    assert row["quality"] == pytest.approx(np.mean(qualities))
    assert row["spread"] == pytest.approx(np.std(qualities, ddof=1))
    assert row["score"] == pytest.approx(100 - 100 * row["quality"]) and alone[0]["spread"] is None


def test_patches_depend_on_seed_and_not_on_file_name(capsys, folder, network, image):
    twin = folder / "renamed.png"
    twin.write_bytes(image.read_bytes())
    _, given = score(capsys, image, twin, "--model", network)
    first, second = (row["quality"] for row in given["scores"])
    assert first == second
    _, moved = score(capsys, image, "--model", network, "--seed", 8)
    assert moved["scores"][0]["quality"] != first


@pytest.mark.parametrize("kind", ["network", "mlps", "panorama_mlps"])
def test_best_placed_patches_stand_for_all(request, folder, kind):
    result = load_result(request.getfixturevalue(kind))
    image = write_image(folder / "wide.png", 256, 128)
    everything = next(score_images(result, [image]))
    for count in (1, 3):
        scored = next(score_images(result, [image], count=count))
        patches = scored.patches.set_index("patch_id")
        assert len(patches) == count and patches.weight.sum() == pytest.approx(1)
        assert scored.quality == pytest.approx(np.average(patches.quality, weights=patches.weight), abs=1e-6)
        same = everything.patches.set_index("patch_id").loc[patches.index]
        np.testing.assert_allclose(patches.quality, same.quality, atol=1e-5)  # the same places
    for count in (len(everything.patches), 99):
        again = next(score_images(result, [image], count=count))
        np.testing.assert_allclose(again.by_split, everything.by_split, rtol=1e-6)
    median = next(score_images(result, [image], count=3, pooling="median"))
    assert median.by_split.shape == everything.by_split.shape


def test_patches_without_a_number_of_one_or_more_are_refused(network, image):
    with pytest.raises(InputError, match="count 0"):
        next(score_images(load_result(network), [image], count=0))


def write_decided(folder, count):
    """MLPs as a study leaves them, with its decision that so many of 4 patches are enough; returns their weights."""
    weights = write_mlps(folder / "train_mlps/shop/toy/placed/tiny", rates=RATES)
    names = {"dataset": "toy", "sampler": "placed", "encoder": "tiny", "student": "mlp", "margin": 0.01}
    rows = [{"selector": "auto", "patches": count, "srcc": 0.91}, {"selector": "all", "patches": 4, "srcc": 0.92}]
    table = pd.DataFrame([{**names, **row} for row in rows])
    write_table(table.assign(student="other", patches=1), folder / "studies/shop/budgets/a.parquet", "budgets")
    write_table(table, folder / "studies/shop/budgets/budget.parquet", "budgets")
    return weights


def test_auto_looks_at_as_many_patches_as_the_study_found_to_be_enough(capsys, folder, image):
    weights = write_decided(folder / "results", 3)
    _, given = score(capsys, image, "--model", weights, "--patches", "auto")
    assert given["scores"][0]["num_patches"] == 3
    assert given["result"]["decided_patches"] == {
        "count": 3,
        "of": 4,
        "margin": 0.01,
        "srcc": 0.91,
        "srcc_of_all": 0.92,
    }
    assert score(capsys, image, "--model", weights, "--patches", 3)[1]["scores"] == given["scores"]
    write_decided(folder / "results", 4)
    assert main(["score", str(image), "--model", str(weights.parent), "--patches", "auto", "--device", "cpu"]) == 0
    printed = capsys.readouterr().out
    assert "all patches: no smaller number was equivalent within 0.01 SRCC" in printed and "0.910" in printed


def test_auto_is_refused_where_no_study_decided(capsys, folder, network, mlps, image):
    for model in (network, mlps):
        line = error_line(capsys, image, "--model", model, "--patches", "auto")
        assert "--patches auto" in line and "{figure: budget}" in line
    weights = write_decided(folder / "results", 3)
    chosen = ["--selector", "residual", "--keep", 0.4]
    assert "students of all patches" in error_line(capsys, image, "--model", weights, "--patches", "auto", *chosen)


def test_number_of_patches_that_is_none_is_refused(capsys, mlps, image):
    with pytest.raises(SystemExit):
        main(["score", str(image), "--model", str(mlps), "--patches", "three"])
    assert "--patches: 'three' is not a whole number" in capsys.readouterr().err


def test_students_of_placed_patches_weight_them(folder, image):
    result = load_result(write_network(folder, sampler={"method": "placed_crops", "count": 4, "size": 64}))
    scored = next(score_images(result, [image]))
    assert scored.patches.weight.nunique() > 1
    assert scored.quality == pytest.approx(np.average(scored.patches.quality, weights=scored.patches.weight))


def test_score_table_marks_simulated_scores(capsys, folder, mlps, image):
    write_image(folder / "images/two.jpg")
    assert main(["score", "images", "--model", str(mlps), "--parquet", "out/scores.parquet"]) == 0
    heading, scale, _, names, *rows = capsys.readouterr().out.splitlines()
    assert all(part in heading for part in ("mlp", "toy", "placed", "all", "2 splits"))
    assert all(part in scale for part in ("toy", "1 to 5", "simulated"))
    assert names.split() == ["image", "quality", "score", "spread", "patches"]
    assert [row.split()[0] for row in rows] == ["images/one.png", "images/two.jpg"]
    table = pq.read_table("out/scores.parquet")
    assert f"{table['score'][0].as_py():.2f}" == rows[0].split()[2]
    assert json.loads(table.schema.metadata[b"result"])["simulated"] is True


def test_failed_images_are_reported_and_others_scored(capsys, folder, network, image):
    (folder / "images/broken.png").write_bytes(image.read_bytes()[:200])
    write_image(folder / "images/small.png", 60, 90)
    status, given = score(capsys, "images", "--model", network, "--map", "maps")
    assert status == 1 and [row["path"] for row in given["scores"]] == ["images/one.png"]
    broken, small = given["failures"]
    assert broken.startswith("images/broken.png: ")
    assert small.startswith("images/small.png: 60 x 90") and "64 x 64" in small
    assert [file.name for file in (folder / "maps").iterdir()] == ["one.png.png"]


def test_panorama_model_refuses_flat_images(capsys, panorama_mlps, image):
    status, given = score(capsys, image, "--model", panorama_mlps)
    assert status == 1 and given["scores"] == []
    assert given["failures"][0].startswith(str(image)) and "160 x 120" in given["failures"][0]


def test_crop_size_is_relative_to_the_longer_side(folder):
    result = load_result(write_network(folder, sampler=CROPS | {"longer_side": 160}))
    big = write_image(folder / "big.png", 320, 200)
    assert next(score_images(result, [big])).patches["size"].unique().tolist() == [128]
    small = write_image(folder / "wide.png", 320, 100)
    assert "128 x 128" in str(next(score_images(result, [small])))


def test_map_of_one_image_is_a_reproducible_file(capsys, folder, network, image):
    for name in ("first.png", "second.png"):
        assert main(["score", str(image), "--model", str(network), "--map", name]) == 0
    assert (folder / "first.png").read_bytes() == (folder / "second.png").read_bytes()
    assert min(Image.open("first.png").size) > 600
    capsys.readouterr()
    assert "images/one.png" in error_line(capsys, image, "--model", network, "--map", "images/one.png")
    write_image(folder / "images/two.png")
    assert "m.png" in error_line(capsys, "images", "--model", network, "--map", "m.png")
    assert re.search(r"m\.jpg.*\.png", error_line(capsys, image, "--model", network, "--map", "m.jpg"))


def test_maps_of_equally_named_images_do_not_collide(folder, network):
    for name in ("a/x.png", "a/x.jpg", "b/x.png"):
        write_image(folder / "set" / name)
    main(["score", "set", "--model", str(network), "--map", "maps"])
    maps = folder / "maps"
    written = sorted(file.relative_to(maps).as_posix() for file in maps.rglob("*.png"))
    assert written == ["a/x.jpg.png", "a/x.png.png", "b/x.png.png"]


def test_selector_and_keep_choose_the_mlp(capsys, mlps, image):
    chosen = [(), ("--selector", "random"), ("--selector", "residual", "--keep", 0.8)]
    given = [score(capsys, image, "--model", mlps, *choice)[1] for choice in chosen]
    facts = [(one["result"]["selector"], one["result"]["keep"]) for one in given]
    assert facts == [("all", 1.0), ("random", 0.4), ("residual", 0.8)]
    assert len({one["scores"][0]["quality"] for one in given}) == 3
    several = error_line(capsys, image, "--model", mlps, "--selector", "residual")
    assert re.search(r"residual.* 0\.4, 0\.8", several)
    absent = error_line(capsys, image, "--model", mlps, "--selector", "herding")
    assert re.search(r"herding.*random.* 0\.4.*residual.* 0\.4, 0\.8", absent)


def test_path_without_trained_result_is_refused(capsys, folder, network, image):
    assert "lost: " in error_line(capsys, image, "--model", "lost")
    assert "one.png: " in error_line(capsys, image, "--model", image)
    below = folder / "results/student"
    below.mkdir(parents=True)
    copy_weights(below, network)
    assert re.search(r"results: .*results/student/0\.safetensors", error_line(capsys, image, "--model", "results"))
    assert "--keep" in error_line(capsys, image, "--model", network, "--keep", 0.5)


def test_folder_of_several_students_is_refused(capsys, folder, network, mlps, image):
    copy_weights(folder, network)
    write_network(folder, 1, sampler=CROPS | {"count": 9})
    assert re.search(r"1\.safetensors: .*sampler", error_line(capsys, image, "--model", folder))
    copy_weights(folder, mlps)
    assert "0.safetensors, 1.safetensors, mlp.safetensors" in error_line(capsys, image, "--model", folder)


def test_damaged_results_are_refused(capsys, folder, network, image):
    weights = copy_weights(folder, network)
    weights.write_bytes(weights.read_bytes()[:-100])
    assert "0.safetensors: " in error_line(capsys, image, "--model", weights)
    sidecar = weights.with_suffix(".json")
    facts = json.loads(sidecar.read_text())
    sidecar.write_text(json.dumps({**facts, "scale": None}))
    assert re.search(r"0\.safetensors: .*train_student", error_line(capsys, image, "--model", weights))
    sidecar.unlink()
    assert "0.json: " in error_line(capsys, image, "--model", weights)


def test_path_without_image_is_refused_before_loading_the_model(capsys, folder, image):
    (folder / "empty").mkdir()
    assert "empty: " in error_line(capsys, "empty", "--model", "lost")
    assert "lost.png: " in error_line(capsys, image, "lost.png", "--model", "lost")
    assert "empty: " in error_line(capsys, image, "--model", "lost", "--parquet", "empty")


def test_no_output_replaces_an_image_or_the_model(capsys, folder, network, image):
    copy_weights(folder, network)
    weights = "0.safetensors"
    arguments = (image, "--model", weights)
    assert "has the name of an image" in error_line(capsys, *arguments, "--parquet", "new.png")
    assert f"--parquet {weights}: is a file that is read" in error_line(capsys, *arguments, "--parquet", weights)
    assert "is a file that is read" in error_line(capsys, *arguments, "--map", image)


def test_model_of_recorded_scanpaths_refuses_new_images(capsys, folder, panorama_mlps):
    sampler = {"method": "sp", "count": 4, "size": 64, "fov": 60.0, "scanpaths": "seen.csv"}
    weights = copy_weights(folder, panorama_mlps)
    sidecar = weights.with_suffix(".json")
    sidecar.write_text(json.dumps({**json.loads(sidecar.read_text()), "sampler": sampler}))
    panorama = write_image(folder / "panorama.png", 256, 128)
    status, given = score(capsys, panorama, "--model", weights)
    assert status == 1 and "seen.csv" in given["failures"][0]


@pytest.mark.slow
def test_command_line_does_not_import_torch():
    loaded = "import sys, iqadistill.cli; print({'torch', 'timm', 'matplotlib'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True).stdout == "set()\n"


def test_non_finite_score_is_reported(capsys, folder, network, mlps, image):
    broken = load_mlps(mlps)
    broken.stack.biases[-1].fill_(math.nan)
    broken.save(copy_weights(folder, mlps))
    status, given = score(capsys, image, "--model", folder / "mlp.safetensors")
    assert status == 1 and re.match(rf"{re.escape(str(image))}: .*NaN", given["failures"][0])
    model = rebuild_network(Sidecar.read(network.with_suffix(".json")), network)
    torch.nn.init.constant_(model.head.bias, math.nan)
    save_network(model, copy_weights(folder, network))
    status, given = score(capsys, image, "--model", folder / "0.safetensors")
    assert status == 1 and re.match(rf"{re.escape(str(image))}: .*NaN", given["failures"][0])


@pytest.mark.parametrize("count", [0, 1, 3])
def test_json_that_comes_row_by_row_is_that_of_the_whole(capsys, count):
    facts, failures = {"student": "a\nb", "splits": [0, 1]}, ["x.png: cannot be decoded"]
    rows = [{"path": f'{place}\n".png', "spread": None} for place in range(count)]
    with printed_json(facts, failures) as print_row:
        for row in rows:
            print_row(row)
    whole = json.dumps({"result": facts, "scores": rows, "failures": failures}, indent=2)
    assert capsys.readouterr().out == whole + "\n"


@pytest.mark.parametrize("fault", [KeyboardInterrupt, RuntimeError])
def test_json_is_valid_where_the_scoring_ends_early(capsys, monkeypatch, network, folder, fault):
    """The first score is printed before the second image is scored."""
    paths = [write_image(folder / f"images/{name}.png") for name in "ab"]
    printed = []

    def scores(result, images, **options):
        yield next(score_images(result, images[:1]))
        printed.append(capsys.readouterr().out)
        raise fault("stopped")

    monkeypatch.setattr("iqadistill.scoring.score.score_images", scores)
    arguments = ["score", *map(str, paths), "--model", str(network), "--json", "--device", "cpu"]
    if fault is KeyboardInterrupt:
        assert main(arguments) == 130
    else:
        with pytest.raises(fault):
            main(arguments)
    given = json.loads(printed[0] + capsys.readouterr().out)
    assert [row["path"] for row in given["scores"]] == [str(paths[0])] and "a.png" in printed[0]
    assert given["failures"] == ["the scoring was interrupted; the images that follow are missing."]
