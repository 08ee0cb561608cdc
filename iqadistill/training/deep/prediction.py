"""Patch scores and image scores of a trained network."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from torch import Tensor, nn

from iqadistill.console import progress
from iqadistill.encoders.inference import speed_up_inference
from iqadistill.errors import InputError
from iqadistill.parallel import map_ahead
from iqadistill.patches.store import PatchStore, cut_batches
from iqadistill.tables import as_table
from iqadistill.training.image_tables import scored_images

_WINDOW = 1024  # patches read at a time, approximately
_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def score_patches(
    network: nn.Module,
    images: pa.Table,
    patches: pa.Table,
    *,
    size: int | None = None,
    device: str = "cpu",
    precision: str = "no",
    batch_size: int = 32,
    workers: int = 2,
    flip: bool = False,
) -> pd.DataFrame:
    """Score every patch of a patch table, in eval mode.

    Args:
        network: Network from patches (B, 3, side, side), float32 in [0, 1], to scores (B,); moved to `device`.
        images: Table "images"; only images with patches are read.
        patches: Table "patches".
        size: Side in pixels to which patches are resized; None to leave them as they are.
        device: "cpu", "cuda" or "cuda:N".
        precision: "no" (float32), or mixed "bf16" or "fp16".
        batch_size: Patches per forward pass; a batch may span several images.
        workers: Number of images that are decoded at the same time.
        flip: Whether to score horizontally flipped patches as well (column `flipped`).

    Returns:
        Columns patch_id, image_id and score, rows in the order of `patches`.

    Raises:
        InputError: An image cannot be read, or its score is not finite.
    """
    names = sorted(patches["image_id"].unique().to_pylist())
    store = PatchStore(images, patches, names, size=size, workers=workers, memory_gb=0)
    network.to(device).eval()
    if torch.device(device).type == "cpu" and len(store.image):
        example = store.fetch(np.arange(min(2, len(store.image)))).float() / 255
        network = speed_up_inference(network, lambda model, batch: model(batch), example)
    label = "score (batches)"
    scores = score_store(
        _PlainAndFlipped(network) if flip else network,
        store,
        device=device,
        precision=precision,
        batch_size=batch_size,
        label=label,
    )
    columns = dict(zip(("score", "flipped"), scores.reshape(len(scores), -1).T, strict=False))
    frame = store.patches.select(["patch_id", "image_id"]).to_pandas().assign(**columns)
    return frame.set_index("patch_id").loc[patches["patch_id"].to_numpy()].reset_index()


def predict_network(
    network: nn.Module,
    images: pa.Table,
    patches: pa.Table,
    variant: Mapping[str, Any],
    *,
    pooling: str = "mean",
    flip: bool = False,
    **settings: Any,
) -> pa.Table:
    """Score every scored image, whatever its role in a split, by pooling the scores of its patches.

    Args:
        network: Trained network, see `score_patches`.
        images: Table "images", which may be of another dataset than the network was trained on.
        patches: Table "patches"; the same for all variants that are compared.
        variant: Variant columns of the network.
        pooling: "mean", "median" or "weighted" (mean by the weights of the patch table) of an image's patch scores.
        flip: Whether to predict from horizontally flipped patches as well (column `flipped`).
        **settings: Further settings of `score_patches`.

    Returns:
        Table "predictions"; score is the image's quality in [0, 1], higher is better.

    Raises:
        InputError: The pooling is unknown, an image has no patches, or as `score_patches`.
    """
    if pooling not in ("mean", "median", "weighted"):
        raise InputError(f"evaluation: pooling {pooling!r} is unknown; use mean, median or weighted.")
    frame = scored_images(images)
    names = patches["image_id"].to_pandas()
    missing = ~frame.image_id.isin(names)
    if missing.any():
        raise InputError(f"patches: image {frame.image_id[missing].iloc[0]!r} has none; sample the patches again.")
    wanted = patches.filter(pa.array(names.isin(frame.image_id).to_numpy()))
    weight = wanted["weight"].to_numpy() if pooling == "weighted" else None
    scores = score_patches(network, images, wanted, flip=flip, **settings)
    flipped = None
    if flip:
        mirrored = scores.assign(score=scores.flipped)
        flipped = _pool(mirrored, weight, pooling).loc[frame.image_id].to_numpy()
    rows = {
        "dataset": frame.dataset.to_numpy(),
        "image_id": frame.image_id.to_numpy(),
        "score": frame.quality.to_numpy(),
        "prediction": _pool(scores, weight, pooling).loc[frame.image_id].to_numpy(),
        "flipped": flipped,
        "num_patches": scores.groupby("image_id").size().loc[frame.image_id].to_numpy(),
    }
    return as_table(pd.DataFrame(rows).assign(**variant), "predictions")


def _pool(scores: pd.DataFrame, weight: np.ndarray | None, pooling: str) -> pd.Series:
    """Image scores by image_id, from the columns image_id and score of patches and, for "weighted", their weights."""
    if weight is None:
        return scores.groupby("image_id").score.agg(pooling)
    sums = scores.assign(score=scores.score * weight, weight=weight).groupby("image_id")[["score", "weight"]].sum()
    return sums.score / sums.weight


class _PlainAndFlipped(nn.Module):
    """A network that scores patches (B, 3, h, w) as they are and flipped horizontally: scores (B, 2)."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, patches: Tensor) -> Tensor:
        return torch.stack([self.network(patches), self.network(patches.flip(-1))], dim=1)


@torch.inference_mode()
def score_store(
    network: nn.Module,
    store: PatchStore,
    *,
    device: str | torch.device,
    precision: str,
    batch_size: int,
    first: int = 0,
    label: str = "",
) -> np.ndarray:
    """Scores (n,), or (n, k) of a network with k of them, float64, of a store's patches from row `first` on.

    The network is left in eval mode. With a label, progress is reported.

    Raises:
        InputError: A score is not finite.
    """
    network.eval()
    device = torch.device(device)
    pools = map_ahead(lambda rows: (store.fetch(rows),), _windows(store, first), workers=1)
    rows = len(store.image) - first
    sizes = [min(batch_size, rows - start) for start in range(0, rows, batch_size)]
    scores = []
    batches = cut_batches(pools, sizes)
    for (batch,) in progress(batches, label, total=len(sizes)) if label else batches:
        with torch.autocast(device.type, _TYPES[precision]) if precision in _TYPES else contextlib.nullcontext():
            scores.append(network(_pixels(batch, device)).double())
    result = torch.cat(scores).cpu().numpy()
    finite = np.isfinite(result.reshape(len(result), -1)).all(axis=1)
    if not finite.all():
        broken = store.patches["image_id"][first + int(np.argmin(finite))].as_py()
        raise InputError(f"{broken}: its score is NaN or infinite; train again with a lower lr or precision no.")
    return result


def _pixels(batch: Tensor, device: torch.device) -> Tensor:
    pixels = batch.to(device, non_blocking=True).float().div_(255)
    return pixels.contiguous(memory_format=torch.channels_last)  # faster in convolutions on both kinds of device


def _windows(store: PatchStore, first: int) -> Iterator[np.ndarray]:
    """Rows of complete images, about `_WINDOW` patches at a time."""
    start = first
    for end in (np.flatnonzero(np.diff(store.image, append=-1)) + 1).tolist():
        if end - start >= _WINDOW or end == len(store.image):
            yield np.arange(start, end)
            start = end
