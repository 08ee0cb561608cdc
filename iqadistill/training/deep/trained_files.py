"""A training and the files it leaves."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
from torch import nn

from iqadistill.provenance import write_sidecar
from iqadistill.tables import write_table
from iqadistill.training.deep.cost import training_cost
from iqadistill.training.deep.engine import train_network
from iqadistill.training.deep.launch import is_main_process
from iqadistill.training.deep.settings import NetworkRecipe
from iqadistill.training.deep.weights import save_network


def train_into_files(
    network: nn.Module,
    trained: nn.Module,
    tables: Mapping[str, pa.Table],
    recipe: NetworkRecipe,
    *,
    outputs: Mapping[str, str | Path],
    inputs: Iterable[str | Path],
    facts: Mapping[str, Any],
    size: int,
    seed: int,
    device: str,
    **training: Any,
) -> None:
    """Train a network and write it; of several processes that train it together, one writes.

    Args:
        network: What is saved.
        trained: What is trained: the network, or what holds it together with its teachers or references.
        tables: "images", "splits" and "patches", and "selection" where not all patches are trained on.
        recipe: How to train.
        outputs: Files for `weights`, `history` and `sidecar`.
        inputs: Files whose digests the sidecar tells.
        facts: What the sidecar tells beside seed, recipe, `cost` (see `training_cost`), versions and these digests.
        size: Side of the patches in pixels.
        seed: Of every random draw.
        device: "cpu", "cuda" or "cuda:N".
        **training: The other arguments of `train_network`.

    Raises:
        InputError: As `train_network`.
    """
    tables = {"selection": None, **tables}
    history = train_network(trained, **tables, recipe=recipe, size=size, seed=seed, device=device, **training)
    if is_main_process():
        write_table(history, outputs["history"], "history")
        save_network(network, outputs["weights"])
        facts = {**facts, "seed": seed, "recipe": asdict(recipe), "cost": training_cost(network, size, history, device)}
        write_sidecar(outputs["sidecar"], facts, inputs)
