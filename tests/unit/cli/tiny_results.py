"""Untrained networks, saved as the workflow saves trained ones, and images to score with them."""

import math

import numpy as np
import torch
from PIL import Image

from iqadistill.encoders.backends.timm import TimmSettings
from iqadistill.models.students.adtrs import AdtrsSettings
from iqadistill.models.students.mlp import MlpSettings
from iqadistill.training.deep.weights import save_network
from iqadistill.training.mlp.stacked_mlps import StackedMlps
from iqadistill.training.mlp.trained_mlps import TrainedMlps, Variant
from iqadistill.training.sidecar import Sidecar

CROPS = {"method": "random_crops", "count": 4, "size": 64, "longer_side": None}
VIEWPORTS = {"method": "lat", "count": 5, "size": 64, "fov": 60.0, "projection": "viewport"}
ENCODER = TimmSettings(model="test_resnet", weights="none")
NETWORK = AdtrsSettings(backbone="test_resnet", weights="none")
SCALE = {"column": "dmos", "worst": 100.0, "best": 0.0, "source": "as given in images.csv"}
SIMULATED = {"column": "score", "worst": 1.0, "best": 5.0, "source": "simulated: by a law"}
NAMES = {"train_dataset": "toy", "sampler": "placed", "encoder": "", "teacher": "", "student": "adtrs"}


def write_network(folder, split=0, sampler=CROPS, scale=SCALE):
    """Write one split of a deep student; returns its weights."""
    with torch.random.fork_rng():
        torch.manual_seed(split)
        network = NETWORK.create_network(64)
        torch.nn.init.normal_(network.head.weight, std=0.05)  # without it every score is the same
    save_network(network, folder / f"{split}.safetensors")
    variant = {**NAMES, "selector": "all", "keep": 1.0, "split": split}
    settings = {**NETWORK.model_dump(mode="json"), "weights": "hub"}
    facts = {"kind": "student", "variant": variant, "settings": settings, "size": 64, "sampler": sampler}
    Sidecar.record([], **facts, scale=scale, seed=3).write(folder / f"{split}.json")
    return folder / f"{split}.safetensors"


def write_mlps(folder, sampler=CROPS, scale=SCALE, rates=(("all", 1.0), ("residual", 0.4))):
    """Write MLPs of two splits and of every rate; returns their weights."""
    variants = [Variant(*rate, split) for rate in rates for split in (0, 1)]
    draw = torch.Generator().manual_seed(0)
    width, models = ENCODER.create().width, len(variants)
    weights = [torch.randn(models, width, 4, generator=draw) * 0.1, torch.randn(models, 4, 1, generator=draw)]
    stack = StackedMlps(weights, [torch.full((models, 4), 0.1), torch.full((models, 1), 0.5)])
    TrainedMlps("toy", variants, stack, (0.0,)).save(folder / "mlp.safetensors")
    settings = MlpSettings(hidden=(4,), dropout=(0.0,)).model_dump(mode="json")
    facts = {"kind": "mlps", "variant": {**NAMES, "encoder": "tiny", "student": "mlp"}, "variants": rates}
    facts |= {"settings": settings, "sampler": sampler, "encoder": ENCODER.model_dump(mode="json")}
    Sidecar.record([], **facts, scale=scale, seed=3).write(folder / "mlp.json")
    return folder / "mlp.safetensors"


def write_image(path, width=160, height=120, seed=0):
    """Write an image of waves with noise that grows to the right."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    waves = 128 + 80 * np.sin(2 * math.pi * (3 * x + 2 * y))
    noise = np.random.default_rng(seed).normal(0, 60, (height, width, 3)) * x[..., None]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((waves[..., None] + noise).clip(0, 255).astype(np.uint8)).save(path)
    return path
