import pandas as pd
import pytest

from iqadistill.tables import as_table
from iqadistill.training.image_tables import as_one_split, score_scale


@pytest.mark.parametrize(("worst", "best"), [(1.0, 5.0), (100.0, 0.0), (0.24, 7.21)])
def test_score_scale_inverts_quality(worst, best):
    quality = [0.31, None, 0.62, 0.11, 0.93]
    score = [None if q is None else worst + q * (best - worst) for q in quality]
    frame = pd.DataFrame({"image_id": list("abcde"), "quality": quality, "score": score})
    images = as_table(frame, "images").replace_schema_metadata({"score_column": "mos", "scores": "simulated: drawn"})
    expected = {"column": "mos", "worst": worst, "best": best, "source": "simulated: drawn"}
    assert score_scale(images).model_dump() == pytest.approx(expected)


def test_single_split_trains_on_every_image_once():
    rows = [
        {"split": split, "image_id": name, "role": role}
        for split in (0, 1)
        for name, role in (("a", "train"), ("b", "test"))
    ]
    single = as_one_split(as_table(pd.DataFrame(rows), "splits"))
    assert single.to_pylist() == [{"split": 0, "image_id": name, "role": "train"} for name in ("a", "b")]
