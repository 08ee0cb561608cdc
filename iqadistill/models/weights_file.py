"""Weights from files of any origin: read without running code, unwrapped, matched with a network's names."""

import re
import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from iqadistill.errors import InputError
from iqadistill.file_kinds import HEAD, REMEDIES, ZIP, file_kind

WRAPPERS = (
    *("state_dict", "model_state_dict", "model", "net", "network", "module", "params"),
    *("state_dict_ema", "ema_state_dict", "model_ema", "ema_model", "ema", "params_ema"),
)
"""Keys under which published checkpoints hold a state dict; a moving average is taken where there is nothing else."""

_DEPTH = 8  # of wrappers in wrappers, and of prefixes such as "module.model.backbone."
_REMEDIES = REMEDIES | {
    "an HDF5 file": "convert it from Keras or TensorFlow to a PyTorch state dict",
    "a GGUF file": "convert it to a PyTorch state dict",
    "a NumPy array": "save the model's state_dict by torch.save",
    "a JSON file": "if it is the index of weights in several files, save them as one state dict",
}


def read_state_dict(path: str | Path, key: str = "weights") -> dict[str, Tensor]:
    """Read a state dict, without running any code that the file may hold.

    Args:
        path: A .safetensors file, or a file of `torch.save` that holds the state dict itself or, as published
            checkpoints do, has it under a key such as "state_dict" or "model" (see `WRAPPERS`).
        key: Setting that holds the path, as messages name it.

    Raises:
        InputError: The file does not exist, or does not hold a state dict of tensors; the message says what it is.
    """
    path = Path(path)
    try:
        start = _start(path)
    except FileNotFoundError:
        raise InputError(
            f"{key}: no file {str(path)!r}; expected packaged, hub, none, or the path of a .safetensors or .pth file."
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise InputError(f"{path}: cannot be read ({reason}); {key} names a .safetensors or .pth file.") from None
    if reason := _other_file(path, start):
        raise InputError(f"{path}: not weights of PyTorch but {reason}.")
    try:
        content = load_file(path) if _is_safetensors(path, start) else _load(path)
    except Exception as error:  # damaged bytes make an unpickler raise errors of every kind
        raise InputError(f"{path}: {_unreadable(error)}") from None
    return _plain(_unwrap(content), path)


def check_state(state: Mapping[str, Tensor], expected: Mapping[str, Tensor], path: str | Path, network: str) -> None:
    """Check that a state dict has the names and shapes of a network's, and only numbers.

    Args:
        state: State dict from a file.
        expected: State dict of the network.
        path: The file.
        network: Name of the network, as the message gives it.

    Raises:
        InputError: Tensors are missing, unexpected, of another shape or not numbers (NaN); one of them is named.
    """
    for problem, names in (
        ("lacks {}", [name for name in expected if name not in state]),
        ("holds {} besides", [name for name in state if name not in expected]),
        ("has another shape of {}", [n for n in expected if n in state and state[n].shape != expected[n].shape]),
    ):
        if names:
            reason = problem.format(_shown(names[0])) + (f" and {len(names) - 1} more" if len(names) > 1 else "")
            raise InputError(f"{path}: not the weights of {network} ({reason}); give the file of this network.")
    undefined = [name for name, tensor in state.items() if tensor.is_floating_point() and bool(tensor.isnan().any())]
    if undefined:
        raise InputError(
            f"{path}: {_shown(undefined[0])} holds values that are not numbers (NaN), as a failed training leaves them;"
            " give other weights."
        )


def without_prefix(state: Mapping[str, Tensor], expected: Mapping[str, Tensor], path: str | Path) -> dict[str, Tensor]:
    """The tensors of a network that a file names with a prefix, such as "module." or "model.backbone.".

    What the file holds under other prefixes, e.g. a head that was trained on the network, is left out.

    Args:
        state: State dict from a file.
        expected: State dict of the network.
        path: The file.

    Returns:
        The tensors without the prefix; the state dict as it is, if its names have none.

    Raises:
        InputError: The network is there twice, e.g. as encoder_q and encoder_k.
    """
    found: Counter[str] = Counter()
    for name in state:
        parts = name.split(".", _DEPTH)
        for depth in range(len(parts)):
            if ".".join(parts[depth:]) in expected:
                found["".join(f"{part}." for part in parts[:depth])] += 1
    most = max(found.values(), default=0)
    prefixes = [prefix for prefix, count in found.items() if count == most]
    if not prefixes or "" in prefixes or 2 * most < len(expected):
        return dict(state)
    if len(prefixes) > 1:
        raise InputError(
            f"{path}: holds the network more than once, as {' and '.join(_shown(p) for p in sorted(prefixes)[:3])}; "
            "save the state dict of one of them."
        )
    return {name.removeprefix(prefixes[0]): state[name] for name in state if name.startswith(prefixes[0])}


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD)


