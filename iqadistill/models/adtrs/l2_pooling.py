"""L2 pooling of feature maps."""

from contextlib import nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class L2Pooling(nn.Module):
    """Local energy of a feature map whose channel vectors are normalised to length one:

        x / ||x||_2 over channels,  then  sqrt(g * x^2 + eps),  eps = 1e-12,

    g the 3 x 3 inner taps of a Hanning window of length 5, summing to one, at stride 1 with zero padding. L2 pooling is
    the anti-aliased pooling of DISTS (arXiv 2004.07728); arXiv 2409.07115 applies it to every stage of its backbone.
    """

    taps: Tensor

    def __init__(self) -> None:
        super().__init__()
        taps = torch.hann_window(5, periodic=False)[1:-1]
        self.register_buffer("taps", torch.outer(taps, taps) / taps.sum() ** 2, persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """Pooled maps (B, C, h, w), float32 or float64, of feature maps (B, C, h, w)."""
        # half precision cannot hold eps, and the slope of the square root at zero would be infinite
        kind = features.device.type
        # the meta device, on which networks are counted, knows no mixed precision
        full = torch.autocast(kind, enabled=False) if torch.amp.is_autocast_available(kind) else nullcontext()
        with full:
            energy = features.to(torch.promote_types(features.dtype, torch.float32)).square()
            energy = energy / energy.sum(1, keepdim=True).clamp_min(1e-24)
            channels = energy.shape[1]
            blurred = F.conv2d(energy, self.taps.to(energy).expand(channels, 1, -1, -1), padding=1, groups=channels)
            return (blurred + 1e-12).sqrt()
