"""Work done ahead of its use, by threads, in order."""

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")


def map_ahead(function: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[R]:
    """Map with `workers` threads, in order, never more than `workers` results ahead of the one asked for."""
    items = iter(items)
    with ThreadPoolExecutor(workers) as pool:
        waiting = deque(pool.submit(function, item) for item in islice(items, workers))
        try:
            while waiting:
                result = waiting.popleft().result()
                waiting.extend(pool.submit(function, item) for item in islice(items, 1))
                yield result
        finally:
            for future in waiting:
                future.cancel()


@contextlib.contextmanager
def one_thread_an_operation() -> Iterator[int]:
    """Let every tensor operation run in the thread that asks for it; yields how many threads it could have had.

    Whole batches side by side keep the cores busier than one batch split at every layer, and one core taken by another process
    delays one batch instead of all layers of all batches.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield threads
    finally:
        torch.set_num_threads(threads)
