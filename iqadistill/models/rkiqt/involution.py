"""Involution: an operator with a kernel for every position of a map (arXiv 2103.06255)."""

from typing import Any

import torch
import torch.nn.functional as F
from timm.layers import ConvNormAct
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from iqadistill.errors import InputError


class Involution(nn.Module):
    """Involution with a kernel for each position and group of channels, arXiv 2103.06255.

    Maps (B, C, H, W) become (B, C, ceil(H / stride), ceil(W / stride)). The kernels of a position are computed from the
    channels there, averaged over the stride: k = Conv(ReLU(BN(Conv(x)))), 1 x 1 convolutions with 1 / reduction of the
    channels between them. Channel c of group g becomes, with zero padding,

        y[c, i, j] = sum over offsets (u, v) of k[g, u, v, i, j] x[c, stride i + u, stride j + v].

    Layers are named as in the authors' release (github.com/d-li14/involution). Sums run offset by offset, forward and
    backward: a copy of the neighbourhoods of all positions, 49 times the map for a kernel of 7, is never made.

    Args:
        channels: Number of channels in and out, C.
        kernel_size: Side of a kernel, odd.
        stride: Step between positions.
        group_channels: Number of channels that share a kernel.
        reduction: Factor by which the channels are reduced between the convolutions that compute the kernels.

    Raises:
        InputError: The groups or the reduction do not divide the channels, or the kernel size is even.
    """

    def __init__(self, channels: int, kernel_size: int, stride: int, group_channels: int = 16, reduction: int = 4):
        super().__init__()
        if channels % group_channels or channels % reduction or kernel_size % 2 == 0:
            raise InputError(
                f"involution: {channels} channels, groups of {group_channels}, reduction {reduction}, kernel "
                f"{kernel_size}; expected both to divide the channels and an odd kernel."
            )
        self.kernel_size, self.stride, self.groups = kernel_size, stride, channels // group_channels
        self.conv1 = ConvNormAct(channels, channels // reduction, 1)
        self.conv2 = ConvNormAct(
            channels // reduction, kernel_size**2 * self.groups, 1, bias=True, apply_norm=False, apply_act=False
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (B, C, h, w) of maps (B, C, H, W)."""
        averages = F.avg_pool2d(maps, self.stride, ceil_mode=True) if self.stride > 1 else maps
        kernels = self.conv2(self.conv1(averages)).unflatten(1, (self.groups, -1)).permute(2, 0, 3, 4, 1)
        padded = F.pad(maps, [self.kernel_size // 2] * 4).permute(0, 2, 3, 1).unflatten(3, (self.groups, -1))
        sums = _LocalSums.apply(padded.contiguous(), kernels.contiguous(), self.stride)
        return sums.flatten(3).permute(0, 3, 1, 2)


class _LocalSums(torch.autograd.Function):
    """Sums over offsets of padded maps times kernels, with gradients.

    Padded maps are (B, H, W, groups, channels), kernels (offsets, B, h, w, groups), sums (B, h, w, groups, channels).
    Channels come last because their products with a kernel are then contiguous. Automatic differentiation would make a
    gradient of the full map at each offset: this takes a quarter of the time.
    """

    @staticmethod
    def forward(ctx: Any, padded: Tensor, kernels: Tensor, stride: int) -> Tensor:
        ctx.save_for_backward(padded, kernels)
        ctx.stride = stride
        # half precision would lose accuracy in sums of tens of terms
        sums = padded.new_zeros(*kernels.shape[1:], padded.shape[-1], dtype=_at_least_float32(padded))
        for kernel, window in zip(kernels, _windows(padded, kernels, stride), strict=True):
            sums.addcmul_(kernel.unsqueeze(-1), window)
        return sums.to(padded.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        padded, kernels = ctx.saved_tensors
        gradient = gradient.contiguous()
        of_padded = torch.zeros_like(padded, dtype=_at_least_float32(padded))
        of_kernels = torch.empty_like(kernels)
        windows = zip(_windows(padded, kernels, ctx.stride), _windows(of_padded, kernels, ctx.stride), strict=True)
        for index, (window, of_window) in enumerate(windows):
            of_window.addcmul_(kernels[index].unsqueeze(-1), gradient)
            of_kernels[index] = (window * gradient).sum(-1)
        return of_padded.to(padded.dtype), of_kernels, None


def _windows(padded: Tensor, kernels: Tensor, stride: int) -> list[Tensor]:
    """Views of the padded maps, one per offset: the neighbours at that offset of all positions."""
    offsets, _, height, width, _ = kernels.shape
    side = round(offsets**0.5)
    return [
        padded[:, dy : dy + stride * height : stride, dx : dx + stride * width : stride]
        for dy in range(side)
        for dx in range(side)
    ]


def _at_least_float32(tensor: Tensor) -> torch.dtype:
    return torch.promote_types(tensor.dtype, torch.float32)
