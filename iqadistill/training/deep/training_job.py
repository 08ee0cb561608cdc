"""A training as a job: on all cards that were granted, with weights, history and sidecar as its results."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
from accelerate import PartialState
from torch import nn
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from iqadistill.models.settings import TrainingSettings
from iqadistill.tables import write_table
from iqadistill.training.deep.cost import training_cost
from iqadistill.training.deep.training import train_network
from iqadistill.training.deep.weights import save_network
from iqadistill.training.sidecar import Sidecar

T = TypeVar("T")


def launch(work: Callable[[], T], processes: int) -> T:
    """Run `work` once, or in as many processes as cards were granted, whose `train_network` trains one network.

    The processes are forks, so CUDA must not be in use before. If one fails, all end. On several cards the device is
    "cuda", without a number; only the main process writes files, see `is_main_process`.

    Args:
        work: Function that trains and writes the results.
        processes: Number of processes, one per card.

    Returns:
        The result of `work` in the main process.
    """
    if processes <= 1:
        return work()
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
        start_method="fork",
    )
    return elastic_launch(config, work)()[0]


def is_main_process() -> bool:
    """Whether this process is the one that writes files; true if it is the only one."""
    return PartialState().is_main_process


def train_into_files(
    network: nn.Module,
    trained: nn.Module,
    tables: Mapping[str, pa.Table],
    settings: TrainingSettings,
    *,
    outputs: Mapping[str, str | Path],
    inputs: Iterable[str | Path],
    sidecar: Mapping[str, Any],
    size: int,
    seed: int,
    device: str,
    **training: Any,
) -> None:
    """Train a network and write it; of several processes that train it together, one writes.

    Args:
        network: Network that is saved.
        trained: Module that is trained: the network, or a module that holds it together with teachers or references.
        tables: Tables "images", "splits" and "patches", and "selection" unless all patches are trained on.
        settings: Settings of the student or teacher.
        outputs: Files for `weights`, `history` and `sidecar`.
        inputs: Files whose digests the sidecar records.
        sidecar: Fields of the sidecar apart from settings, size, seed and cost.
        size: Side of the patches in pixels.
        seed: Seed of all random draws.
        device: "cpu", "cuda" or "cuda:N".
        **training: The other arguments of `train_network`.

    Raises:
        InputError: As `train_network`.
    """
    tables = {"selection": None, **tables}
    history = train_network(trained, **tables, settings=settings, size=size, seed=seed, device=device, **training)
    if is_main_process():
        write_table(history, outputs["history"], "history")
        save_network(network, outputs["weights"])
        facts = {"settings": settings.model_dump(mode="json"), "size": size, "seed": seed, **sidecar}
        Sidecar.record(inputs, cost=training_cost(network, size, history, device), **facts).write(outputs["sidecar"])
