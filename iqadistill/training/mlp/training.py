"""Training of MLPs for every split, selector and keep rate."""

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import torch

from iqadistill.console import progress
from iqadistill.errors import InputError
from iqadistill.models.mlp import MLP
from iqadistill.models.students.mlp import MlpSettings
from iqadistill.training.image_tables import qualities
from iqadistill.training.mlp.patch_bank import PatchBank
from iqadistill.training.mlp.stacked_mlps import StackedMlps, train_stack
from iqadistill.training.mlp.trained_mlps import TrainedMlps, Variant
from iqadistill.training.rank_correlation import rank_correlation

FLAT = 1e-5  # a feature whose deviation is below this share of its mean is constant to float32's precision


def train_mlps(
    embeddings: pa.Table,
    images: pa.Table,
    splits: pa.Table,
    selections: Mapping[str, pa.Table],
    rates: Sequence[tuple[str, float]],
    settings: MlpSettings,
    *,
    seed: int = 0,
    device: str = "cpu",
    memory_gb: float = 2.0,
) -> TrainedMlps:
    """Train an MLP for every split, selector and keep rate, only on the kept patches of the split's training images.

    Models of the same split and keep rate are stacked and trained in lockstep; which models share a stack changes
    nothing but rounding. Selectors that keep the same patches of all training images share one model. Initial weights,
    order of the images and dropout masks depend on (seed, split) only, so that variants are paired. Features are
    standardised with each model's own kept training patches. Validation images, where the splits have any, are used
    for the history only; test images are not used.

    Args:
        embeddings: Table "embeddings".
        images: Table "images".
        splits: Table "splits"; all its splits are trained.
        selections: Tables "selection" by the name of the selector.
        rates: Pairs of selector and keep rate; ("all", 1.0) means all patches.
        settings: Settings of the student.
        seed: Seed of all random draws.
        device: "cpu", "cuda" or "cuda:N".
        memory_gb: Bound on the memory of stacked patches, weights and optimiser state, in GiB; a single model may
            exceed it.

    Raises:
        InputError: A table lacks an image, a patch or a selector.
    """
    rates = list(dict.fromkeys((selector, keep) for selector, keep in rates))
    if not rates:
        raise InputError("rates: there is nothing to train; give pairs of selector and keep rate.")
    roles = splits.to_pandas()
    bank = PatchBank(embeddings, sorted(roles.image_id.unique()), device)
    quality = qualities(images, bank.image_ids)
    groups = [
        (int(split), keep, [selector for selector, rate in rates if rate == keep], rows)
        for split, rows in roles.groupby("split")
        for keep in dict.fromkeys(rate for _, rate in rates)
    ]
    # One thread per core, each with its stack, is faster than dividing every small operation among threads, and the
    # result does not depend on the number of threads.
    workers = torch.get_num_threads() if bank.embeddings.device.type == "cpu" else 1
    kept = {rate: bank.kept(*rate, selections) for rate in rates}
    memory = memory_gb * 2**30 / workers
    trainer = _Trainer(bank, quality, kept, settings, seed, memory)
    with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        parts = pool.map(lambda group: trainer.group(*group), groups)
        trained = list(progress(parts, "training", len(groups)))
    return TrainedMlps(
        train_dataset=images["dataset"][0].as_py(),
        variants=[variant for part, _, _ in trained for variant in part],
        stack=StackedMlps.concatenated([stack for _, stack, _ in trained]),
        dropout=settings.dropout,
        epochs=pd.concat([history for _, _, history in trained], ignore_index=True),
    )


