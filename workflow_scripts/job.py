"""What several scripts ask of the running job."""

from contextlib import AbstractContextManager

from iqadistill.devices import lease_device


def granted_device(snakemake) -> AbstractContextManager[str]:
    """The device of this job: what the study asks for, or the CPU when no gpu was granted.

    Snakemake scales a request above the limit down without a word, so the granted number decides.
    """
    granted = granted_cards(snakemake)
    return lease_device(snakemake.params.device if granted else "cpu", granted)


def granted_cards(snakemake) -> int:
    """Cards this job was granted."""
    return int(snakemake.resources.get("gpu", 0))
