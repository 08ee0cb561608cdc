"""Faster training of convolutions that PyTorch computes slowly on CPU."""

from itertools import product
from typing import Any, cast

import torch
import torch.nn.functional as F
from timm.layers import Conv2dSame
from timm.layers.padding import pad_same
from torch import Tensor, nn

_BLOCK = 3  # side of the depthwise kernels whose weight gradient oneDNN has fast code for


def speed_up_convolutions(network: nn.Module) -> None:
    """Let a network that is trained on CPU in float32 compute the same convolutions, apart from rounding, faster.

    Its parameters and their names stay as they are.

    - A 1 x 1 convolution is said to be dilated, which means nothing for a single tap: with one thread and fewer than 16
      patches PyTorch leaves such convolutions to oneDNN, undilated ones to slower code of its own.
    - The weight gradient of a wide depthwise kernel is put together from blocks, see `DepthwiseConv2d`.

    Args:
        network: Network, changed in place.
    """
    for module in network.modules():
        if type(module) is nn.Conv2d and module.kernel_size == (1, 1):
            module.dilation = (2, 2)
        elif isinstance(module, nn.Conv2d) and _is_wide_and_depthwise(module):
            pads_itself = isinstance(module, Conv2dSame)
            module.__class__ = DepthwiseConv2d
            cast(DepthwiseConv2d, module).pads_itself = pads_itself


class DepthwiseConv2d(nn.Conv2d):
    """A depthwise convolution of kernels wider than three taps, whose weight gradient is made of blocks of 3 x 3 taps.

    A block of taps sees the input shifted by its place in the kernel; its gradient is that of a 3 x 3 convolution of
    the shifted input. For maps of some ten pixels a side, the four blocks of a 5 x 5 kernel take from a fourth to
    two thirds of the time that oneDNN takes for all taps at once.

    Attributes:
        pads_itself: Whether the input is padded as in TensorFlow, by timm's `pad_same`.
    """

    pads_itself: bool

    def forward(self, input: Tensor) -> Tensor:
        """Maps (B, C, h', w') of maps (B, C, h, w)."""
        padding: Any = self.padding
        if self.pads_itself:
            input, padding = pad_same(input, list(self.kernel_size), list(self.stride)), (0, 0)
        mixed = torch.is_autocast_enabled(input.device.type)
        plain = self.bias is None and not mixed and not torch.compiler.is_compiling()
        if input.device.type == "cpu" and plain and torch.is_grad_enabled():
            return _Depthwise.apply(input, self.weight, self.stride, padding)
        # a bias comes from a batch normalisation that was folded into the weights
        return F.conv2d(input, self.weight, self.bias, self.stride, padding, groups=self.groups)


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, maps: Tensor, weight: Tensor, stride: tuple[int, int], padding: tuple[int, int]) -> Tensor:
        ctx.save_for_backward(maps, weight)
        ctx.stride, ctx.padding = stride, padding
        return F.conv2d(maps, weight, None, stride, padding, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        (slope,), (maps, weight), (height, width) = slopes, ctx.saved_tensors, ctx.padding
        wanted = *ctx.needs_input_grad[:2], False
        if not wanted[1]:
            return _gradients(slope, maps, weight, ctx.stride, ctx.padding, wanted)[0], None, None, None
        inward = None
        if wanted[0]:
            inward = _gradients(slope, maps, weight, ctx.stride, ctx.padding, (True, False, False))[0]
        padded = F.pad(maps, (width, width, height, height))
        whole, block = torch.empty_like(weight), weight[:, :, :_BLOCK, :_BLOCK]
        seen = [step * (places - 1) + _BLOCK for step, places in zip(ctx.stride, slope.shape[2:], strict=True)]
        for row, column in product(*([*range(0, taps - _BLOCK, _BLOCK), taps - _BLOCK] for taps in weight.shape[2:])):
            shifted = padded[:, :, row : row + seen[0], column : column + seen[1]]
            part = _gradients(slope, shifted, block, ctx.stride, (0, 0), (False, True, False))[1]
            whole[:, :, row : row + _BLOCK, column : column + _BLOCK] = part
        return inward, whole, None, None


def _is_wide_and_depthwise(module: nn.Conv2d) -> bool:
    """Whether a kernel of its own, wider than a block, without bias or dilation, passes over each channel."""
    return (
        type(module) in (nn.Conv2d, Conv2dSame)
        and module.groups == module.in_channels == module.out_channels
        and min(module.kernel_size) > _BLOCK
        and module.bias is None
        and module.dilation == (1, 1)
        and module.padding_mode == "zeros"
        and not isinstance(module.padding, str)
    )


def _gradients(
    slope: Tensor, maps: Tensor, weight: Tensor, stride: tuple[int, int], padding: tuple[int, int], wanted: Any
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of a depthwise convolution for maps, weight and bias, those that are wanted."""
    where = stride, padding, (1, 1), False, (0, 0), len(weight)
    return torch.ops.aten.convolution_backward(slope, maps, weight, None, *where, wanted)
