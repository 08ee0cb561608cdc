"""What scripts of networks have in common: the device that Snakemake granted to the running job, and quick imports.

PyTorch brings a million objects that stay to the end of a job, and searching them for garbage again and again takes a
tenth of a short one. So scripts import this module before all others; the search begins once the job holds its device,
and leaves out what was imported.
"""

import contextlib
import gc
from collections.abc import Iterator
from contextlib import AbstractContextManager

from iqadistill.devices import lease_device

gc.disable()


@contextlib.contextmanager
def quick_imports() -> Iterator[None]:
    """Import without a search for garbage, where a job asks for the code of an entry that the study names."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def granted_device(snakemake) -> AbstractContextManager[str]:
    """The device of this job: the study's, or the CPU where no gpu was granted.

    It is no param: results are the same but for rounding, so another device is no reason to run a job again. Snakemake
    reduces a request above the limit silently, so the granted number decides.
    """
    gc.freeze()
    gc.enable()
    granted = granted_cards(snakemake)
    return lease_device(snakemake.config.get("device", "auto") if granted else "cpu", granted)


def granted_cards(snakemake) -> int:
    """Number of cards that this job was granted."""
    return int(snakemake.resources.get("gpu", 0))


def decoding_threads(snakemake) -> int:
    """Number of threads that decode images ahead of the network: two at least, as it may run on a card meanwhile."""
    return max(2, snakemake.threads)
