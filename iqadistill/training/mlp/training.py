"""Training a whole sweep from its tables."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from scipy.stats import rankdata

from iqadistill.console import progress
from iqadistill.errors import InputError
from iqadistill.models.creation import create_model
from iqadistill.models.mlp import MLP
from iqadistill.training.mlp.patch_bank import PatchBank
from iqadistill.training.mlp.stack import LOSSES, Recipe, Stack, train_stack
from iqadistill.training.mlp.sweep import Sweep, Variant, concatenate

FLAT = 1e-5  # a feature whose deviation is below this share of its mean is constant to float32's precision


def train_sweep(
    embeddings: pa.Table,
    images: pa.Table,
    splits: pa.Table,
    selections: Mapping[str, pa.Table],
    rates: Sequence[tuple[str, float]],
    *,
    model: str = "mlp",
    hidden: Sequence[int] = (1024, 512),
    dropout: Sequence[float] = (0.5, 0.25),
    loss: str = "l1",
    epochs: int = 30,
    batch_images: int = 16,
    lr: float = 1e-3,
    weight_decay: float = 0.0,
    seed: int = 0,
    device: str = "cpu",
    memory_gb: float = 2.0,
) -> Sweep:
    """Train a student for every split, selector and keep rate, on the kept patches of the split's training images only.

    Models of the same split and keep rate are stacked and trained in lockstep; which models share a stack changes
    nothing but rounding. Initial weights, order of the images and dropout masks depend on (seed, split) only, so variants are
    paired. Features are standardised with each model's own kept training patches. Validation images, where the splits
    have any, only feed the history; test images feed nothing.

    Args:
        embeddings: Table "embeddings".
        images: Table "images".
        splits: Table "splits"; all its splits are trained.
        selections: Tables "selection" by selector name.
        rates: (selector, keep rate); ("all", 1.0) stands for all patches.
        model: Must be "mlp", the only student on frozen embeddings.
        hidden: Widths of the hidden layers.
        dropout: Rate after each hidden layer.
        loss: "l1" or "huber".
        epochs: Passes over the training images.
        batch_images: Images of a minibatch at most.
        lr: Adam's peak learning rate.
        weight_decay: Decoupled weight decay.
        seed: Of every random draw.
        device: "cpu", "cuda" or "cuda:N".
        memory_gb: Bound on the memory of stacked patches, weights and optimiser state, in GiB; a single model may exceed it.

    Raises:
        InputError: A table lacks an image, a patch or a selector, or a setting is out of range.
    """
    if model != "mlp":
        raise InputError(f"students: {model!r} does not learn from frozen embeddings; use mlp.")
    if loss not in LOSSES:
        raise InputError(f"students: unknown loss {loss!r}; use one of {', '.join(LOSSES)}.")
    rates = list(dict.fromkeys(map(tuple, rates)))
    if not rates:
        raise InputError("rates: there is nothing to train; give pairs of selector and keep rate.")
    recipe = Recipe(loss, epochs, batch_images, lr, weight_decay)
    frame = images.select(["dataset", "image_id", "quality"]).to_pandas().set_index("image_id")
    roles = splits.to_pandas()
    bank = PatchBank(embeddings, sorted(roles.image_id.unique()), device)
    quality = frame.quality.reindex(bank.image_ids).to_numpy()
    if np.isnan(quality).any():
        unscored = bank.image_ids[int(np.argmax(np.isnan(quality)))]
        raise InputError(f"splits: image {unscored!r} has no quality in the images table; split the dataset again.")
    groups = [
        (int(split), keep, [selector for selector, rate in rates if rate == keep], rows)
        for split, rows in roles.groupby("split")
        for keep in dict.fromkeys(rate for _, rate in rates)
    ]
    # A thread a core, each with a stack of its own, beats sharing out every small operation, and the result does not
    # depend on the number of threads.
    workers = torch.get_num_threads() if bank.embeddings.device.type == "cpu" else 1
    kept = {rate: bank.kept(*rate, selections) for rate in rates}
    memory = memory_gb * 2**30 / workers
    trainer = _Trainer(bank, quality, kept, tuple(hidden), tuple(dropout), recipe, seed, memory)
    with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        parts = pool.map(lambda group: trainer.group(*group), groups)
        trained = [part for group in progress(parts, "training", len(groups)) for part in group]
    variants = [variant for part, _, _ in trained for variant in part]
    return Sweep(
        train_dataset=str(frame.dataset.iloc[0]),
        variants=variants,
        stack=concatenate([stack for _, stack, _ in trained]),
        dropout=tuple(dropout),
        epochs=pd.concat([history for _, _, history in trained], ignore_index=True),
    )


@dataclass(frozen=True)
class _Trainer:
    bank: PatchBank
    quality: np.ndarray
    kept: Mapping[tuple[str, float], tuple[np.ndarray, np.ndarray]]
    hidden: tuple[int, ...]
    dropout: tuple[float, ...]
    recipe: Recipe
    seed: int
    memory: float

    def group(
        self, split: int, keep: float, selectors: list[str], roles: pd.DataFrame
    ) -> list[tuple[list[Variant], Stack, pd.DataFrame]]:
        """Train the models of one split and keep rate, as many at once as the memory holds."""
        index = pd.Index(self.bank.image_ids)
        train, val = (np.sort(index.get_indexer(roles.image_id[roles.role == role])) for role in ("train", "val"))
        if not len(train):
            raise InputError(f"splits: split {split} has no training image; lower the test and validation fractions.")
        kept = {name: self.kept[name, keep] for name in selectors}
        width = self.bank.embeddings.shape[1]
        parameters = sum(a * b for a, b in zip((width, *self.hidden), (*self.hidden, 1), strict=True))
        patches = len(train) * max(present.shape[1] for _, present in kept.values()) * width
        trained = []
        fitting = max(1, int(self.memory // (4 * (patches + 4 * parameters))))
        for start in range(0, len(selectors), fitting):
            chunk = selectors[start : start + fitting]
            generator = torch.Generator().manual_seed(_stream(self.seed, split))
            mlp = create_model("mlp", width=width, hidden=self.hidden, dropout=self.dropout, generator=generator)
            dealt = train[torch.randperm(len(train), generator=generator).numpy()]
            variants = [Variant(name, keep, split) for name in chunk]
            stack, history = self._train(mlp, [kept[name] for name in chunk], dealt, val, generator)
            names = pd.DataFrame([vars(variant) for variant in variants])
            trained.append((variants, stack, history.join(names, on="model").drop(columns="model")))
        return trained

    def _train(
        self,
        mlp: MLP,
        kept: list[tuple[np.ndarray, np.ndarray]],
        train: np.ndarray,
        val: np.ndarray,
        generator: torch.Generator,
    ) -> tuple[Stack, pd.DataFrame]:
        bank, device = self.bank, self.bank.embeddings.device
        present = torch.from_numpy(kept[0][1][train]).to(device)
        rows = [torch.from_numpy(rows[train]).to(device) for rows, _ in kept]
        patches, mean, scale = _standardised(bank.embeddings, rows, present)
        quality = torch.from_numpy(self.quality[train]).float().to(device)
        stack = Stack.copies(mlp, len(kept), device)
        stack.biases[-1].fill_(quality.mean())  # start from the mean quality instead of climbing to it

        def validate() -> list[float]:
            if not len(val):
                return [float("nan")] * len(kept)
            return _val_srcc(stack.folded(mean, scale), bank, val, self.quality[val])

        epochs = list(train_stack(stack, patches, present, quality, self.dropout, self.recipe, generator, validate))
        history = pd.DataFrame(epochs).assign(model=[range(len(kept))] * len(epochs))
        history = history.explode(["model", "loss", "val_srcc"], ignore_index=True)
        history["seconds"] /= len(kept)
        history["num_patches"] = int(present.sum())
        return stack.folded(mean, scale), history.astype({"model": int, "loss": float, "val_srcc": float})


def _stream(seed: int, split: int) -> int:
    return int(np.random.SeedSequence([seed, split]).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _standardised(
    embeddings: torch.Tensor, rows: list[torch.Tensor], present: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Each model's patches (M, images, k, d) with mean 0 and deviation 1, and the mean and 1 / deviation (M, d).

    A constant feature tells nothing in training; its scale is 0 so that it is ignored at test too.
    """
    width = embeddings.shape[1]
    patches = embeddings.new_zeros(len(rows), *present.shape, width)
    mean, scale = embeddings.new_empty(len(rows), width), embeddings.new_empty(len(rows), width)
    for model, indices in enumerate(rows):
        own = embeddings.index_select(0, indices[present])
        mean[model] = own.mean(0)
        deviation = torch.linalg.vector_norm(own.sub_(mean[model]), dim=0) * len(own) ** -0.5
        scale[model] = torch.where(deviation > FLAT * mean[model].abs(), 1 / deviation, 0.0)
        patches[model][present] = own.mul_(scale[model])
    return patches, mean, scale


def _val_srcc(stack: Stack, bank: PatchBank, images: np.ndarray, quality: np.ndarray) -> list[float]:
    """SRCC of each model on some images, mean of all patch scores; NaN where a model gives one score to all."""
    bounds = [(bank.starts[image], bank.starts[image] + bank.counts[image]) for image in images]
    scores = [stack.scores(bank.embeddings[begin:end]).mean(1) for begin, end in bounds]
    ranks = rankdata(torch.stack(scores, 1).cpu().numpy(), axis=1)
    target = rankdata(quality)
    ranks, target = ranks - ranks.mean(1, keepdims=True), target - target.mean()
    spread = np.sqrt((ranks**2).sum(1) * (target**2).sum())
    return np.divide(ranks @ target, spread, out=np.full(len(ranks), np.nan), where=spread > 0).tolist()
