"""Weights of a trained network on disk."""

from pathlib import Path
from typing import cast

from safetensors import SafetensorError
from torch import nn

from iqadistill.atomic_writing import write_atomically
from iqadistill.errors import InputError
from iqadistill.models.registry import STUDENTS, TEACHERS
from iqadistill.models.settings import DeepStudentSettings, TeacherSettings
from iqadistill.training.sidecar import Sidecar
from iqadistill.training.tensor_files import load_tensors, save_tensors


def save_network(network: nn.Module, path: str | Path, metadata: dict[str, str] | None = None) -> None:
    """Write a network's weights as safetensors, atomically; `metadata` goes into the file's header."""
    write_atomically(path, lambda temporary: save_tensors(network.state_dict(), temporary, metadata))


def load_network(network: nn.Module, path: str | Path) -> nn.Module:
    """Load weights that `save_network` wrote into a network, and return it in eval mode.

    Raises:
        InputError: The file is missing or damaged, or holds the weights of another network.
    """
    try:
        network.load_state_dict(load_tensors(path)[0])
    except FileNotFoundError:
        raise InputError(f"{path}: no such weights; run the training stage.") from None
    except SafetensorError as error:
        raise InputError(f"{path}: not readable weights ({error}); delete it and train it again.") from None
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"{path}: not the weights of this network ({reason}); train it again.") from None
    return network.eval()


def rebuild_network(sidecar: Sidecar, path: str | Path) -> nn.Module:
    """A trained student or teacher in eval mode, from its sidecar and its weights.

    Raises:
        InputError: The sidecar is not of a deep network, or as `load_network`.
    """
    if sidecar.kind == "mlps" or sidecar.size is None:
        raise InputError(f"{path}: not the weights of a deep network; give those of a deep student or a teacher.")
    registry = TEACHERS if sidecar.kind == "teacher" else STUDENTS
    settings = cast(DeepStudentSettings | TeacherSettings, registry.create(sidecar.settings, where=f"{path}: settings"))
    return load_network(settings.without_weights().create_network(sidecar.size), path)
