import numpy as np
import pandas as pd
import pytest
import torch

from iqadistill.errors import InputError
from iqadistill.tables import as_table, embedding_matrix
from iqadistill.training import Variant, load_mlps, predict_mlps

NAMES = {"sampler": "lat", "encoder": "lite0"}
RATES = [("one", 0.5), ("all", 1.0)]


def predict(study, mlps, **settings):
    return predict_mlps(mlps, study.embeddings, study.images, study.selections, **NAMES, **settings).to_pandas()


def patch_scores(study, mlps, variant):
    with torch.no_grad():
        scores = mlps.model(variant)(torch.from_numpy(embedding_matrix(study.embeddings).copy()))
    return study.embeddings.to_pandas().assign(value=scores.numpy().astype(float))


def test_every_variant_predicts_every_scored_image(toy_study):
    study = toy_study()
    frame = study.images.to_pandas()
    frame.loc[0, "is_reference"], frame.loc[1, "quality"], frame.loc[2, "status"] = True, np.nan, "quarantined"
    mlps = study.train(RATES)
    study.images = as_table(frame, "images")
    table = predict(study, mlps)
    assert len(table) == 17 * len(mlps.variants)
    assert set(table.image_id) == set(frame.image_id[3:])
    assert (table[["train_dataset", "dataset", "teacher", "student"]] == ["toy", "toy", "", "mlp"]).all(axis=None)
    assert table.score.equals(table.image_id.map(frame.set_index("image_id").quality).rename("score"))


@pytest.mark.parametrize("pooling", ["mean", "median"])
def test_image_score_pools_all_patches(toy_study, pooling):
    study = toy_study()
    mlps, variant = study.train(RATES), Variant("one", 0.5, 1)
    table = predict(study, mlps, pooling=pooling).query("selector == 'one' and split == 1").set_index("image_id")
    patches = patch_scores(study, mlps, variant).groupby("image_id").value
    np.testing.assert_allclose(table.prediction, patches.agg(pooling), atol=1e-5)
    assert (table.num_patches == patches.size()).all()


def test_image_score_pools_kept_patches_only(toy_study):
    study = toy_study()
    mlps, variant = study.train(RATES), Variant("one", 0.5, 0)
    table = predict(study, mlps, test_patches="kept").query("selector == 'one' and split == 0").set_index("image_id")
    patches = patch_scores(study, mlps, variant).merge(study.selections["one"].to_pandas())
    size = patches.groupby("image_id").patch_id.transform("size")
    kept = patches[patches["rank"] < np.maximum(1, (0.5 * size).round())].groupby("image_id").value
    np.testing.assert_allclose(table.prediction, kept.mean(), atol=1e-5)
    assert (table.num_patches == kept.size()).all()


def test_weighted_pooling_uses_patch_weights(toy_study):
    study = toy_study()
    mlps = study.train([("all", 1.0)])
    weight = np.random.default_rng(1).random(len(study.embeddings)).astype(np.float32)
    rows = {"patch_id": study.embeddings["patch_id"].to_numpy(), "weight": weight}
    patches = as_table(pd.DataFrame(rows).iloc[::-1], "patches")
    table = predict(study, mlps, pooling="weighted", patches=patches).query("split == 0").set_index("image_id")
    scored = patch_scores(study, mlps, Variant("all", 1.0, 0)).assign(weight=weight)
    expected = scored.groupby("image_id")[["value", "weight"]].apply(lambda x: np.average(x.value, weights=x.weight))
    np.testing.assert_allclose(table.prediction, expected, atol=1e-5)


def test_saved_mlps_make_the_same_predictions(toy_study, tmp_path):
    study = toy_study()
    mlps = study.train(RATES)
    mlps.save(tmp_path / "mlp.safetensors", {"study": "toy"})
    loaded = load_mlps(tmp_path / "mlp.safetensors")
    assert loaded.variants == mlps.variants
    pd.testing.assert_frame_equal(predict(study, loaded), predict(study, mlps))
    assert list(tmp_path.iterdir()) == [tmp_path / "mlp.safetensors"]


def test_files_without_mlps_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"lost\.safetensors"):
        load_mlps(tmp_path / "lost.safetensors")
    (tmp_path / "torn.safetensors").write_bytes(b"torn")
    with pytest.raises(InputError, match=r"torn\.safetensors"):
        load_mlps(tmp_path / "torn.safetensors")


def test_unknown_variant_is_refused(toy_study):
    with pytest.raises(InputError, match=r"Variant.*0\.7"):
        toy_study().train(RATES).model(Variant("one", 0.7, 0))


@pytest.mark.parametrize("settings", [{"pooling": "max"}, {"test_patches": "some"}, {"pooling": "weighted"}])
def test_unknown_pooling_is_refused(toy_study, settings):
    study = toy_study()
    with pytest.raises(InputError, match=r"evaluation: "):
        predict(study, study.train(RATES), **settings)


def test_last_validation_srcc_is_that_of_the_final_model(toy_study):
    study = toy_study(val=6)
    mlps = study.train(RATES)
    table = predict(study, mlps).merge(study.splits.to_pandas(), on=["split", "image_id"]).query("role == 'val'")
    last = mlps.epochs.query("epoch == 2").set_index(["selector", "split"]).val_srcc
    for key, rows in table.groupby(["selector", "split"]):
        assert np.isclose(last[key], rows.prediction.corr(rows.score, method="spearman"))
