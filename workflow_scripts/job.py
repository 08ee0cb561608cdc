"""The device and threads that Snakemake granted to the running job."""

import os
from contextlib import AbstractContextManager

from iqadistill.devices import lease_device


def granted_device(snakemake) -> AbstractContextManager[str]:
    """The device of this job: the study's, or the CPU where no gpu was granted.

    It is no param: results are the same but for rounding, so another device is no reason to run a job again. Snakemake reduces a
    request above the limit silently, so the granted number decides.
    """
    granted = granted_cards(snakemake)
    return lease_device(snakemake.config.get("device", "auto") if granted else "cpu", granted)


def granted_cards(snakemake) -> int:
    """Number of cards that this job was granted."""
    return int(snakemake.resources.get("gpu", 0))


def limit_threads(count: int) -> None:
    """Let a PyTorch that is imported from here on use so many threads; a job that needs none does not import it for that."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(count)
