"""Speed of MLPs that are trained as one stacked model, compared with one torch module after another.

    python benchmarks/benchmark_training.py

Both learn from the same kept patches with the same optimiser, minibatches of images and number of steps; the plain
way is the obvious loop: one nn.Module per variant, autograd, torch.optim.AdamW.
"""

import argparse
import statistics
import time

import numpy as np
import pandas as pd
import torch
from torch import nn

from iqadistill.models.students.mlp import MlpSettings
from iqadistill.tables import as_table, embeddings_table
from iqadistill.training.mlp.patch_bank import PatchBank
from iqadistill.training.mlp.training import train_mlps


def tables(images: int, patches: int, width: int, splits: int, selectors: int):
    """Random embeddings of scored images, their splits, and random rankings."""
    draw = np.random.default_rng(0)
    names = [f"image{index}" for index in range(images)]
    owner = np.repeat(names, patches)
    embeddings = embeddings_table(
        np.arange(len(owner)), owner.tolist(), draw.normal(size=(len(owner), width)).astype(np.float32)
    )
    facts = {"dataset": "random", "image_id": names, "status": "ok", "is_reference": False}
    scored = as_table(pd.DataFrame({**facts, "quality": draw.random(images)}), "images")
    roles = np.where(np.arange(images) < 0.8 * images, "train", "test")
    frames = [pd.DataFrame({"split": s, "image_id": names, "role": draw.permutation(roles)}) for s in range(splits)]
    rankings = {
        f"selector{index}": as_table(
            pd.DataFrame(
                {
                    "patch_id": np.arange(len(owner)),
                    "image_id": owner,
                    "rank": np.concatenate([draw.permutation(patches) for _ in names]),
                }
            ),
            "selection",
        )
        for index in range(selectors)
    }
    return embeddings, scored, as_table(pd.concat(frames), "splits"), rankings


def plain(embeddings, images, splits, selections, rates, hidden: int, dropout: float, epochs: int, batch: int) -> None:
    """One module after another."""
    quality = images.to_pandas().set_index("image_id").quality
    bank = PatchBank(embeddings, list(quality.index))
    target = torch.tensor(quality.to_numpy(), dtype=torch.float32)
    for _, roles in splits.to_pandas().groupby("split"):
        train = np.flatnonzero((roles.set_index("image_id").role.reindex(quality.index) == "train").to_numpy())
        for selector, keep in rates:
            rows = torch.from_numpy(bank.kept(selector, keep, selections)[0])
            kept = bank.embeddings[rows[train].flatten()]
            std, mean = torch.std_mean(kept, 0)
            model = nn.Sequential(
                nn.Linear(kept.shape[1], hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, 1)
            )
            optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
            for _ in range(epochs):
                for chosen in torch.randperm(len(train)).split(batch):
                    picked = train[chosen.numpy()]
                    patches = (bank.embeddings[rows[picked]] - mean) / std
                    loss = (model(patches)[..., 0] - target[picked][:, None]).abs().mean()
                    optimiser.zero_grad()
                    loss.backward()
                    optimiser.step()


def main() -> None:
    """Print the seconds of both ways and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in {
        "images": 330,
        "patches": 30,
        "width": 1024,
        "splits": 2,
        "selectors": 6,
        "epochs": 5,
        "hidden": 64,
        "repeats": 3,
        "threads": torch.get_num_threads(),
    }.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    made = tables(options.images, options.patches, options.width, options.splits, options.selectors)
    rates = [(f"selector{index}", keep) for index in range(options.selectors) for keep in (0.1, 0.4, 0.7)]
    settings = MlpSettings(hidden=(options.hidden,), dropout=(0.25,), batch_images=16, epochs=options.epochs)
    ratios = []
    for repeat in range(options.repeats):
        begin = time.perf_counter()
        train_mlps(*made, rates, settings)
        stacked = time.perf_counter() - begin
        begin = time.perf_counter()
        plain(*made, rates, options.hidden, 0.25, options.epochs, 16)
        alone = time.perf_counter() - begin
        ratios.append(alone / stacked)
        print(f"repeat {repeat}: one by one {alone:.2f} s, stacked {stacked:.2f} s, {alone / stacked:.2f}x")
    print(f"{len(rates) * options.splits} models: stacked is {statistics.median(ratios):.2f}x as fast (median)")


if __name__ == "__main__":
    main()
