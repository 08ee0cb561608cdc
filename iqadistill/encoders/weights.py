"""Backbones of timm with weights from four places."""

from difflib import get_close_matches
from pathlib import Path
from pickle import UnpicklingError  # what torch.load raises when a file asks for more than tensors

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from iqadistill.errors import InputError
from iqadistill.models import lite0


def load_backbone(model: str, weights: str) -> nn.Module:
    """A timm model without classifier, in eval mode; `pretrained_cfg` tells its mean, std and input size.

    Args:
        model: timm's name of it.
        weights: "packaged" (EfficientNet-Lite0 only), "hub" (timm's download), "none" (random, the same every time), or the path of
            a .safetensors or .pth state dict; a classifier in it is left out, of any number of classes.

    Raises:
        InputError: The model or the file is unknown, or the weights are not those of the model.
    """
    if not timm.is_model(model):
        near = get_close_matches(model, timm.list_models(), n=3) or ["resnet50", lite0.MODEL]
        raise InputError(f"encoder: timm has no model {model!r}; did you mean {' or '.join(near)}?")
    if weights == "packaged":
        if model != lite0.MODEL:
            raise InputError(
                f"encoder: packaged weights are those of {lite0.MODEL}, not of {model}; use weights: hub or a file's path."
            )
        backbone = lite0.load_packaged_lite0()
        backbone.reset_classifier(0)
        backbone.pretrained_cfg |= {"mean": lite0.MEAN, "std": lite0.STD}
    elif weights == "hub":
        backbone = _download(model)
    else:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            backbone = timm.create_model(model, num_classes=0)
        if weights != "none":
            _fill(backbone, model, Path(weights))
    return backbone.eval()


def _download(model: str) -> nn.Module:
    try:
        return timm.create_model(model, pretrained=True, num_classes=0)
    except (RuntimeError, OSError) as error:  # no such weights; no way to the hub
        reason = str(error).splitlines()[0]
        raise InputError(
            f"encoder: no weights of {model} from the hub ({reason}); go online once or give a file's path as weights."
        ) from None


def _fill(backbone: nn.Module, model: str, path: Path) -> None:
    state = _read_state(path)
    with torch.device("meta"):
        classifier = set(timm.create_model(model).state_dict()) - set(backbone.state_dict())
    try:
        backbone.load_state_dict({name: tensor for name, tensor in state.items() if name not in classifier})
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"{path}: not the weights of {model} ({reason}); give the file of this very model.") from None


def _read_state(path: Path) -> dict[str, Tensor]:
    try:
        state = (
            load_file(path)
            if path.suffix == ".safetensors"
            else torch.load(path, map_location="cpu", weights_only=True)
        )
    except FileNotFoundError:
        raise InputError(
            f"encoder: weights {str(path)!r} are no file; expected packaged, hub, none, or the path of a .safetensors or .pth."
        ) from None
    except (SafetensorError, UnpicklingError, OSError, RuntimeError, EOFError, ValueError) as error:
        raise InputError(
            f"{path}: no readable state dict of plain tensors ({type(error).__name__}); save it anew."
        ) from None
    if not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise InputError(f"{path}: holds more than tensors; save the model's plain state_dict.")
    return state
