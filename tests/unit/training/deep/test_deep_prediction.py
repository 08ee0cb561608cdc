import numpy as np
import pyarrow.compute as pc
import pytest
import torch
from tiny_networks import VARIANT, TinyNetwork, TinyStudy

from iqadistill.errors import InputError
from iqadistill.images.decoding import read_image
from iqadistill.patches import reading
from iqadistill.table_schemas import SCHEMAS
from iqadistill.tables import as_table
from iqadistill.training.deep import prediction
from iqadistill.training.deep.prediction import predict_network, score_patches


@pytest.fixture
def study(tmp_path):
    return TinyStudy(tmp_path)


@pytest.fixture
def network():
    return TinyNetwork()


def test_patch_scores_are_those_of_the_network_on_crops(study, network):
    scored = score_patches(network, study.images, study.patches, batch_size=7)
    assert scored.patch_id.tolist() == study.patches["patch_id"].to_pylist()
    paths = dict(zip(study.images["image_id"].to_pylist(), study.images["path"].to_pylist(), strict=True))
    for row, score in zip(study.patches.slice(20, 5).to_pylist(), scored.score[20:25], strict=True):
        crop = read_image(paths[row["image_id"]])[row["y"] : row["y"] + 16, row["x"] : row["x"] + 16]
        with torch.no_grad():
            expected = network.eval()(torch.from_numpy(crop.copy()).permute(2, 0, 1)[None] / 255).item()
        assert score == pytest.approx(expected, abs=1e-5)


def test_patch_scores_do_not_depend_on_batch_and_window_size(study, network, monkeypatch):
    first = score_patches(network, study.images, study.patches, batch_size=64).score
    monkeypatch.setattr(prediction, "_WINDOW", 11)
    second = score_patches(network, study.images, study.patches, batch_size=3).score
    np.testing.assert_allclose(first, second, atol=1e-6)


def test_bf16_scores_are_close(study, network):
    first = score_patches(network, study.images, study.patches).score
    second = score_patches(network, study.images, study.patches, precision="bf16").score
    assert (first != second).any()
    np.testing.assert_allclose(first, second, atol=0.02)


def test_weighted_pooling_uses_patch_weights(study, network):
    weight = np.random.default_rng(1).random(len(study.patches))
    frame = study.patches.to_pandas().assign(weight=weight)
    table = predict_network(network, study.images, as_table(frame, "patches"), VARIANT, pooling="weighted", flip=True)
    scores = score_patches(network, study.images, study.patches).assign(weight=frame.weight.to_numpy())
    for row in table.to_pandas().itertuples():
        one = scores[scores.image_id == row.image_id]
        assert row.prediction == pytest.approx(np.average(one.score, weights=one.weight), abs=1e-5)
        assert np.isfinite(row.flipped) and row.num_patches == 5


@pytest.mark.parametrize("pooling", ["mean", "median"])
def test_image_score_pools_patch_scores(study, network, pooling):
    shuffled = study.patches.take(np.random.default_rng(0).permutation(len(study.patches)))
    table = predict_network(network, study.images, shuffled, {**VARIANT, "keep": 0.4, "split": 1}, pooling=pooling)
    assert table.schema.equals(SCHEMAS["predictions"])
    frame = table.to_pandas()
    patches = score_patches(network, study.images, study.patches)
    for row in frame.itertuples():
        scores = patches.score[patches.image_id == row.image_id]
        assert row.prediction == pytest.approx(getattr(np, pooling)(scores), abs=1e-6)
    assert frame.num_patches.eq(5).all() and frame.keep.eq(0.4).all() and frame.split.eq(1).all()
    assert frame.score.tolist() == study.images["quality"].to_pylist()


def test_references_unscored_and_quarantined_images_are_excluded(study, network):
    frame = study.images.to_pandas()
    frame.loc[0, "is_reference"] = True
    frame.loc[1, "quality"] = np.nan
    frame.loc[2, "status"] = "quarantined"
    table = predict_network(network, as_table(frame, "images"), study.patches, {})
    assert table["image_id"].to_pylist() == frame.image_id[3:].tolist()


def test_images_that_cannot_be_scored_are_refused(study, network):
    with pytest.raises(InputError, match=r"pooling.*'max'"):
        predict_network(network, study.images, study.patches, {}, pooling="max")
    few = study.patches.filter(pc.not_equal(study.patches["image_id"], "set/image04"))
    with pytest.raises(InputError, match="'set/image04'"):
        predict_network(network, study.images, few, {})
    torch.nn.init.constant_(network.head[1].bias, float("inf"))
    with pytest.raises(InputError, match=r"set/image00: .*NaN"):
        score_patches(network, study.images, study.patches)


def test_images_are_decoded_once_for_patches_and_flipped_patches(study, network, monkeypatch):
    seen = []
    monkeypatch.setattr(reading, "read_image", lambda path, *scale: (seen.append(path), read_image(path, *scale))[1])
    predict_network(network, study.images, study.patches, VARIANT, flip=True)
    example, *once = seen  # the network is prepared for the CPU with a patch of the first image
    assert sorted(once) == study.images["path"].to_pylist() and example == min(once)


def test_flipped_prediction_is_that_of_flipped_patches(study, network):
    plain = predict_network(network, study.images, study.patches, VARIANT).to_pandas()
    assert plain.flipped.isna().all()
    both = predict_network(network, study.images, study.patches, VARIANT, flip=True).to_pandas()
    assert both.prediction.tolist() == plain.prediction.tolist()
    name = study.images["image_id"][0].as_py()
    image, places = read_image(study.images["path"][0].as_py()), study.patches.to_pandas()
    rows = places[places.image_id == name]
    crops = np.stack([image[y : y + 16, x : x + 16][:, ::-1] for x, y in zip(rows.x, rows.y, strict=True)])
    with torch.no_grad():
        expected = network.eval()(torch.from_numpy(crops).permute(0, 3, 1, 2) / 255).mean().item()
    assert both.flipped[both.image_id == name].item() == pytest.approx(expected, abs=1e-5)
