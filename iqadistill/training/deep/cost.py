"""What scoring a patch costs, and the training before it."""

from inspect import signature

import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


def forward_cost(network: nn.Module, side: int) -> dict[str, int]:
    """Size of a network and work of its forward pass in eval mode.

    Args:
        network: (B, 3, side, side), one or several, to scores (B,); left in the mode it was in.
        side: Of the patch, in pixels.

    Returns:
        parameters: all of them; flops: floating-point operations of matrix products and convolutions for one patch, a
        multiply-add counted as two.
    """
    first = next(network.parameters())
    patch = torch.zeros(1, 3, side, side, device=first.device)
    training = network.training
    fast_path = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # fused attention is not counted
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        network.eval()(*[patch] * len(signature(network.forward).parameters))
    torch.backends.mha.set_fastpath_enabled(fast_path)
    network.train(training)
    return {"parameters": sum(own.numel() for own in network.parameters()), "flops": counter.get_total_flops()}


def training_cost(network: nn.Module, side: int, history: pa.Table, device: str) -> dict[str, float]:
    """What `forward_cost` gives, and of a training on a card `max_vram`, the most bytes it held there.

    Args:
        network: Trained.
        side: Of the patches, in pixels.
        history: Table "history" of its training.
        device: "cpu", or what was trained on.
    """
    peak = {} if device == "cpu" else {"max_vram": pc.max(history["peak_memory"]).as_py() * 2**20}
    return {**forward_cost(network, side), **peak}
