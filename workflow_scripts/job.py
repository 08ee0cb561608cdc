"""The device that Snakemake granted to the running job."""

from contextlib import AbstractContextManager

from iqadistill.devices import lease_device


def granted_device(snakemake) -> AbstractContextManager[str]:
    """The device of this job: the study's, or the CPU where no gpu was granted.

    It is no param: results are the same but for rounding, so another device is no reason to run a job again. Snakemake
    reduces a request above the limit silently, so the granted number decides.
    """
    granted = granted_cards(snakemake)
    return lease_device(snakemake.config.get("device", "auto") if granted else "cpu", granted)


def granted_cards(snakemake) -> int:
    """Number of cards that this job was granted."""
    return int(snakemake.resources.get("gpu", 0))


def decoding_threads(snakemake) -> int:
    """Number of threads that decode images ahead of the network: two at least, as it may run on a card meanwhile."""
    return max(2, snakemake.threads)
