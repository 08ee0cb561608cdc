"""Involution compared with its equation, written out position by position."""

import pytest
import torch
import torch.nn.functional as F

from iqadistill.models.rkiqt.involution import Involution


def kernels(layer, maps):
    """k (B, groups, K * K, h, w) = Conv(ReLU(BN(Conv(x)))) of the maps averaged over the stride."""
    averages = F.avg_pool2d(maps, layer.stride) if layer.stride > 1 else maps
    hidden = torch.einsum("oc,bcyx->boyx", layer.conv1.conv.weight[:, :, 0, 0], averages)
    mean, variance = layer.conv1.bn.running_mean, layer.conv1.bn.running_var
    hidden = (hidden - mean[:, None, None]) / (variance + layer.conv1.bn.eps).sqrt()[:, None, None]
    hidden = (hidden * layer.conv1.bn.weight[:, None, None] + layer.conv1.bn.bias[:, None, None]).clamp_min(0)
    weights = torch.einsum("oc,bcyx->boyx", layer.conv2.conv.weight[:, :, 0, 0], hidden)
    weights = weights + layer.conv2.conv.bias[:, None, None]
    batch, _, height, width = weights.shape
    return weights.reshape(batch, layer.groups, -1, height, width)


def equation(layer, maps):
    """y[c, i, j] = sum over (u, v) of k[g, u, v, i, j] x[c, stride i + u, stride j + v]."""
    weights = kernels(layer, maps)
    batch, channels, height, width = maps.shape
    half, shared = layer.kernel_size // 2, channels // layer.groups
    out = torch.zeros(batch, channels, *weights.shape[-2:], dtype=maps.dtype)
    for c in range(channels):
        for i in range(out.shape[2]):
            for j in range(out.shape[3]):
                for u in range(-half, half + 1):
                    for v in range(-half, half + 1):
                        y, x = layer.stride * i + u, layer.stride * j + v
                        if 0 <= y < height and 0 <= x < width:
                            offset = (u + half) * layer.kernel_size + v + half
                            out[:, c, i, j] += weights[:, c // shared, offset, i, j] * maps[:, c, y, x]
    return out


def unfolded(layer, maps):
    """The equation over unfolded copies of the map, one per offset, which PyTorch differentiates automatically."""
    weights = kernels(layer, maps)
    copies = F.unfold(maps, layer.kernel_size, padding=layer.kernel_size // 2, stride=layer.stride)
    copies = copies.reshape(len(maps), layer.groups, -1, *weights.shape[2:])
    return (weights.unsqueeze(2) * copies).sum(3).flatten(1, 2)


def layer(kernel_size, stride, channels=8):
    """An involution with random weights and statistics."""
    torch.manual_seed(0)
    involution = Involution(channels, kernel_size, stride, group_channels=4, reduction=2).double().eval()
    involution.conv1.bn.running_mean.normal_(0, 0.2)
    involution.conv1.bn.running_var.uniform_(0.5, 2)
    with torch.no_grad():
        involution.conv1.bn.weight.uniform_(0.5, 1.5)
        involution.conv1.bn.bias.normal_(0, 0.1)
    return involution


@pytest.mark.parametrize(("kernel_size", "stride"), [(3, 1), (3, 2), (5, 1), (7, 1)])
@torch.no_grad()
def test_forward_follows_the_equation(kernel_size, stride):
    involution, maps = layer(kernel_size, stride), torch.randn(2, 8, 4, 6, dtype=torch.float64)
    torch.testing.assert_close(involution(maps), equation(involution, maps))


@pytest.mark.parametrize(("kernel_size", "stride"), [(3, 1), (7, 1), (7, 2)])
def test_gradients_match_automatic_differentiation(kernel_size, stride):
    involution, maps = layer(kernel_size, stride), torch.randn(2, 8, 8, 10, dtype=torch.float64)
    gradients = []
    for form in (involution, lambda inputs: unfolded(involution, inputs)):
        inputs = maps.clone().requires_grad_()
        involution.zero_grad()
        form(inputs).sin().sum().backward()
        gradients.append([inputs.grad, *(parameter.grad.clone() for parameter in involution.parameters())])
    assert len(gradients[0]) == 6
    for gradient, expected in zip(*gradients, strict=True):
        assert expected.abs().max() > 1e-3
        torch.testing.assert_close(gradient, expected)
