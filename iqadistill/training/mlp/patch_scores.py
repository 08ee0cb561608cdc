"""Scores of single patches by trained MLPs."""

import numpy as np
import pandas as pd
import pyarrow as pa

from iqadistill.errors import InputError
from iqadistill.tables import ALL, as_table
from iqadistill.training.image_tables import scored_images
from iqadistill.training.mlp.patch_bank import PatchBank
from iqadistill.training.mlp.trained_mlps import TrainedMlps


def score_test_patches(
    mlps: TrainedMlps,
    embeddings: pa.Table,
    images: pa.Table,
    splits: pa.Table,
    *,
    sampler: str,
    encoder: str,
    student: str = "mlp",
) -> pa.Table:
    """Score each patch of the test images of every split with the MLP that learned from all patches of that split.

    Args:
        mlps: Trained models, on the device that computes.
        embeddings: Table "embeddings".
        images: Table "images".
        splits: Table "splits".
        sampler: Name for the column.
        encoder: Name for the column.
        student: Name for the column.

    Returns:
        Table "patch_scores".

    Raises:
        InputError: No model learned from all patches, or an image has no embedding.
    """
    models = [place for place, one in enumerate(mlps.variants) if (one.selector, one.keep) == (ALL, 1.0)]
    if not models:
        raise InputError("predict_patches: no student was trained on all patches; run train_mlps again.")
    frame = scored_images(images)
    bank = PatchBank(embeddings, frame.image_id.tolist(), mlps.stack.device)
    tested = splits.to_pandas().query("role == 'test'").groupby("split").image_id.agg(set)
    names = np.array(bank.image_ids, dtype=object)
    parts = []
    for place in models:
        split = mlps.variants[place].split
        rows = np.isin(bank.image, np.flatnonzero(frame.image_id.isin(tested[split])))
        scores = mlps.stack[[place]].scores(bank.embeddings)[0].double().cpu().numpy()
        part = {"split": split, "patch_id": bank.patch_id[rows], "image_id": names[bank.image[rows]]}
        parts.append(pd.DataFrame({**part, "score": scores[rows]}))
    table = pd.concat(parts, ignore_index=True)
    variant = {"dataset": mlps.train_dataset, "sampler": sampler, "encoder": encoder, "student": student}
    return as_table(table.assign(**variant), "patch_scores")
