"""Folding of batch normalisation into the preceding convolution of a frozen network."""

import copy
from collections.abc import Callable
from typing import TypeVar

import torch
from timm.layers import BatchNormAct2d
from torch import Tensor, nn

N = TypeVar("N", bound=nn.Module)


@torch.no_grad()
def fold_batchnorm(model: N, forward: Callable[[N, Tensor], Tensor], example: Tensor) -> N:
    """Fold batch normalisations: the same function with fewer passes over memory.

    On CPU most of a small network's time is memory traffic. One forward pass shows which normalisation follows which
    convolution. A network in which anything else uses a folded convolution's output would change: its outputs are
    compared, and if any differs the network is returned unchanged. They are compared on the example and on noise of
    both signs: in a plain patch, such as one of the sky, or behind a rectifier, the maps that differ may be zero.

    Args:
        model: Network in eval mode; not changed.
        forward: Function (model, batch) -> (B, ...) that applies the network.
        example: Batch (B, 3, h, w) of what the network will be applied to.

    Returns:
        A copy with folded normalisations, or `model` where there is none to fold.
    """
    folded = copy.deepcopy(model)
    noise = 2 * torch.randn(example.shape, generator=torch.Generator().manual_seed(1)).to(example)
    batch = torch.cat([example, noise])
    pairs, expected = _convolutions_with_norm(folded, forward, batch)
    if not pairs:
        return model
    rest: dict[nn.Module, nn.Module] = {}
    for convolution, norm in pairs:
        assert norm.running_mean is not None and norm.running_var is not None  # it tracks them
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        bias = 0 if convolution.bias is None else convolution.bias
        convolution.weight.mul_(scale.view(-1, 1, 1, 1))
        convolution.bias = nn.Parameter(norm.bias + (bias - norm.running_mean) * scale)
        rest[norm] = norm.act if isinstance(norm, BatchNormAct2d) else nn.Identity()
    for module in list(folded.modules()):
        for name, child in list(module.named_children()):
            if child in rest:
                setattr(module, name, rest[child])
    same = all(map(_agree, forward(folded, batch), expected))
    return folded if same else model


def _agree(output: Tensor, expected: Tensor) -> bool:
    """Whether two outputs of a patch are the same but for rounding."""
    return torch.allclose(output, expected, rtol=1e-3, atol=(1e-4 * expected.abs().max()).item())


def _convolutions_with_norm(
    model: N, forward: Callable[[N, Tensor], Tensor], batch: Tensor
) -> tuple[list[tuple[nn.Conv2d, nn.BatchNorm2d]], Tensor]:
    """Each convolution whose output a normalisation takes, with that normalisation, and the network's outputs."""
    outputs: dict[int, tuple[nn.Conv2d, Tensor]] = {}  # the tensor is kept so that no other gets its id
    pairs = []

    def watch(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(module, nn.Conv2d):
            outputs[id(output)] = (module, output)
        elif (
            isinstance(module, nn.BatchNorm2d)
            and module.affine
            and module.track_running_stats
            and id(inputs[0]) in outputs
        ):
            pairs.append((outputs[id(inputs[0])][0], module))

    watched = [module for module in model.modules() if isinstance(module, nn.Conv2d | nn.BatchNorm2d)]
    handles = [module.register_forward_hook(watch) for module in watched]
    output = forward(model, batch)
    for handle in handles:
        handle.remove()
    return pairs, output
