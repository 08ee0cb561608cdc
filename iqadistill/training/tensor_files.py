"""Files of tensors that know whether they are whole: safetensors, with a digest of all that they hold in the header.

A truncated file cannot be opened anyway; one in which a disk changed a byte can, and holds other weights.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

_HEADER = "iqadistill"  # the only key of the file's own header, for safetensors writes several in any order


def save_tensors(tensors: Mapping[str, Tensor], path: str | Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors, with `metadata` and a digest of both in the file's header."""
    stored = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    header = {"metadata": dict(metadata or {}), "sha256": _digest(stored, metadata or {})}
    save_file(stored, path, {_HEADER: json.dumps(header, sort_keys=True)})


def load_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a file.

    Raises:
        FileNotFoundError: There is no such file.
        SafetensorError: The file is truncated, or does not hold what was written.
    """
    with safe_open(path, "pt") as file:
        header = file.metadata() or {}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if _HEADER not in header:  # of an earlier version
        return tensors, header
    try:
        own = json.loads(header[_HEADER])
        whole = own["sha256"] == _digest(tensors, own["metadata"])
    except (KeyError, ValueError):
        whole = False
    if not whole:
        raise SafetensorError("it does not hold what was written")
    return tensors, own["metadata"]


def _digest(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
