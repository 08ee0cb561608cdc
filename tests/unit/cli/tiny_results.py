"""Trained results and pictures as the workflow leaves them, made of untrained networks in a moment."""

import math

import numpy as np
import torch
from PIL import Image

from iqadistill.encoders import create_encoder
from iqadistill.models import create_model
from iqadistill.provenance import write_sidecar
from iqadistill.training.deep.weights import save_network
from iqadistill.training.mlp.stack import Stack
from iqadistill.training.mlp.sweep import Sweep, Variant

CROPS = {"method": "random_crops", "count": 4, "size": 64, "longer_side": None}
VIEWPORTS = {"method": "lat", "count": 5, "size": 64, "fov": 60.0, "projection": "viewport"}
ENCODER = {"model": "test_resnet", "weights": "none", "pooling": "gap", "size": None, "precision": "float32"}
SCALE = {"column": "dmos", "worst": 100.0, "best": 0.0, "source": "as given in images.csv"}
SIMULATED = {"column": "score", "worst": 1.0, "best": 5.0, "source": "simulated: by a law"}
NAMES = {"train_dataset": "toy", "sampler": "placed", "encoder": "", "teacher": "", "student": "adtrs"}


def write_network(folder, split=0, sampler=CROPS, scale=SCALE, seed=3):
    """One split of a deep student; returns its weights."""
    network = {"model": "adtrs", "backbone": "test_resnet", "size": 64, "pretrained": True}
    with torch.random.fork_rng():
        torch.manual_seed(split)
        trained = create_model("adtrs", backbone="test_resnet", size=64)
        torch.nn.init.normal_(trained.head.weight, std=0.05)  # at first every score is the same
    save_network(trained, folder / f"{split}.safetensors")
    facts = {"variant": {**NAMES, "selector": "all", "keep": 1.0, "split": split}, "network": network, "seed": seed}
    facts |= {"recipe": {"precision": "no"}, "sampler": sampler, "scale": scale}
    write_sidecar(folder / f"{split}.json", facts)
    return folder / f"{split}.safetensors"


def write_sweep(folder, sampler=CROPS, scale=SCALE, rates=(("all", 1.0), ("residual", 0.4))):
    """Two splits of an mlp, of every rate; returns its weights."""
    variants = [Variant(*rate, split) for rate in rates for split in (0, 1)]
    draw = torch.Generator().manual_seed(0)
    width, models = create_encoder(**ENCODER).width, len(variants)
    weights = [torch.randn(models, width, 4, generator=draw) * 0.1, torch.randn(models, 4, 1, generator=draw)]
    stack = Stack(weights, [torch.full((models, 4), 0.1), torch.full((models, 1), 0.5)])
    Sweep("toy", variants, stack, (0.0,)).save(folder / "mlp.safetensors")
    names = {**NAMES, "encoder": "tiny", "student": "mlp"}
    facts = {
        "variant": names,
        "sampler": sampler,
        "encoder": {**ENCODER, "dtype": "float32"},
        "scale": scale,
        "seed": 3,
    }
    write_sidecar(folder / "mlp.json", facts)
    return folder / "mlp.safetensors"


def write_picture(path, width=160, height=120, seed=0):
    """A wavy picture with noise that grows to the right."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    waves = 128 + 80 * np.sin(2 * math.pi * (3 * x + 2 * y))
    noise = np.random.default_rng(seed).normal(0, 60, (height, width, 3)) * x[..., None]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((waves[..., None] + noise).clip(0, 255).astype(np.uint8)).save(path)
    return path
