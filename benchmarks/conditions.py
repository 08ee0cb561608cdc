"""Hardware and versions that a measurement was made with, for the tables of benchmarks."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

import torch


def conditions() -> dict[str, str | int]:
    """Columns that name the processor, the card if there is one, threads and versions."""
    card = torch.cuda.get_device_name() if torch.cuda.is_available() else "no CUDA device"
    hardware = {"processor": f"{processor()}, {os.cpu_count()} cores", "card": card, "threads": torch.get_num_threads()}
    versions = {name: version(name) for name in ("torch", "numpy", "scipy", "pyarrow", "snakemake")}
    return hardware | versions | {"python": platform.python_version()}


def processor() -> str:
    """Name of the processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
