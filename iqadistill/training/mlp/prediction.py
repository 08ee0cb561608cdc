"""Image scores of trained MLPs."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa

from iqadistill.errors import InputError
from iqadistill.tables import ALL, as_table
from iqadistill.training.image_tables import scored_images
from iqadistill.training.mlp.patch_bank import PatchBank
from iqadistill.training.mlp.trained_mlps import TrainedMlps

CHUNK_BYTES = 2**28  # memory of the largest layer's outputs, which bounds how many models run at the same time


def predict_mlps(
    mlps: TrainedMlps,
    embeddings: pa.Table,
    images: pa.Table,
    selections: Mapping[str, pa.Table],
    *,
    sampler: str,
    encoder: str,
    student: str = "mlp",
    pooling: str = "mean",
    test_patches: str = "all",
    patches: pa.Table | None = None,
) -> pa.Table:
    """Score every scored image, whatever its role in a split, with every model.

    Args:
        mlps: Trained models, on the device that computes.
        embeddings: Table "embeddings" of the images, which may be of another dataset than the models were trained on.
        images: Table "images".
        selections: Tables "selection" by the name of the selector; read only when `test_patches` is "kept".
        sampler: Name for the variant column.
        encoder: Name for the variant column.
        student: Name for the variant column.
        pooling: "mean", "median" or "weighted" (mean by the weights of the patch table) of an image's patch scores.
        test_patches: "all" to score an image by all its patches, "kept" by those that the variant's selector keeps.
        patches: Table "patches", for weighted pooling.

    Returns:
        Table "predictions"; score is the image's quality in [0, 1], higher is better.

    Raises:
        InputError: A table lacks an image or a patch, or a setting is unknown.
    """
    if pooling not in ("mean", "median", "weighted") or test_patches not in ("all", "kept"):
        raise InputError(
            f"evaluation: pooling {pooling!r} with test_patches {test_patches!r} is unknown; "
            "use mean, median or weighted, and all or kept."
        )
    if pooling == "weighted" and patches is None:
        raise InputError("evaluation: weighted pooling needs the patch table with its weights; give it.")
    frame = scored_images(images)
    bank = PatchBank(embeddings, frame.image_id.tolist(), mlps.stack.device)
    weight = np.ones(len(bank.patch_id))
    if pooling == "weighted" and patches is not None:
        weight = bank.aligned(patches["patch_id"].to_numpy(), patches["weight"].to_numpy(), "patches")
    everything = (ALL, 1.0)
    choices = [everything if test_patches == "all" else (v.selector, v.keep) for v in mlps.variants]
    pools = {choice: bank.kept(*choice, selections) for choice in set(choices)}

    predictions = np.empty((len(mlps.variants), len(frame)))
    widest = max(weight.shape[2] for weight in mlps.stack.weights)
    chunk = max(1, CHUNK_BYTES // (4 * len(bank.patch_id) * widest))
    for start in range(0, len(mlps.variants), chunk):
        scores = mlps.stack[start : start + chunk].scores(bank.embeddings).double().cpu().numpy()
        for model, patch_scores in enumerate(scores, start):
            rows, present = pools[choices[model]]
            predictions[model] = _pool(patch_scores[rows], present, weight[rows], pooling)
    counts = np.stack([pools[choice][1].sum(1) for choice in choices])

    repeated = pd.DataFrame([vars(variant) for variant in mlps.variants])
    table = repeated.loc[repeated.index.repeat(len(frame))].reset_index(drop=True)
    for column, values in (("dataset", frame.dataset), ("image_id", frame.image_id), ("score", frame.quality)):
        table[column] = np.tile(values.to_numpy(), len(mlps.variants))
    names = {
        "train_dataset": mlps.train_dataset,
        "sampler": sampler,
        "encoder": encoder,
        "teacher": "",
        "student": student,
    }
    return as_table(table.assign(prediction=predictions.ravel(), num_patches=counts.ravel(), **names), "predictions")


def _pool(scores: np.ndarray, present: np.ndarray, weight: np.ndarray, pooling: str) -> np.ndarray:
    """Image scores (I,) of the present ones among patch scores (I, k)."""
    if pooling == "median":
        return np.nanmedian(np.where(present, scores, np.nan), axis=1)
    weight = np.where(present, weight, 0.0)
    return (scores * weight).sum(1) / weight.sum(1)
