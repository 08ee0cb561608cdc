import numpy as np
import pandas as pd

from iqadistill.selection.random_draws import RandomRankings
from iqadistill.training.mlp import random_draws
from iqadistill.training.mlp.prediction import predict_mlps
from iqadistill.training.mlp.random_draws import predict_random_draws

NAMES = {"sampler": "erp", "encoder": "lite0", "student": "mlp"}
KEY = ["keep", "draw", "split", "image_id"]


def predictions(study, draws, **settings):
    table = predict_random_draws(
        study.embeddings, study.images, study.splits, draws, study.settings, names=NAMES, seed=3, **settings
    )
    return table.to_pandas().set_index(KEY).sort_index()


def test_every_ranking_scores_every_test_image_once(toy_study):
    study = toy_study()
    rows = predictions(study, {0.3: 3, 0.6: 2})
    tested = study.splits.to_pandas().query("role == 'test'")
    assert rows.index.is_unique and len(rows) == 5 * len(tested)
    assert sorted(set(zip(*[rows.index.get_level_values(name) for name in ("keep", "draw")], strict=True))) == [
        (0.3, 0), (0.3, 1), (0.3, 2), (0.6, 0), (0.6, 1)
    ]  # fmt: skip


def test_student_of_a_ranking_is_an_ordinary_member_of_the_stacked_model(toy_study):
    study = toy_study()
    rankings = RandomRankings(study.embeddings, seed=3)
    study.selections["drawn"] = rankings.draw(1)
    mlps = study.train([("one", 0.3), ("drawn", 0.3)], seed=3)
    expected = predict_mlps(mlps, study.embeddings, study.images, {}, **NAMES).to_pandas()
    expected = expected[expected.selector == "drawn"].set_index(["split", "image_id"]).prediction
    found = predictions(study, {0.3: 2}).loc[0.3, 1].prediction
    np.testing.assert_allclose(found, expected[found.index], rtol=1e-4, atol=1e-5)


def test_scores_do_not_depend_on_how_many_are_trained_together(toy_study, monkeypatch):
    study = toy_study()
    together = predictions(study, {0.3: 3})
    monkeypatch.setattr(random_draws, "CHUNK_BYTES", 1)
    pd.testing.assert_frame_equal(predictions(study, {0.3: 3}), together, rtol=1e-4)


def test_rankings_are_uniform_and_depend_on_image_and_number_alone(toy_study):
    study = toy_study(ragged=False)
    first = RandomRankings(study.embeddings, seed=3)
    half = study.embeddings.filter(
        np.array(study.embeddings["image_id"].to_pylist()) != study.embeddings["image_id"][0].as_py()
    )
    whole, part = (r.draw(5).to_pandas().set_index("patch_id")["rank"] for r in (first, RandomRankings(half, seed=3)))
    assert (whole[part.index] == part).all()
    ranks = np.stack([first.draw(number)["rank"].to_numpy() for number in range(300)])
    assert abs(ranks.mean(0) - ranks.mean()).max() < 0.6
    assert (first.draw(0)["rank"].to_numpy() != first.draw(1)["rank"].to_numpy()).any()
