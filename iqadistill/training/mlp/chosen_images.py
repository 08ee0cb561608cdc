"""Students trained on chosen training images, and their scores of the test images: what ratings are worth."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import torch

from iqadistill.choosing.choose import choose_images
from iqadistill.console import progress
from iqadistill.errors import InputError
from iqadistill.models.students.mlp import MlpSettings
from iqadistill.tables import ALL, RANDOM, as_table
from iqadistill.training.image_tables import qualities
from iqadistill.training.mlp.patch_bank import PatchBank
from iqadistill.training.mlp.prediction import predict_mlps
from iqadistill.training.mlp.stacked_mlps import StackedMlps, train_stack
from iqadistill.training.mlp.trained_mlps import TrainedMlps, Variant
from iqadistill.training.mlp.training import split_stream, standardised


@dataclass(frozen=True)
class _Split:
    number: int
    training_images: int
    tested: pa.Table
    """Rows of table "images" of the test images."""


def predict_chosen(
    embeddings: pa.Table,
    images: pa.Table,
    splits: pa.Table,
    budgets: Sequence[int],
    choosers: Sequence[str],
    settings: MlpSettings,
    *,
    names: Mapping[str, str],
    draws: int,
    seed: int,
    pooling: str = "mean",
    scored: pa.Table | None = None,
    patches: pa.Table | None = None,
    device: str = "cpu",
    memory_gb: float = 2.0,
) -> pa.Table:
    """Train students on so many training images as each budget allows, chosen or drawn, and score the test images.

    A chooser sees the mean embeddings and the contents of a split's training images, and no score. Students of one
    split share initial weights, dropout masks and the number of steps, which is that of a training on all images: a
    student of few images sees each of them more often. The draws of a larger budget contain those of a smaller one.

    Args:
        embeddings: Table "embeddings".
        images: Table "images".
        splits: Table "splits"; all its splits are trained.
        budgets: Numbers of training images.
        choosers: Names of choosers.
        settings: Settings of the student.
        names: Names for the columns sampler, encoder and student.
        draws: Number of random draws at each budget.
        seed: Seed of the study.
        pooling: How patch scores become an image score.
        scored: Table "embeddings" of the patches that may score an image; default: all.
        patches: Table "patches", for weighted pooling.
        device: "cpu", "cuda" or "cuda:N".
        memory_gb: Bound on the memory of stacked patches, in GiB; a single model may exceed it.

    Returns:
        Table "choices", with rows of test images only, and of the students of all training images.

    Raises:
        InputError: A budget is not below the number of training images of a split, or a table lacks an image.
    """
    roles = splits.to_pandas()
    bank = PatchBank(embeddings, sorted(roles.image_id.unique()), device)
    quality = qualities(images, bank.image_ids)
    means, contents = _image_means(bank), _contents(images, bank.image_ids)
    workers = torch.get_num_threads() if bank.embeddings.device.type == "cpu" else 1
    memory = memory_gb * 2**30 / workers
    groups = []
    for number, rows in roles.groupby("split"):
        train = np.sort(pd.Index(bank.image_ids).get_indexer(rows.image_id[rows.role == "train"]))
        if max(budgets) >= len(train):
            raise InputError(
                f"budgets: {max(budgets)}, but split {number} has {len(train)} training images; give smaller ones."
            )
        orders = {
            (name, 0): choose_images(means[train], max(budgets), method=name, contents=contents[train], seed=seed)
            for name in choosers
        }
        for draw in range(draws):
            orders[RANDOM, draw] = np.random.default_rng([seed, int(number), draw]).permutation(len(train))
        tested = images.filter(pc.is_in(images["image_id"], pa.array(rows.image_id[rows.role == "test"])))
        split = _Split(int(number), len(train), tested)
        groups.append((split, {(ALL, 0): train}))
        groups += [
            (split, {key: train[np.sort(order[:budget])] for key, order in orders.items()}) for budget in budgets
        ]

    def predict(split: _Split, chosen: Mapping[tuple[str, int], np.ndarray]) -> pd.DataFrame:
        sets = list(chosen.values())
        stack = train_on_images(
            bank, quality, sets, settings, split.number, split.training_images, seed=seed, memory=memory
        )
        mlps = TrainedMlps("", [Variant(ALL, 1.0, model) for model in range(len(sets))], stack, ())
        scores = embeddings if scored is None else scored
        predictions = predict_mlps(mlps, scores, split.tested, {}, **names, pooling=pooling, patches=patches)
        rows = predictions.to_pandas()
        students = pd.DataFrame(list(chosen), columns=["chooser", "draw"])
        return rows.drop(columns="split").assign(
            **{name: students[name].to_numpy()[rows.split] for name in students},
            split=split.number,
            budget=len(sets[0]),
        )

    with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        parts = list(progress(pool.map(lambda group: predict(*group), groups), "training", len(groups)))
    columns = ["dataset", "image_id", "sampler", "encoder", "student", "split", "chooser", "budget", "draw"]
    return as_table(pd.concat(parts, ignore_index=True)[[*columns, "score", "prediction"]], "choices")


def train_on_images(
    bank: PatchBank,
    quality: np.ndarray,
    chosen: Sequence[np.ndarray],
    settings: MlpSettings,
    split: int,
    most: int,
    *,
    seed: int,
    memory: float,
) -> StackedMlps:
    """Train a student on all patches of each set of images.

    Args:
        bank: Embeddings.
        quality: Quality (I,) of the images of the bank.
        chosen: Sorted indices (n,) of the images of each model, as many for all.
        settings: Settings of the student.
        split: Number of the split, for the random streams.
        most: Number of images whose steps are taken: the epochs are those that make as many of fewer images.
        seed: Seed of the study.
        memory: Bytes of stacked patches.
    """
    rows, present = bank.kept(ALL, 1.0, {})
    device, width = bank.embeddings.device, bank.embeddings.shape[1]
    count = len(chosen[0])
    steps, batches = (-(-number // settings.batch_images) for number in (most, count))
    settings = settings.model_copy(update={"epochs": max(1, round(settings.epochs * steps / batches))})
    together = max(1, int(memory // (4 * count * present.shape[1] * width)))
    stacks = []
    for start in range(0, len(chosen), together):
        generator = torch.Generator().manual_seed(split_stream(seed, split))
        mlp = settings.create_network(width, generator)
        shuffled = np.stack(chosen[start : start + together])[:, torch.randperm(count, generator=generator).numpy()]
        mask = torch.from_numpy(present[shuffled]).to(device)
        patches, mean, scale = standardised(bank.embeddings, list(torch.from_numpy(rows[shuffled]).to(device)), mask)
        target = torch.from_numpy(quality[shuffled]).float().to(device)
        stack = StackedMlps.copies(mlp, len(shuffled), device)
        stack.biases[-1].copy_(target.mean(1, keepdim=True))  # scores start at the mean quality
        for _ in train_stack(stack, patches, mask, target, settings, generator, validate=list):
            pass
        stacks.append(stack.folded(mean, scale))
    return StackedMlps.concatenated(stacks)


def _image_means(bank: PatchBank) -> np.ndarray:
    """Mean embedding (I, d) of each image."""
    return np.add.reduceat(bank.embeddings.cpu().numpy(), bank.starts) / bank.counts[:, None]


def _contents(images: pa.Table, image_ids: Sequence[str]) -> np.ndarray:
    """Number (I,) of each image's content."""
    content = images.select(["image_id", "reference_id"]).to_pandas().set_index("image_id").reference_id
    return pd.factorize(content.reindex(image_ids))[0]
