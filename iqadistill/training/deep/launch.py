"""One training on several cards."""

from collections.abc import Callable
from typing import TypeVar

from accelerate import PartialState
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

T = TypeVar("T")


def launch(work: Callable[[], T], processes: int) -> T:
    """Run `work` once, or in as many processes as cards were granted; `train_network` in them trains one network together.

    The processes are forks, so CUDA must not be in use before. When one fails, all end. On several cards the device is "cuda",
    without a number; only the main process is to write files, see `is_main_process`.

    Args:
        work: Trains and writes the results.
        processes: One a card.

    Returns:
        What `work` returns in the main process.
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
    """Whether this process is the one that writes files; true where there is only one."""
    return PartialState().is_main_process