@dataclass(frozen=True)
class _Trainer:
    bank: PatchBank
    quality: np.ndarray
    kept: Mapping[tuple[str, float], tuple[np.ndarray, np.ndarray]]
    settings: MlpSettings
    seed: int
    memory: float

    def group(
        self, split: int, keep: float, selectors: list[str], roles: pd.DataFrame
    ) -> tuple[list[Variant], StackedMlps, pd.DataFrame]:
        """Train the models of one split and keep rate, as many together as fit into memory."""
        index = pd.Index(self.bank.image_ids)
        train, val = (np.sort(index.get_indexer(roles.image_id[roles.role == role])) for role in ("train", "val"))
        if not len(train):
            raise InputError(f"splits: split {split} has no training image; lower the test and validation fractions.")
        kept = [self.kept[name, keep] for name in selectors]
        models = _models(kept, train)
        distinct = [kept[models.index(model)] for model in range(max(models) + 1)]
        width = self.bank.embeddings.shape[1]
        parameters = self.settings.count_parameters(width)
        patches = len(train) * max(present.shape[1] for _, present in distinct) * width
        stacks, histories = [], []
        fitting = max(1, int(self.memory // (4 * (patches + 4 * parameters))))
        for start in range(0, len(distinct), fitting):
            chunk = distinct[start : start + fitting]
            generator = torch.Generator().manual_seed(split_stream(self.seed, split))
            mlp = self.settings.create_network(width, generator)
            shuffled = train[torch.randperm(len(train), generator=generator).numpy()]
            stack, history = self._train(mlp, chunk, shuffled, val, generator)
            history["seconds"] /= sum(start <= model < start + len(chunk) for model in models)
            stacks.append(stack)
            histories.append(history.assign(model=history.model + start))
        variants = [Variant(name, keep, split) for name in selectors]
        names = pd.DataFrame([vars(variant) for variant in variants]).assign(model=models)
        history = pd.concat(histories, ignore_index=True).merge(names, on="model").drop(columns="model")
        return variants, StackedMlps.concatenated(stacks)[models], history

    def _train(
        self,
        mlp: MLP,
        kept: list[tuple[np.ndarray, np.ndarray]],
        train: np.ndarray,
        val: np.ndarray,
        generator: torch.Generator,
    ) -> tuple[StackedMlps, pd.DataFrame]:
        bank, device = self.bank, self.bank.embeddings.device
        present = torch.from_numpy(kept[0][1][train]).to(device)
        rows = [torch.from_numpy(rows[train]).to(device) for rows, _ in kept]
        patches, mean, scale = standardised(bank.embeddings, rows, present)
        quality = torch.from_numpy(self.quality[train]).float().to(device)
        stack = StackedMlps.copies(mlp, len(kept), device)
        stack.biases[-1].fill_(quality.mean())  # scores start at the mean quality

        def validate() -> list[float]:
            if not len(val):
                return [float("nan")] * len(kept)
            scores = _mean_scores(stack.folded(mean, scale), bank, val)
            return rank_correlation(scores, self.quality[val]).tolist()

        epochs = list(train_stack(stack, patches, present, quality, self.settings, generator, validate))
        history = pd.DataFrame(epochs).assign(model=[range(len(kept))] * len(epochs))
        history = history.explode(["model", "loss", "val_srcc"], ignore_index=True)
        history["num_patches"] = int(present.sum())
        return stack.folded(mean, scale), history.astype({"model": int, "loss": float, "val_srcc": float})


def _models(kept: Sequence[tuple[np.ndarray, np.ndarray]], images: np.ndarray) -> list[int]:
    """Number of each selector's model: selectors that keep the same patches of all these images have the same one."""
    numbers: dict[bytes, int] = {}
    models = []
    for rows, present in kept:
        patches = np.sort(np.where(present, rows, -1)[images], axis=1)
        models.append(numbers.setdefault(hashlib.sha256(patches.tobytes()).digest(), len(numbers)))
    return models


def split_stream(seed: int, split: int) -> int:
    """Seed of the random draws of one split: initial weights, order of the images, dropout masks."""
    return int(np.random.SeedSequence([seed, split]).generate_state(1, np.uint64)[0] >> np.uint64(1))


def standardised(
    embeddings: torch.Tensor, rows: Sequence[torch.Tensor], present: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Each model's patches (M, images, k, d) with mean 0 and deviation 1, and the mean and 1 / deviation (M, d).

    A feature that is constant in training carries no information; its scale is 0 so that it is ignored at test as well.

    Args:
        embeddings: Embeddings (N, d).
        rows: Rows (images, k) of each model's patches.
        present: Mask (images, k) of the patches that exist, or (M, images, k) where images differ between models.
    """
    masks = present.expand(len(rows), *present.shape[-2:])
    width = embeddings.shape[1]
    patches = embeddings.new_zeros(*masks.shape, width)
    mean, scale = embeddings.new_empty(len(rows), width), embeddings.new_empty(len(rows), width)
    for model, (indices, mask) in enumerate(zip(rows, masks, strict=True)):
        kept = embeddings.index_select(0, indices[mask])
        mean[model] = kept.mean(0)
        deviation = torch.linalg.vector_norm(kept.sub_(mean[model]), dim=0) * len(kept) ** -0.5
        scale[model] = torch.where(deviation > FLAT * mean[model].abs(), 1 / deviation, 0.0)
        patches[model][mask] = kept.mul_(scale[model])
    return patches, mean, scale


def _mean_scores(stack: StackedMlps, bank: PatchBank, images: np.ndarray) -> np.ndarray:
    """Scores (M, images) of some images by each model, the means over all their patches."""
    bounds = [(bank.starts[image], bank.starts[image] + bank.counts[image]) for image in images]
    scores = [stack.scores(bank.embeddings[begin:end]).mean(1) for begin, end in bounds]
    return torch.stack(scores, 1).cpu().numpy()
