"""Training a deep network on the kept patches of one split."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.state import AcceleratorState
from torch import nn

from iqadistill.errors import InputError
from iqadistill.patches.kept import kept_patches
from iqadistill.patches.store import PatchStore
from iqadistill.tables import SCHEMAS, as_table
from iqadistill.training.deep.checkpoints import Checkpoints
from iqadistill.training.deep.epoch_plan import Dealer
from iqadistill.training.deep.optimisation import Stepper
from iqadistill.training.deep.settings import NetworkRecipe
from iqadistill.training.deep.training_run import SplitPatches, TrainingRun


def train_network(
    network: nn.Module,
    images: pa.Table,
    splits: pa.Table,
    patches: pa.Table,
    selection: pa.Table | None,
    keep: float,
    split: int,
    recipe: NetworkRecipe,
    *,
    variant: Mapping[str, str],
    size: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    checkpoints: Checkpoints | None = None,
    workers: int = 2,
    memory_gb: float = 2.0,
) -> pa.Table:
    """Train a network in place on the kept patches of a split's training images.

    Validation images, where the split has any, feed the history and, if the recipe is patient, choose the epoch whose
    weights are kept. Test images feed nothing. On CPU the weights follow from the arguments before `device` alone, also
    where training was killed and goes on from a checkpoint. With several processes (see `iqadistill.training.deep.launch`) each
    takes its share of every batch, and losses that compare patches compare those of a share.

    Args:
        network: `losses(patches, quality)` of patches (B, 3, side, side) in [0, 1] and quality (B,) gives named scalars
            whose sum is minimised; called, in eval mode, it gives scores (B,). Its parameters under `backbone` may have a
            learning rate of their own.
        images: Table "images".
        splits: Table "splits".
        patches: Table "patches".
        selection: Table "selection" of the selector; None for all patches.
        keep: Fraction of a training image's patches that is trained on; validation takes all.
        split: Number of the split.
        recipe: How to train.
        variant: The variant columns of the history but keep and split.
        size: Side to which patches are resized; None as they are.
        seed: Of every random draw.
        device: "cpu", "cuda" or "cuda:N".
        checkpoints: Where a killed training goes on from; None for no checkpoints.
        workers: Images decoded at the same time.
        memory_gb: Where all patches fit into so many GiB, later epochs decode nothing.

    Returns:
        Table "history". `loss` and its `parts` are means over the epoch, `val_srcc` is of the mean of an image's patch
        scores, `num_patches` those of an epoch, `peak_memory` in MiB: the card's, or on CPU the process's.

    Raises:
        InputError: A table lacks an image, a patch or a quality, the split lacks images, the loss is not finite, or a setting
            does not go with the others.
    """
    data = _load(images, splits, patches, selection, keep, split, size=size, workers=workers, memory_gb=memory_gb)
    if recipe.patience and data.trained == len(data.quality):
        raise InputError(f"splits: split {split} has no validation image, which patience needs; raise val_fraction.")
    accelerator = _accelerator(recipe, device)
    dealer = Dealer(data.store.counts[: data.trained], recipe, seed, split)
    if np.diff(dealer.bounds).min() < accelerator.num_processes:
        raise InputError(f"recipe: batch_size {recipe.batch_size} gives some process no patch; raise it.")
    if checkpoints:
        weights = _digest(tensor.cpu().numpy() for tensor in network.state_dict().values())
        checkpoints = checkpoints.of(asdict(recipe), seed, split, size, weights, _fingerprint(data))
    with torch.random.fork_rng([accelerator.device] if accelerator.device.type == "cuda" else []):
        run = TrainingRun(Stepper(network, recipe, accelerator), recipe, data, dealer, accelerator, checkpoints)
        rows = run.run()
    return _history(rows, {**variant, "keep": keep, "split": split})


def _load(
    images: pa.Table,
    splits: pa.Table,
    patches: pa.Table,
    selection: pa.Table | None,
    keep: float,
    split: int,
    **settings: Any,
) -> SplitPatches:
    roles = splits.filter(pc.equal(splits["split"], split)).to_pandas()
    train, val = (sorted(roles.image_id[roles.role == role]) for role in ("train", "val"))
    if not train:
        raise InputError(f"splits: split {split} has no training image; lower the test and validation fractions.")
    quality = images.select(["image_id", "quality"]).to_pandas().set_index("image_id").quality.reindex([*train, *val])
    if quality.isna().any():
        unscored = quality.index[int(np.argmax(quality.isna()))]
        raise InputError(f"splits: image {unscored!r} has no quality in the images table; split the dataset again.")
    kept, validated = (
        patches.filter(pc.is_in(patches["image_id"], pa.array(names, pa.string()))) for names in (train, val)
    )
    both = pa.concat_tables([kept_patches(kept, selection, keep), validated])
    return SplitPatches(PatchStore(images, both, [*train, *val], **settings), quality.to_numpy(), len(train))


def _accelerator(recipe: NetworkRecipe, device: str) -> Accelerator:
    if recipe.precision == "fp16" and not device.startswith("cuda"):
        raise InputError("recipe: precision fp16 needs a CUDA device; use bf16 or no.")
    if device.startswith("cuda:"):
        torch.cuda.set_device(device)
    torch.backends.cudnn.benchmark = True  # all batches are of two sizes at most
    # Accelerate keeps the settings of the first training for the whole process.
    AcceleratorState._reset_state(reset_partial_state=True)
    return Accelerator(
        mixed_precision=recipe.precision,
        cpu=device == "cpu",
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
    )


def _fingerprint(data: SplitPatches) -> str:
    """Digest of what is trained and validated on, but for the pictures themselves."""
    table = data.store.patches
    names = "\0".join(table["image_id"].to_pylist()).encode()
    numbers = [table[name].to_numpy() for name in table.column_names if name != "image_id"]
    return _digest([np.frombuffer(names, np.uint8), *numbers, data.quality, np.array(data.trained)])


def _digest(arrays: Any) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()


def _history(rows: list[dict[str, Any]], variant: Mapping[str, Any]) -> pa.Table:
    parts = pa.array([list(row["parts"].items()) for row in rows], SCHEMAS["history"].field("parts").type)
    frame = pd.DataFrame(rows).drop(columns="parts").assign(**variant)
    return as_table(pa.Table.from_pandas(frame, preserve_index=False).append_column("parts", parts), "history")
