"""Many pictures at once: Pillow, SciPy and the codecs release the interpreter lock, so threads are enough."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from iqadistill.console import progress

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_threads(
    function: Callable[[Item], Result], items: Sequence[Item], *, workers: int, label: str
) -> list[Result]:
    """Apply `function` to every item, results in the items' order; the first error cancels what has not begun."""
    with ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
        futures = [pool.submit(function, item) for item in items]
        try:
            return [future.result() for future in progress(futures, label)]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
