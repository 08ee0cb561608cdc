import json

import pandas as pd
import pytest

from iqadistill.figures.experiment import EmbeddingTable, Experiment
from iqadistill.figures.scoring_times import scoring_times

EXPERIMENT = Experiment(
    name="cost",
    figure="student_cost",
    tables=(EmbeddingTable("own", "erp", "tiny"), EmbeddingTable("own", "lat", "tiny")),
    selectors={},
    keep=(),
    students=("deep", "mlp", "brisque"),
    tested_on=(),
)
PATCHES = {"dataset": "own", "sampler": "erp", "encoder": "tiny"}


def job(rule, seconds, images, patches, **names):
    scored = {"scoring_seconds": seconds, "scored_images": images, "scored_patches": patches}
    return {"rule": rule, "wildcards": json.dumps(names), **scored}


def times(*jobs):
    return scoring_times(pd.DataFrame(jobs), EXPERIMENT).to_dict("records")


def test_time_of_a_deep_student_is_the_median_over_splits_on_all_patches():
    deep = {**PATCHES, "student": "deep", "keep": 1.0}
    (row,) = times(
        *(
            job("predict", seconds, 10, 50, **deep, selector="all", split=split)
            for split, seconds in enumerate([1, 2, 9])
        ),
        job("predict", 0.1, 10, 20, **{**deep, "keep": 0.4}, selector="residual", split=0),
        job("predict_cross", 7, 10, 20, **deep, selector="all", split=0, tested="other"),
    )
    assert row == {**PATCHES, "student": "deep", "milliseconds": 200.0, "patches": 5.0}


def test_time_of_a_student_on_embeddings_includes_its_encoder_for_the_patches_that_it_scores():
    (row,) = times(
        job("embed_patches", 4.0, 20, 200, **PATCHES),  # 20 ms a patch, references embedded as well
        job("embed_patches", 9.0, 20, 200, **{**PATCHES, "sampler": "lat"}),
        job("predict_mlps", 0.05, 10, 50, **PATCHES, student="mlp"),
    )
    assert (row["student"], row["sampler"], row["patches"]) == ("mlp", "erp", 5.0)
    assert row["milliseconds"] == pytest.approx(5 + 5 * 20)


def test_time_of_an_encoder_is_that_of_all_shards():
    (row,) = times(
        job("embed_shard", float("nan"), float("nan"), float("nan"), **PATCHES, shard="1-of-2"),
        job("embed_shard", float("nan"), float("nan"), float("nan"), **PATCHES, shard="2-of-2"),
        job("gather_shards", 4.0, 20, 200, **PATCHES),
        job("predict_mlps", 0.05, 10, 50, **PATCHES, student="mlp"),
    )
    assert row["milliseconds"] == pytest.approx(5 + 5 * 20)


def test_method_on_whole_images_has_one_time_in_every_embedding_table():
    rows = times(job("predict_images", 3.0, 10, 0, dataset="own", student="brisque"))
    assert [(row["sampler"], row["milliseconds"], row["patches"]) for row in rows] == [("erp", 300, 0), ("lat", 300, 0)]
