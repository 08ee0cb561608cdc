"""Threads that work ahead of the consumer, with results in order, and control over the threads of PyTorch."""

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def map_ahead(function: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[R]:
    """Map with threads, in order, never more than `workers` results ahead of the one asked for.

    Threads are enough where Pillow, SciPy, PyTorch or the codecs do the work: they release the interpreter lock. The
    first error cancels the items that have not begun.

    Args:
        function: Applied to every item.
        items: The items, taken one by one.
        workers: Number of threads.

    Yields:
        The results, in the order of the items.
    """
    items = iter(items)
    with ThreadPoolExecutor(max(1, workers)) as pool:
        waiting = deque(pool.submit(function, item) for item in islice(items, max(1, workers)))
        try:
            while waiting:
                result = waiting.popleft().result()
                waiting.extend(pool.submit(function, item) for item in islice(items, 1))
                yield result
        finally:
            for future in waiting:
                future.cancel()


@contextlib.contextmanager
def one_thread_per_operation() -> Iterator[int]:
    """Run every PyTorch operation in the thread that calls it; yields the number of threads it could have used.

    Results then do not depend on the number of threads: a sum split among threads is rounded differently. Batches that
    are processed in parallel also keep the cores busier than one batch that is split at every operation.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield threads
    finally:
        torch.set_num_threads(threads)
