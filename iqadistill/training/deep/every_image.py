"""Training on all scored images of a dataset, for teachers of students of another one."""

import pyarrow as pa

from iqadistill.tables import as_table


def as_one_split(splits: pa.Table) -> pa.Table:
    """Table "splits" with one split, number 0, in which every image is for training."""
    images = splits.select(["image_id"]).to_pandas().drop_duplicates()
    return as_table(images.assign(split=0, role="train"), "splits")
