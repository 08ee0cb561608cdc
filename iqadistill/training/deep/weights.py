"""A trained network's weights on disk."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from iqadistill.errors import InputError
from iqadistill.models.creation import create_model
from iqadistill.tables import write_atomically


def save_network(network: nn.Module, path: str | Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write a network's weights as safetensors, atomically; `metadata` goes into the file's header."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    write_atomically(path, lambda temporary: save_file(tensors, temporary, metadata))


def load_network(network: nn.Module, path: str | Path) -> nn.Module:
    """Fill a network with weights `save_network` wrote; returns it in eval mode.

    Raises:
        InputError: The file is missing, or holds the weights of another network.
    """
    try:
        network.load_state_dict(load_file(path))
    except FileNotFoundError:
        raise InputError(f"{path}: no such weights; run the training stage.") from None
    except (SafetensorError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"{path}: not the weights of this network ({reason}); train it again.") from None
    return network.eval()


def rebuild_network(settings: Mapping[str, Any], path: str | Path) -> nn.Module:
    """A trained network in eval mode, from the `network` settings of its sidecar and its weights.

    Raises:
        InputError: As `load_network`, or a setting is unknown.
    """
    weights = [name for name in ("pretrained", "stem_pretrained") if name in settings]
    settings = {**settings, **dict.fromkeys(weights, False)}  # they come from the file
    return load_network(create_model(settings.pop("model"), **settings), path)