def _other_file(path: Path, start: bytes) -> str | None:
    """What a file is that cannot hold weights; None for one that may."""
    if not start:
        return "an empty file; download or save it again"
    kind = file_kind(start)
    if kind == ZIP:
        return _other_zip(path)
    if kind and not _is_safetensors(path, start):
        archive = "unpack it and name the file of weights in it" if kind.endswith("archive") else None
        return f"{kind}; {_REMEDIES.get(kind, archive or 'give the file of weights itself')}"
    if path.suffix.lower() in (".onnx", ".pb", ".tflite"):
        return f"a {path.suffix.lower()} graph; save the model's state_dict by torch.save"
    return None


def _other_zip(path: Path) -> str | None:
    """What a zip archive is that is not of `torch.save`; None for one that may be."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return "a damaged or truncated file; download or save it again"
    names = [member.filename for member in members]
    if any(name.endswith("/constants.pkl") for name in names):
        return "a TorchScript program; save its state_dict by torch.save"
    if not any(name == "data.pkl" or name.endswith("/data.pkl") for name in names):
        return "a zip archive of something else; unpack it and name the file of weights in it"
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):  # torch.save never compresses
        return "a zip archive that was packed again; save the state dict by torch.save"
    return None


def _is_safetensors(path: Path, start: bytes) -> bool:
    """Whether a file has the header of safetensors, whatever its suffix, or else the suffix."""
    header = int.from_bytes(start[:8], "little")
    return path.suffix == ".safetensors" or (start[8:9] == b"{" and 2 <= header <= path.stat().st_size - 8)


def _load(path: Path) -> Any:
    return torch.load(path, map_location="cpu", weights_only=True)


def _unreadable(error: Exception) -> str:
    code = re.search(r"GLOBAL ([\w.]+)", str(error))
    if code:
        return (
            f"holds {code[1]} beside or instead of tensors, which could run code and is not loaded; save the model's "
            "plain state dict by torch.save."
        )
    return f"not a readable state dict of tensors ({type(error).__name__}); download or save it again."


def _unwrap(content: Any) -> Any:
    for _ in range(_DEPTH):
        if not isinstance(content, Mapping) or any(isinstance(value, Tensor) for value in content.values()):
            return content
        inner = next((content[key] for key in WRAPPERS if isinstance(content.get(key), Mapping)), None)
        if inner is None:
            return content
        content = inner
    return content


def _plain(content: Any, path: Path) -> dict[str, Tensor]:
    """Check that content is a mapping of names to dense tensors with values."""
    if not isinstance(content, Mapping):
        what = "nothing (None)" if content is None else f"one {type(content).__name__}"
        raise InputError(f"{path}: holds {what}, not a state dict of tensors; save the model's plain state dict.")
    if not content:
        raise InputError(f"{path}: holds an empty state dict; save the model's plain state dict.")
    for name, tensor in content.items():
        if not isinstance(name, str):
            what = f"the name {_shown(name)}, which is not text"
        elif not isinstance(tensor, Tensor):
            what = f"a {type(tensor).__name__} as {_shown(name)}"
        elif tensor.layout != torch.strided or tensor.is_nested:
            what = f"a sparse tensor as {_shown(name)}"
        elif tensor.is_quantized:
            what = f"a quantised tensor as {_shown(name)}"
        elif tensor.is_meta:
            what = f"a tensor without values as {_shown(name)}"
        else:
            continue
        raise InputError(f"{path}: not a state dict of tensors (holds {what}); save the model's plain state dict.")
    return {name: tensor.detach() for name, tensor in content.items()}


def _shown(name: object) -> str:
    """A name in a message, on one line and not too long."""
    text = str(name) if isinstance(name, str) and name.isprintable() else ascii(name)
    return text if len(text) <= 80 else f"{text[:77]}..."
