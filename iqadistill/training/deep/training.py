"""Training of a deep network on the kept patches of one split."""

import hashlib
from collections.abc import Iterable, Mapping
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
from iqadistill.models.settings import TrainingSettings
from iqadistill.patches.store import PatchStore
from iqadistill.selection.kept import kept_patches
from iqadistill.table_schemas import SCHEMAS
from iqadistill.tables import as_table
from iqadistill.training.deep.checkpoints import Checkpoints
from iqadistill.training.deep.epoch_plan import EpochPlanner
from iqadistill.training.deep.epoch_reader import epoch_reader
from iqadistill.training.deep.optimisation import MeasuresScores, NetworkOptimiser
from iqadistill.training.deep.training_run import SplitPatches, TrainingRun
from iqadistill.training.image_tables import qualities, score_scale


def train_network(
    network: nn.Module,
    images: pa.Table,
    splits: pa.Table,
    patches: pa.Table,
    selection: pa.Table | None,
    keep: float,
    split: int,
    settings: TrainingSettings,
    *,
    variant: Mapping[str, str],
    size: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    checkpoints: Checkpoints | None = None,
    workers: int = 2,
) -> pa.Table:
    """Train a network in place on the kept patches of a split's training images.

    Validation images, where the split has any, are used for the history and, if the settings give a patience, to
    choose the epoch whose weights are kept. Test images are not used. On CPU the weights are determined by the
    arguments before `device`, also if the training was killed and resumes from a checkpoint. With several processes
    (see `iqadistill.training.deep.training_job.launch`) each takes its share of every batch, and losses that compare
    patches compare those of a share.

    Args:
        network: Module whose `losses(patches, quality)`, of patches (B, 3, side, side) in [0, 1] and quality (B,),
            gives named scalars whose sum is minimised; called, in eval mode, it gives scores (B,). Its parameters
            under `backbone` may have another learning rate. A method `set_score_span`, where it has one, is told the
            span of the scores.
        images: Table "images".
        splits: Table "splits".
        patches: Table "patches".
        selection: Table "selection" of the selector; None for all patches.
        keep: Fraction of a training image's patches that is trained on; validation uses all.
        split: Number of the split.
        settings: Settings of the training. Where patches or images exceed its `memory_gb`, batches are mixed from a
            window of images, which changes the weights, see `iqadistill.training.deep.epoch_reader.epoch_reader`.
        variant: Variant columns of the history, except for keep and split.
        size: Side in pixels to which patches are resized; None to leave them as they are.
        seed: Seed of all random draws.
        device: "cpu", "cuda" or "cuda:N".
        checkpoints: Checkpoints to resume from; None for no checkpoints.
        workers: Number of images that are decoded at the same time.

    Returns:
        Table "history". `loss` and its `parts` are means over the epoch, `val_srcc` is that of the mean of an image's
        patch scores, `num_patches` counts those of an epoch, `peak_memory` in MiB is that of the GPU or, on CPU, of
        the process.

    Raises:
        InputError: A table lacks an image, a patch or a quality, the split lacks images, the loss is not finite, two
            settings contradict each other, or a batch is too small for a normalisation of the network.
    """
    if settings.crops == "fresh" and selection is not None:
        raise InputError("crops: fresh crops have no ranking to be selected by; use fixed, or all patches.")
    data = _load(
        images,
        splits,
        patches,
        selection,
        keep,
        split,
        settings,
        seed,
        size=size,
        workers=workers,
        memory_gb=settings.memory_gb,
    )
    if isinstance(network, MeasuresScores):
        network.set_score_span(score_scale(images).span)
    if settings.patience and data.trained == len(data.quality):
        raise InputError(f"splits: split {split} has no validation image, which patience needs; raise val_fraction.")
    accelerator = create_accelerator(settings, device)
    planner = EpochPlanner(data.store.counts[: data.trained], settings, seed, split, data.reader.windows)
    smallest_share = int(np.diff(planner.bounds).min()) // accelerator.num_processes
    if not smallest_share:
        raise InputError(f"batch_size: {settings.batch_size} leaves a process without a patch; raise it.")
    if checkpoints:
        weights = _digest(tensor.cpu().numpy() for tensor in network.state_dict().values())
        facts = settings.model_dump(mode="json"), seed, split, size, weights, _fingerprint(data), planner.windows
        checkpoints = checkpoints.of(*facts)
    with torch.random.fork_rng([accelerator.device] if accelerator.device.type == "cuda" else []):
        optimiser = NetworkOptimiser(network, settings, accelerator)
        optimiser.check_smallest_batch(smallest_share, data.store.side)
        run = TrainingRun(optimiser, settings, data, planner, accelerator, checkpoints)
        rows = run.run()
    return _history(rows, {**variant, "keep": keep, "split": split})


def _load(
    images: pa.Table,
    splits: pa.Table,
    patches: pa.Table,
    selection: pa.Table | None,
    keep: float,
    split: int,
    settings: TrainingSettings,
    seed: int,
    **reading: Any,
) -> SplitPatches:
    roles = splits.filter(pc.equal(splits["split"], split)).to_pandas()
    train, val = (sorted(roles.image_id[roles.role == role]) for role in ("train", "val"))
    if not train:
        raise InputError(f"splits: split {split} has no training image; lower the test and validation fractions.")
    quality = qualities(images, [*train, *val])
    kept, validated = (
        patches.filter(pc.is_in(patches["image_id"], pa.array(names, pa.string()))) for names in (train, val)
    )
    both = pa.concat_tables([kept_patches(kept, selection, keep), validated])
    store = PatchStore(images, both, [*train, *val], **reading)
    reader = epoch_reader(store, images, train, settings, seed=seed, **reading)
    return SplitPatches(store, reader, quality, len(train))


def create_accelerator(settings: TrainingSettings, device: str) -> Accelerator:
    """Device and precision of a training.

    Raises:
        InputError: The precision needs a GPU.
    """
    if settings.precision == "fp16" and not device.startswith("cuda"):
        raise InputError("precision: fp16 needs a CUDA device; use bf16 or no.")
    if device.startswith("cuda:"):
        torch.cuda.set_device(device)
    torch.backends.cudnn.benchmark = True  # all batches are of two sizes at most
    # Accelerate keeps the settings of the first training for the whole process.
    AcceleratorState._reset_state(reset_partial_state=True)
    return Accelerator(
        mixed_precision=settings.precision,
        cpu=device == "cpu",
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
    )


def _fingerprint(data: SplitPatches) -> str:
    """Digest of the patches and qualities that are trained and validated on, apart from the pixels."""
    table = data.store.patches
    names = "\0".join(table["image_id"].to_pylist()).encode()
    numbers = [table[name].to_numpy() for name in table.column_names if name != "image_id"]
    return _digest([np.frombuffer(names, np.uint8), *numbers, data.quality, np.array(data.trained)])


def _digest(arrays: Iterable[np.ndarray]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _history(rows: list[dict[str, Any]], variant: Mapping[str, Any]) -> pa.Table:
    parts = pa.array([list(row["parts"].items()) for row in rows], SCHEMAS["history"].field("parts").type)
    frame = pd.DataFrame(rows).drop(columns="parts").assign(**variant)
    return as_table(pa.Table.from_pandas(frame, preserve_index=False).append_column("parts", parts), "history")
