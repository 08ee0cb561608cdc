"""Cost of a network: parameters, operations per patch, and the GPU memory of its training."""

from inspect import signature

import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from iqadistill.training.sidecar import Cost


def forward_cost(network: nn.Module, side: int) -> Cost:
    """Size of a network and operations of its forward pass in eval mode.

    Args:
        network: Network from one or several batches of patches (B, 3, side, side) to scores (B,); its mode is left as
            it is.
        side: Side of a patch in pixels.

    Returns:
        All parameters, and the operations of matrix products and convolutions for one patch.
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
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return Cost(parameters=parameters, flops=counter.get_total_flops())


def training_cost(network: nn.Module, side: int, history: pa.Table, device: str) -> Cost:
    """Cost of a network and, of a training on a GPU, the most memory it held there.

    Args:
        network: Trained network.
        side: Side of the patches in pixels.
        history: Table "history" of its training.
        device: "cpu", or the device it was trained on.
    """
    peak = None if device == "cpu" else pc.max(history["peak_memory"]).as_py() * 2**20
    return forward_cost(network, side).model_copy(update={"max_vram": peak})
