"""`iqadistill score` as a user meets it."""

import json
import math
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from tiny_results import CROPS, SIMULATED, VIEWPORTS, write_network, write_picture, write_sweep

from iqadistill.cli import main
from iqadistill.images.decoding import read_image
from iqadistill.models import create_model
from iqadistill.panorama import extract_viewports
from iqadistill.scoring import load_result, score_pictures
from iqadistill.training.deep.weights import load_network, save_network
from iqadistill.training.mlp.sweep import Variant, load_sweep


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def picture(folder):
    return write_picture(folder / "pictures/one.png")


def score(capsys, *arguments):
    """Exit status and parsed JSON."""
    status = main(["score", *map(str, arguments), "--json", "--device", "cpu"])
    return status, json.loads(capsys.readouterr().out)


def refusal(capsys, *arguments):
    assert main(["score", *map(str, arguments), "--device", "cpu"]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1
    return printed.err


def test_quality_is_the_mean_of_the_network_on_the_crops(folder, picture):
    found = next(score_pictures(load_result(write_network(folder)), [picture]))
    network = load_network(create_model("adtrs", backbone="test_resnet", size=64), folder / "0.safetensors")
    pixels = torch.from_numpy(read_image(picture).copy()).permute(2, 0, 1)
    crops = [pixels[:, row.y : row.y + 64, row.x : row.x + 64] for row in found.patches.itertuples()]
    with torch.no_grad():
        expected = network(torch.stack(crops) / 255).numpy()
    np.testing.assert_allclose(found.patches.quality, expected, atol=1e-5)
    assert found.quality == pytest.approx(expected.mean(), abs=1e-5) and len(crops) == 4


def test_panorama_is_seen_through_viewports_by_encoder_and_models(folder):
    panorama = write_picture(folder / "panorama.png", 256, 128)
    result = load_result(write_sweep(folder, VIEWPORTS), selector="residual")
    found = next(score_pictures(result, [panorama]))
    pixels = torch.from_numpy(read_image(panorama).copy()).permute(2, 0, 1)
    patches = found.patches
    views = extract_viewports(pixels, patches.yaw.to_numpy(), patches.pitch.to_numpy(), math.radians(60), 64) / 255
    sweep = load_sweep(folder / "mlp.safetensors")
    with torch.no_grad():
        models = [sweep.model(Variant("residual", 0.4, split)) for split in (0, 1)]
        expected = [model(result.scorer.encoder.embed(views)).mean().item() for model in models]
    np.testing.assert_allclose(found.by_split, expected, atol=1e-5)


def test_splits_are_averaged_and_their_spread_is_told(capsys, folder, picture):
    alone = []
    for split in (0, 1, 2):
        weights = write_network(folder / "student", split)
        alone.append(score(capsys, picture, "--model", weights)[1]["scores"][0])
    status, together = score(capsys, picture, "--model", folder / "student")
    qualities, row = [one["quality"] for one in alone], together["scores"][0]
    assert status == 0 and together["result"]["splits"] == [0, 1, 2] and together["failures"] == []
    assert row["quality"] == pytest.approx(np.mean(qualities)) and row["spread"] == pytest.approx(
        np.std(qualities, ddof=1)
    )
    assert row["score"] == pytest.approx(100 - 100 * row["quality"]) and alone[0]["spread"] is None


def test_places_follow_the_seed_and_not_the_name(capsys, folder, picture):
    twin = folder / "renamed.png"
    twin.write_bytes(picture.read_bytes())
    weights = write_network(folder)
    _, found = score(capsys, picture, twin, "--model", weights)
    first, second = (row["quality"] for row in found["scores"])
    assert first == second
    _, moved = score(capsys, picture, "--model", weights, "--seed", 8, "--patches", 3)
    assert moved["scores"][0]["quality"] != first and moved["scores"][0]["num_patches"] == 3


def test_table_says_that_scores_are_simulated(capsys, folder, picture):
    write_picture(folder / "pictures/two.jpg")
    model = write_sweep(folder, scale=SIMULATED)
    assert main(["score", "pictures", "--model", str(model), "--parquet", "out/scores.parquet"]) == 0
    heading, scale, _, names, *rows = capsys.readouterr().out.splitlines()
    assert heading == "mlp trained on toy: placed, all its patches, 2 splits"
    assert scale.endswith("score is toy's score, 1 to 5, simulated instead of given by people")
    assert names.split() == ["picture", "quality", "score", "spread", "patches"]
    assert [row.split()[0] for row in rows] == ["pictures/one.png", "pictures/two.jpg"]
    table = pq.read_table("out/scores.parquet")
    assert f"{table['score'][0].as_py():.2f}" == rows[0].split()[2]
    assert json.loads(table.schema.metadata[b"result"])["simulated"] is True


def test_what_cannot_be_scored_is_named_and_the_others_are_scored(capsys, folder, picture):
    (folder / "pictures/broken.png").write_bytes(picture.read_bytes()[:200])
    write_picture(folder / "pictures/small.png", 60, 90)
    status, found = score(capsys, "pictures", "--model", write_network(folder), "--map", "maps")
    assert status == 1 and [row["path"] for row in found["scores"]] == ["pictures/one.png"]
    broken, small = found["failures"]
    assert broken.startswith("pictures/broken.png: cannot be decoded")
    assert small.startswith("pictures/small.png: 60 x 90 pixels, but the model's patches need 64 x 64")
    assert [file.name for file in (folder / "maps").iterdir()] == ["one.png.png"]


def test_a_model_of_panoramas_refuses_flat_pictures(capsys, folder, picture):
    status, found = score(capsys, picture, "--model", write_sweep(folder, VIEWPORTS))
    assert status == 1 and found["scores"] == []
    assert "160 x 120 pixels, but the model scores 360-degree panoramas" in found["failures"][0]


def test_crops_scale_with_the_picture(folder):
    sampler = CROPS | {"longer_side": 160}
    result = load_result(write_network(folder, sampler=sampler))
    big = write_picture(folder / "big.png", 320, 200)
    assert next(score_pictures(result, [big])).patches["size"].unique().tolist() == [128]
    small = write_picture(folder / "wide.png", 320, 100)
    assert "need 128 x 128" in str(next(score_pictures(result, [small])))


def test_map_of_one_picture_is_a_file_and_the_same_every_time(capsys, folder, picture):
    model = write_network(folder)
    for name in ("first.png", "second.png"):
        assert main(["score", str(picture), "--model", str(model), "--map", name]) == 0
    assert (folder / "first.png").read_bytes() == (folder / "second.png").read_bytes()
    assert min(Image.open("first.png").size) > 600
    capsys.readouterr()
    assert "is the picture itself" in refusal(capsys, picture, "--model", model, "--map", "pictures/one.png")
    write_picture(folder / "pictures/two.png")
    assert "one file for 2 pictures; give a folder" in refusal(capsys, "pictures", "--model", model, "--map", "m.png")
    assert "expected a file that ends in .png" in refusal(capsys, picture, "--model", model, "--map", "m.jpg")


def test_maps_keep_apart_pictures_of_one_name(capsys, folder):
    for name in ("a/x.png", "a/x.jpg", "b/x.png"):
        write_picture(folder / "set" / name)
    main(["score", "set", "--model", str(write_network(folder)), "--map", "maps"])
    maps = folder / "maps"
    found = sorted(file.relative_to(maps).as_posix() for file in maps.rglob("*.png"))
    assert found == ["a/x.jpg.png", "a/x.png.png", "b/x.png.png"]


def test_models_of_a_sweep_are_chosen(capsys, folder, picture):
    rates = (("all", 1.0), ("residual", 0.4), ("residual", 0.8), ("random", 0.4))
    model = write_sweep(folder, rates=rates)
    chosen = [(), ("--selector", "random"), ("--selector", "residual", "--keep", 0.8)]
    found = [score(capsys, picture, "--model", model, *choice)[1] for choice in chosen]
    facts = [(one["result"]["selector"], one["result"]["keep"]) for one in found]
    assert facts == [("all", 1.0), ("random", 0.4), ("residual", 0.8)]
    assert len({one["scores"][0]["quality"] for one in found}) == 3
    several = refusal(capsys, picture, "--model", model, "--selector", "residual")
    assert "holds several models of residual; choose a selector and keep rate of residual at 0.4, 0.8." in several
    absent = refusal(capsys, picture, "--model", model, "--selector", "herding")
    assert "holds no models of herding" in absent and "random at 0.4; residual at 0.4, 0.8." in absent


def test_what_is_no_trained_result_is_refused(capsys, folder, picture):
    student = folder / "results/student"
    weights = write_network(student)
    model = ["--model", weights]
    assert "no such result" in refusal(capsys, picture, "--model", "results/lost")
    assert "not a trained result" in refusal(capsys, picture, "--model", picture)
    assert "holds no trained result; did you mean results/student/0.safetensors?" in refusal(
        capsys, picture, "--model", "results"
    )
    assert "leave --selector and --keep out" in refusal(capsys, picture, *model, "--keep", 0.5)
    write_network(student, 1, sampler=CROPS | {"count": 9})
    assert "1.safetensors: its sampler is not that of 0.safetensors" in refusal(capsys, picture, "--model", student)
    write_sweep(student)
    assert "holds several students" in refusal(capsys, picture, "--model", student)
    weights.write_bytes(weights.read_bytes()[:-100])
    assert "0.safetensors: not the weights of this network" in refusal(capsys, picture, *model)
    sidecar = weights.with_suffix(".json")
    sidecar.write_text('{"variant": {}}')
    assert "does not say how the result was made" in refusal(capsys, picture, *model)
    sidecar.write_text('{"variant": ')
    assert "is no JSON" in refusal(capsys, picture, *model)
    sidecar.unlink()
    assert "its sidecar 0.json is missing" in refusal(capsys, picture, *model)


def test_what_is_no_picture_is_refused_before_any_work(capsys, folder, picture):
    (folder / "empty").mkdir()
    assert "empty: holds no picture" in refusal(capsys, "empty", "--model", "lost")
    assert "lost.png: no such picture or folder" in refusal(capsys, picture, "lost.png", "--model", "lost")
    assert "is a folder; give a file" in refusal(capsys, picture, "--model", "lost", "--parquet", "empty")


def test_recorded_scanpaths_are_not_replaced_by_others(capsys, folder):
    sampler = {"method": "sp", "count": 4, "size": 64, "fov": 60.0, "scanpaths": "seen.csv"}
    panorama = write_picture(folder / "panorama.png", 256, 128)
    status, found = score(capsys, panorama, "--model", write_sweep(folder, sampler))
    assert status == 1 and "saw recorded scanpaths" in found["failures"][0]


def test_other_commands_do_not_wait_for_torch():
    loaded = "import sys, iqadistill.cli; print({'torch', 'timm', 'matplotlib'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True).stdout == "set()\n"


def test_a_score_that_is_no_number_is_named(capsys, folder, picture):
    sweep = load_sweep(write_sweep(folder))
    sweep.stack.biases[-1].fill_(math.nan)
    sweep.save(folder / "mlp.safetensors")
    status, found = score(capsys, picture, "--model", folder / "mlp.safetensors")
    assert status == 1 and found["failures"][0].startswith(f"{picture}: its score is NaN")
    weights = write_network(folder)
    network = load_network(create_model("adtrs", backbone="test_resnet", size=64), weights)
    torch.nn.init.constant_(network.head.bias, math.nan)
    save_network(network, weights)
    status, found = score(capsys, picture, "--model", weights)
    assert status == 1 and found["failures"][0].startswith(f"{picture}: its score is NaN")
