"""A network of two convolutions and images to train it on, small enough for many trainings."""

import multiprocessing
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import nn

from iqadistill.models.settings import TrainingSettings
from iqadistill.tables import as_table
from iqadistill.training.deep.checkpoints import Checkpoints
from iqadistill.training.deep.training import train_network
from iqadistill.training.deep.weights import save_network

# Processes forked from a server that has imported everything start at once and share no threads with the tests.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["iqadistill.training.deep.training_job"])

SIDE = 16
VARIANT = {"train_dataset": "tiny", "sampler": "crops", "encoder": "", "teacher": "", "student": "tiny"}


class TinyNetwork(nn.Module):
    """Two convolutions, one with batch normalisation, dropout and a linear score."""

    def __init__(self, seed=0):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.backbone = nn.Sequential(
                nn.Conv2d(3, 8, 3, 2), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, 2), nn.ReLU()
            )
            self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear(8, 1))

    def forward(self, patches):
        """Scores (B,)."""
        return self.head(self.backbone(patches).mean((2, 3))).squeeze(-1)

    def losses(self, patches, quality):
        """L1 of the scores, and of the scores of the mirrored patches."""
        return {
            "quality": (self(patches) - quality).abs().mean(),
            "mirrored": 0.5 * (self(patches.flip(-1)) - quality).abs().mean(),
        }


class TinyStudy:
    """Tables of images whose brightness is their quality, with crops, or with viewports if `sphere` is true."""

    def __init__(self, folder, images=12, crops=5, val=3, sphere=False):
        draw = np.random.default_rng(3)
        names = [f"set/image{number:02d}" for number in range(images)]
        quality = draw.permutation(images) / (images - 1)
        width, height = (64, 32) if sphere else (40, 32)
        for name, bright in zip(names, quality, strict=True):
            pixels = draw.normal(40 + 170 * bright, 12, (height, width, 3)).clip(0, 255).astype(np.uint8)
            Path(folder, name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(Path(folder, f"{name}.png"))
        paths = [str(Path(folder, f"{name}.png")) for name in names]
        facts = {"dataset": "tiny", "image_id": names, "path": paths, "width": width, "height": height, "status": "ok"}
        self.images = as_table(pd.DataFrame({**facts, "is_reference": False, "quality": quality}), "images")
        roles = ["test"] * 3 + ["val"] * val + ["train"] * (images - 3 - val)
        drawn = [pd.DataFrame({"split": s, "image_id": names, "role": draw.permutation(roles)}) for s in (0, 1)]
        self.splits = as_table(pd.concat(drawn), "splits")
        count = images * crops
        rows = {"patch_id": np.arange(count) * 7, "image_id": np.repeat(names, crops), "size": SIDE}
        if sphere:
            rows |= {"yaw": draw.uniform(-3, 3, count), "pitch": draw.uniform(-1, 1, count), "fov": 1.0}
        else:
            rows |= {"x": draw.integers(0, width - SIDE, count), "y": draw.integers(0, height - SIDE, count)}
        self.patches = as_table(pd.DataFrame(rows), "patches")
        ranks = np.concatenate([draw.permutation(crops) for _ in names])
        ranked = {"patch_id": rows["patch_id"], "image_id": rows["image_id"], "rank": ranks}
        self.selection = as_table(pd.DataFrame(ranked), "selection")

    def train(self, network=None, keep=1.0, split=0, training=None, **arguments):
        """Train for two epochs by default; returns the network and its history."""
        network = network or TinyNetwork()
        settings = TrainingSettings(**({"epochs": 2, "batch_size": 4, "lr": 1e-2} | (training or {})))
        arguments = {"variant": VARIANT, "seed": 5} | arguments
        tables = (self.images, self.splits, self.patches, self.selection if keep < 1 else None)
        history = train_network(network, *tables, keep, split, settings, **arguments)
        return network, history


KILLED_TRAINING = {"epochs": 4, "ema": 0.9, "patience": 3, "accumulation": 2, "flips": ("horizontal", "vertical")}


def train_in_a_process(folder, weights, log, seed=5):
    """Train with a checkpoint at every step, write standard error into `log`, and save the weights."""
    torch.set_num_threads(1)
    with open(log, "a", buffering=1) as sys.stderr:
        checkpoints = Checkpoints(Path(folder, "checkpoints"), seconds=0)
        network, _ = TinyStudy(folder).train(training=KILLED_TRAINING, checkpoints=checkpoints, seed=seed)
    save_network(network, weights)
