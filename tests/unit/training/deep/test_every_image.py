import pandas as pd

from iqadistill.tables import as_table
from iqadistill.training.deep.every_image import as_one_split


def test_every_image_is_for_training_once():
    rows = [
        {"split": split, "image_id": name, "role": role}
        for split in (0, 1)
        for name, role in (("a", "train"), ("b", "test"))
    ]
    whole = as_one_split(as_table(pd.DataFrame(rows), "splits"))
    assert whole.to_pylist() == [{"split": 0, "image_id": name, "role": "train"} for name in ("a", "b")]
