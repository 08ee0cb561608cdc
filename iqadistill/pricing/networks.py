"""What the networks of a study cost, counted on the meta device: shapes without numbers, and no weights."""

import functools
from dataclasses import dataclass
from inspect import signature

import torch
from torch import Tensor, nn

from iqadistill.encoders.backends.timm import TimmSettings
from iqadistill.encoders.encoder import pool_last, pool_stages
from iqadistill.encoders.settings import EncoderSettings
from iqadistill.models.pretrained import TimmNetwork, create_pretrained
from iqadistill.models.settings import DeepStudentSettings, TeacherSettings
from iqadistill.training.deep.cost import forward_cost


@dataclass(frozen=True)
class NetworkCount:
    """Size and work of a network.

    Attributes:
        parameters: Number of all parameters.
        flops: Operations of a forward pass of one patch, a multiply-add as two.
        frozen_flops: Part of them in a frozen backbone, through which no gradient passes.
        activations: Bytes that a forward pass of one patch holds for the backward pass.
        width: Length of the embedding; 0 of a network that scores.
    """

    parameters: int
    flops: float
    frozen_flops: float = 0.0
    activations: float = 0.0
    width: int = 0

    @property
    def training_flops(self) -> float:
        """Operations of a pass with gradient: the backward pass takes two forward passes through what is trained."""
        return 3 * self.flops - 2 * self.frozen_flops


@functools.cache
def count_network(settings: DeepStudentSettings | TeacherSettings, size: int) -> NetworkCount:
    """Count a deep student or a teacher.

    Args:
        settings: Its settings.
        size: Side of its patches in pixels.

    Raises:
        InputError: The network does not exist, or a setting does not fit it.
    """
    with torch.device("meta"):
        network = settings.without_weights().create_network(size)
        cost = forward_cost(network, size)
        inputs = len(signature(network.forward).parameters)
        frozen = 0.0
        if getattr(settings, "freeze_backbone", False):
            frozen = inputs * float(forward_cost(network.get_submodule("backbone"), size).flops)
        held = _held_bytes(network, [torch.zeros(2, 3, size, size)] * inputs) / 2
    return NetworkCount(cost.parameters, cost.flops, frozen, held)


@functools.cache
def count_backbone(settings: TeacherSettings, size: int) -> float:
    """Operations of a pass of one patch through a teacher's backbone, all of it that its students ask for."""
    with torch.device("meta"):
        network = settings.without_weights().create_network(size)
        return float(forward_cost(network.get_submodule("backbone"), size).flops)


@functools.cache
def count_encoder(settings: EncoderSettings, size: int) -> NetworkCount:
    """Count an encoder.

    Args:
        settings: Its settings.
        size: Side of the sampled patches in pixels.

    Raises:
        InputError: The network does not exist.
    """
    assert isinstance(settings, TimmSettings)  # the one backend so far
    with torch.device("meta"):
        network = create_pretrained(settings.model, "none", where="encoder", num_classes=0)
        network.eval()
        native = network.pretrained_cfg["input_size"][-1] if network.pretrained_cfg.get("fixed_input_size") else None
        side = native or settings.size or size
        pooled = Pooled(network, settings.pooling)
        with torch.no_grad():
            width = pooled(torch.zeros(1, 3, side, side)).shape[1]
        cost = forward_cost(pooled, side)
    return NetworkCount(cost.parameters, cost.flops, width=width)


class Pooled(nn.Module):
    """A network together with its pooling, from patches to vectors."""

    def __init__(self, network: TimmNetwork, pooling: str):
        super().__init__()
        self.network, self._pool = network, pool_stages if pooling == "stages" else pool_last

    def forward(self, patches: Tensor) -> Tensor:
        """Vectors (B, width) of patches (B, 3, side, side)."""
        return self._pool(self.network, patches)


def _held_bytes(network: nn.Module, inputs: list[Tensor]) -> float:
    """Bytes that autograd holds after a forward pass, parameters not counted."""
    own = set(map(_key, network.parameters()))
    held: dict[int, int] = {}
    kept: list[Tensor] = []  # so that no other tensor gets the same storage

    def pack(tensor: Tensor) -> Tensor:
        if _key(tensor) not in own:
            held[_key(tensor)] = tensor.untyped_storage().nbytes()
            kept.append(tensor)
        return tensor

    network.train()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        network(*inputs)
    return float(sum(held.values()))


def _key(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata
